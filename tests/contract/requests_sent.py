"""The requests of the differential tests, by what they try."""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.contract.exchange import Asked, post

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
MULTIPART = ("Content-Type", "multipart/form-data; boundary=xx")
UPLOAD = (
    b'--xx\r\nContent-Disposition: form-data; name="file[]"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    b'one\r\n--xx\r\nContent-Disposition: form-data; name="file[]"; filename="b.bin"\r\n\r\n\x00\xff\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n--xx--\r\n'
)

ANY = [
    Asked("GET", "/"),
    Asked("HEAD", "/"),
    Asked("GET", "/?probe=1"),
    Asked("GET", "/score"),
    Asked("HEAD", "/score"),
    Asked("OPTIONS", "/score"),
    Asked("OPTIONS", "/score?a=1"),
    Asked("GET", "/score?a=1"),
    Asked("GET", '/score?a=1&b=[1,2]&c=a&d=null&e={"x":1.50}'),
    Asked("GET", "/score?a=1&a=2&a=x"),
    Asked("GET", "/score?a&b=&c=%20+%C3%A9&=x"),
    Asked("GET", "/score?a=NaN&b=Infinity&c=01&d=1e5&e=%221%22"),
    Asked("GET", "/score?a=%ff&%ff=1"),
    Asked("GET", "/score?" + quote('a={"deep": [[[]]]}', safe="=")),
    Asked("GET", "/score?a=1;b=2&&&c"),
    Asked("POST", "/score?in=query", b'{"in": "body"}', (JSON,)),
    Asked("POST", "//score", b'{"in": "body"}', (JSON,)),
    Asked("OPTIONS", "/"),
    Asked("OPTIONS", "/swagger.json"),
    Asked("HEAD", "/swagger.json?version=4"),
]
"""Methods, paths and queries, for every kind of script."""

IDS = [
    Asked(body=b"x", headers=(("x-request-id", "mine"),)),
    Asked(body=b"x", headers=(("x-request-id", "q" * 100),)),
    Asked(body=b"x", headers=(("x-request-id", ""),)),
    Asked(body=b"x", headers=(("x-ms-client-request-id", "client"),)),
    Asked(body=b"x", headers=(("x-ms-client-request-id", "c" * 100), ("x-request-id", "r"))),
    Asked(body=b"x", headers=(("x-ms-request-id", "legacy"),)),
    Asked(body=b"x", headers=(("x-ms-request-id", "legacy"), ("x-ms-client-request-id", "client"))),
    Asked(body=b"x", headers=(("x-ms-request-id", "legacy"), ("x-request-id", "r"))),
    Asked(body=b"x", headers=(("x-ms-client-request-id", "c" * 101), ("x-request-id", "r"))),
    Asked(body=b"x", headers=(("x-ms-request-id", "c" * 101), ("x-request-id", "r"))),
    Asked(body=b"x", headers=(("TraceId", "trace"),)),
    Asked(body=b"x", headers=(("x-request-id", "a"), ("x-request-id", "b"), ("TraceId", "t"), ("TraceId", "u"))),
    Asked(body=b"x", headers=(("x-ms-client-request-id", "a"), ("x-ms-client-request-id", "b"))),
    Asked(body=b"x", headers=(("x-ms-request-id", "a" * 60), ("x-ms-request-id", "b" * 60), ("x-request-id", "r"))),
    Asked("GET", "/", headers=(("TraceId", "trace"), ("x-request-id", "r"), ("x-ms-client-request-id", "c"))),
    Asked("OPTIONS", "/score", headers=(("TraceId", "trace"), ("x-request-id", "r"))),
    Asked("HEAD", "/score", headers=(("TraceId", "trace"), ("x-request-id", "r"))),
]
"""Ids, and what is answered for them."""

TEXT = [
    Asked(body=b""),
    Asked(body=b"  "),
    Asked(body=b"plain", headers=(("Content-Type", "text/plain"),)),
    Asked(body=b'{"a": 1}', headers=(JSON,)),
    Asked(body="é 😀".encode()),
    Asked(body=b"\xef\xbb\xbf[1]"),
    Asked(body=b"\xff\xfe{}", headers=(JSON,)),
    Asked(body=b"abc\xe9"),
    Asked(body=b"\x00\x01"),
    Asked(body=b"[" * 60_000),
    Asked(body=b"1" * 5_000),
    Asked(body=json.dumps(list(range(100_000))).encode(), headers=(JSON,)),
    Asked(body=b"\x1f\x8b\x08\x00", headers=(("Content-Encoding", "gzip"),)),
]
"""Bodies for a run() that is given text."""

