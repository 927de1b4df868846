"""run() whose parameters can only be given by name."""


def init():
    pass


def run(*, request_headers, payload):
    return [payload, request_headers.get("X-Mine")]
