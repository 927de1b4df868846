"""run() answers by AMLResponse, in every way that it is used."""

import json

from azureml.contrib.services.aml_response import AMLResponse


def init():
    pass


def run(raw):
    return globals()[json.loads(raw)["do"]]()


def text():
    return AMLResponse("téxt", 200)


def octets():
    return AMLResponse(b"\x00\xff\x89PNG", 200, {"Content-Type": "image/png"})


def as_json():
    return AMLResponse({"a": [1, None, "é"]}, 201, json_str=True)


def as_json_of_a_type():
    return AMLResponse({"a": 1}, 200, {"Content-Type": "application/problem+json"}, json_str=True)


def nothing():
    return AMLResponse(None, 200)


def nothing_with_headers():
    return AMLResponse(None, 404, {"X-Mine": "1"})


def repeated_headers():
    return AMLResponse("x", 200, {"X-Mine": "a, b,c", "Set-Cookie": "k=v; Path=/"})


def ids():
    return AMLResponse("x", 200, {"x-request-id": "mine", "x-ms-client-request-id": "mine", "TraceId": "mine"})


def failed():
    return AMLResponse("no", 400, run_function_failed=True)


def failed_by_header():
    response = AMLResponse("no", 400)
    response.headers["x-ms-run-function-failed"] = True
    return response


def server_error():
    return AMLResponse({"error": "mine"}, 500, json_str=True)


def unavailable():
    return AMLResponse("later", 503, {"Retry-After": "7"})


def teapot():
    return AMLResponse("short and stout", 418)


def no_content():
    return AMLResponse("", 204)


def redirect():
    return AMLResponse("", 302, {"Location": "/elsewhere"})


def mimetype():
    response = AMLResponse("a,b", 200)
    response.mimetype = "text/csv"
    return response


def content_type():
    response = AMLResponse("<a/>", 200)
    response.content_type = "application/xml"
    return response


def cookie():
    response = AMLResponse("x", 200)
    response.set_cookie("k", "v", max_age=60, httponly=True)
    return response


def length():
    return AMLResponse("four", 200, {"Content-Length": "4"})


def pieces():
    return AMLResponse((piece for piece in ("a", "b", "é")), 200)


def list_of_pieces():
    return AMLResponse(["a", "b"], 200, {"Content-Type": "text/plain"})


def no_pieces():
    return AMLResponse(iter(()), 200)


def dictionary():
    return AMLResponse({"key": "is what is sent"}, 200)


def status_text():
    return AMLResponse("x", "202 Taken")


def bad_header():
    return AMLResponse("x", 200, {"X-Mine": "a\r\nSet-Cookie: b"})


def own_origin():
    return AMLResponse("x", 200, {"Access-Control-Allow-Origin": "https://mine.example"})


def too_long():
    return AMLResponse(iter(["four", "more"]), 200, {"Content-Length": "6"})


def error():
    raise ValueError("secret")