_VALUES = (
    *("nothing", "true", "number", "float", "exponent", "nan", "infinity", "text", "json text", "empty", "list"),
    *("tuple", "keys", "order", "what is not there"),
)
VALUES = [post({"give": value}) for value in _VALUES]
"""What run() may return, and what makes it raise."""

SCHEMA = [
    post({"a": 1, "names": ["p"]}),
    post({"a": 1, "names": ["p"], "extra": [1], "unknown": 2}, ("X-Mine", "1")),
    post({"a": "one", "names": ["p"]}),
    post({"a": 1, "names": []}),
    post({"a": None, "names": ["p"]}),
    post({"a": 1}),
    post({"names": ["p"]}),
    post({}),
    post([1]),
    post("text"),
    post(None),
    Asked(body=b"", headers=(JSON,)),
    Asked(body=b"not json", headers=(JSON,)),
    Asked(body=b'{"a": 1,}', headers=(JSON,)),
    Asked(body=b'{"a": NaN, "names": []}', headers=(JSON,)),
    Asked(body=b'{"a": 1, "names": ["p"]}'),
    Asked(body=b'{"a": 1, "names": ["p"]}', headers=(("Content-Type", "text/plain"),)),
    Asked(body=b'{"a": 1, "names": ["p"]}', headers=(("Content-Type", "application/json; charset=utf-8"),)),
    Asked(body=b'{"a": 1, "names": ["p"]}', headers=(("Content-Type", "APPLICATION/vnd.x+JSON"),)),
    Asked(body='{"a": 1, "names": ["é"]}'.encode("utf-16"), headers=(JSON,)),
    Asked("GET", '/score?a=1&names=["p"]'),
    Asked("GET", "/score?a=1&names=p&names=q&extra=7"),
    Asked("GET", "/score?a=1"),
]
"""For schema.py."""

SCHEMA_ARRAYS = [
    post({"rows": [[1, 2], [3, 4.5]], "table": [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}]}),
    post({"rows": [[1, 2]], "table": {"n": [1], "s": ["x"]}}),
    post({"rows": [["a", "b"]], "table": []}),
    post({"rows": [[1, 2]]}),
    post({"rows": [1, 2], "table": [{"n": 1, "s": "x"}]}),
]
"""For schema_arrays.py."""

RAW = [
    Asked(body=b"x", headers=(("X-Forwarded-Proto", "https"), ("X-Mine", "padded   "))),
    Asked(body=b"\x00\xff binary", headers=(("Content-Type", "application/octet-stream"), ("X-Mine", "é"))),
    Asked(body=b"", headers=(("X-Mine", "1"),)),
    Asked(body=b"a=1&a=2&b=%C3%A9+x&c", headers=(FORM,)),
    Asked("POST", "/score?q=1&a=2", b"a=3", (FORM,)),
    Asked(body=UPLOAD, headers=(MULTIPART,)),
    Asked(body=UPLOAD[:-4], headers=(MULTIPART,)),
    Asked(body=UPLOAD, headers=(("Content-Type", "multipart/form-data"),)),
    Asked(body=b'{"a": [1]}', headers=(JSON, ("Accept", "text/html;q=0.5, application/json"))),
    Asked("POST", "/score?json=parsed", b'{"a": [1]}', (JSON,)),
    Asked("POST", "/score?json=parsed", b"no json", (JSON,)),
    Asked("POST", "/score?json=parsed", b"{}", (("Content-Type", "text/plain"),)),
    Asked(
        "GET", "/score?a=%C3%A9&a=2&b=%ff", headers=(("Cookie", 'k=v; l="w x"'), ("X-Mine", "1, 2"), ("X-Mine", "3"))
    ),
    Asked("OPTIONS", "/score?a=1", headers=(("Origin", "https://a.example"),)),
    Asked("PUT", "/score", b"x"),
    Asked(
        body=b"x", headers=(("Transfer-Encoding-Not", "chunked"), ("X_Under", "score"), ("Traceparent", "00-0-0-00"))
    ),
]
"""For raw.py and raw_stream.py."""

_RESPONSES = (
    *("text", "octets", "as_json", "as_json_of_a_type", "nothing", "nothing_with_headers", "repeated_headers", "ids"),
    *("failed", "failed_by_header", "server_error", "unavailable", "teapot", "no_content", "redirect", "mimetype"),
    *("content_type", "cookie", "pieces", "list_of_pieces", "no_pieces", "dictionary", "status_text"),
    *("bad_header", "error", "own_origin", "too_long"),
)
RESPONSES = [post({"do": do}, ("x-request-id", "r"), ("TraceId", "t")) for do in _RESPONSES]
"""For response.py."""

SLOW = [post({"do": do}) for do in ("sleep", "spin", "catch", "swallow", "nothing", "sleep", "nothing")]
"""For slow.py."""
