"""run() with request_headers, and a parameter with a default that nobody gives."""


def init():
    pass


def run(data, request_headers, other=5):
    kept = {name: value for name, value in request_headers.items() if name != "Host"}
    return [data, type(request_headers).__name__, kept, other]
