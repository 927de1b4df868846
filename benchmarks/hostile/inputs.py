"""Inputs made to break a service: raw bytes for a socket, and bodies for its routes. All from one random generator."""

from __future__ import annotations

import gzip
import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

METHODS = (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"PRI", b"get", b"")
PATHS = (
    *(b"/score", b"/", b"/readyz", b"/v2", b"/v2/models/x/infer", b"/batch/jobs", b"/batch/jobs/%00", b"/openapi.json"),
    *(b"//score", b"/score?a=%ff&a[]=%7b", b"/score/../score", b"*", b"http://x/score", b"/%c0%ae", b"/\xff", b"/a b"),
    *(b"/docs", b"/swagger.json?version=9", b"/batch/jobs?limit=-1", b"/score?" + b"[" * 500, b""),
)
VERSIONS = (b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.1 ", b"http/1.1", b"RTSP/1.0", b"")
LENGTHS = (
    b"0",
    b"5",
    b"5",
    b"-1",
    b"+5",
    b"5 ",
    b"0x5",
    b"5,5",
    b"99999999999999999999",
    b"1e1",
    b"",
    b"5\x00",
    b"\xb2",
)
CODINGS = (
    *(
        b"chunked",
        b"chunked",
        b"Chunked",
        b"xchunked",
        b"chunked, identity",
        b"identity",
        b"gzip, chunked",
        b"\x0bchunked",
    ),
    *(b"chunked\x00", b" chunked ", b"chunked;q=1", b"", b"identity, chunked", b"chunked, chunked"),
)
NAMES = (
    *(b"Host", b"Accept", b"Cookie", b"x-request-id", b"x-ms-client-request-id", b"Content-Type", b"Content-Encoding"),
    *(b"x-scoring-timeout-ms", b"Inference-Header-Content-Length", b"Expect", b"Upgrade", b"Connection", b"Origin"),
    *(
        b"traceparent",
        b"Authorization",
        b"Range",
        b"Idempotency-Key",
        b"X Y",
        b"",
        b"a" * 300,
        b"X\x00",
        b"Content-Length ",
    ),
)
VALUES = (
    *(
        b"x",
        b"100-continue",
        b"websocket",
        b"upgrade",
        b"close",
        b"keep-alive",
        b"application/json",
        b"gzip",
        b"-1",
        b"9" * 30,
    ),
    *(
        b"a" * 5000,
        b"\xff\xfe",
        b"a\x00b",
        b"a\tb",
        b"\x01",
        b"{",
        b"multipart/form-data; boundary=x",
        b"",
        b"*/*;q=nan",
    ),
    *(b"application/x-www-form-urlencoded", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00", b"5", b"bytes=0-"),
)
MEDIA = (
    *("application/json", "application/json", "text/plain; charset=utf-16", "multipart/form-data; boundary=x"),
    *("application/x-www-form-urlencoded", "multipart/form-data", "", ";;", "application/octet-stream"),
)
ENDS = (b"\r\n",) * 30 + (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\x00\r\n")
CHUNKS = (
    *(
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n0\r\nx-request-id: t\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"-5\r\nhello\r\n",
    ),
    *(
        b"ffffffffffffffff1\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhel",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
    ),
    *(b"0\r\n\r\n", b"0\r\nContent-Length: 40\r\n\r\n", b"g\r\n", b"5;" + b"a" * 3000 + b"\r\nhello\r\n0\r\n\r\n"),
)
PIECES = (
    b"\x00",
    b"\r\n",
    b"\r\n\r\n",
    b":",
    b" ",
    b"\xff",
    b"0",
    b"[",
    b'"',
    b"GET / HTTP/1.1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
)


def raw(random: Random) -> bytes:
    """Bytes for a socket: a request or several, out of grammar, or spoilt."""
    made = b"".join(_request(random) for _ in range(1 if random.random() < 0.8 else random.randrange(2, 6)))
    spoil = random.random()
    if spoil < 0.35:
        made = mutated(random, made)
    elif spoil < 0.45:
        made = made[: random.randrange(len(made) + 1)]
    elif spoil < 0.48:
        made = random.randbytes(random.randrange(200))
    return made


def _request(random: Random) -> bytes:
    pick = random.choice
    method = pick(METHODS) if random.random() < 0.3 else pick((b"GET", b"POST", b"POST"))
    path = pick(PATHS) if random.random() < 0.6 else b"/score"
    lines = [b"%s %s %s" % (method, path, pick(VERSIONS) if random.random() < 0.2 else b"HTTP/1.1"), b"Host: x"]
    lines += [b"%s: %s" % (pick(NAMES), pick(VALUES)) for _ in range(random.choice((0, 0, 1, 2, 5)))]
    body = b""
    framing = random.random()
    if framing < 0.3:
        body = json_body(random)[:2000]
        lines.append(b"Content-Length: %d" % len(body))
    elif framing < 0.5:
        body = pick(CHUNKS)
        lines.append(b"Transfer-Encoding: chunked")
    elif framing < 0.8:
        body = pick((b"hello", *CHUNKS))
        for _ in range(random.randrange(1, 4)):
            lines.append(
                b"Content-Length: " + pick(LENGTHS)
                if random.random() < 0.5
                else b"Transfer-Encoding" + pick((b":", b": ", b": ", b" :", b":\t")) + pick(CODINGS)
            )
    if random.random() < 0.01:
        lines += [b"x: y"] * random.randrange(90, 300)
    if random.random() < 0.02:
        random.shuffle(lines)
    ends = [pick(ENDS) if random.random() < 0.03 else b"\r\n" for _ in lines]
    return b"".join(line + end for line, end in zip(lines, ends, strict=True)) + b"\r\n" + body


def mutated(random: Random, made: bytes) -> bytes:
    """The same, spoilt in a few places."""
    spoilt = bytearray(made)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(spoilt) + 1)
        what = random.random()
        if what < 0.35 and spoilt:
            spoilt[at % len(spoilt)] = random.randrange(256)
        elif what < 0.7:
            spoilt[at:at] = random.choice(PIECES)
        elif what < 0.9:
            del spoilt[at : at + random.randrange(1, 20)]
        else:
            spoilt[at:at] = spoilt[at : at + 50]
    return bytes(spoilt)


def json_body(random: Random) -> bytes:
    """A body for a bundle of four numbers: right, nearly right, or anything."""
    kind = random.random()
    if kind < 0.05:
        depth = random.choice((10, 60, 70, 500, 1100, 20_000))
        return b'{"data": ' + b"[" * depth + b"1" + b"]" * (depth if random.random() < 0.7 else 0) + b"}"
    if kind < 0.15:
        return random.choice(
            (b"", b"null", b"{}", b"[]", b'{"data":', b"\xff\xfe", b"\xef\xbb\xbf{}", b"nan", b'"\\ud800"')
        )
    rows = [
        [_value(random) for _ in range(4 if random.random() < 0.9 else random.randrange(7))]
        for _ in range(random.randrange(4))
    ]
    request: Any = {"data": rows if random.random() < 0.8 else _tree(random, 4)}
    if random.random() < 0.3:
        request = {"input_data": {"columns": ["mean radius", "x"], "index": [0], "data": rows}}
    if random.random() < 0.3:
        request["method"] = random.choice(("predict", "predict_proba", "x", 1, None, [], {}))
    if random.random() < 0.1:
        request[random.choice(("data", "input_data", "x"))] = _tree(random, 3)
    made = json.dumps(request).encode()
    return mutated(random, made) if random.random() < 0.3 else made


def _value(random: Random) -> Any:
    if random.random() < 0.95:
        return random.uniform(0, 1000)
    odd: tuple[Any, ...] = (
        None,
        True,
        "1",
        "x",
        float("nan"),
        float("inf"),
        -1e400,
        10**400,
        -(2**63),
        1e308,
        [],
        {},
        [[1]],
        "\u0000",
        5e-324,
    )
    return random.choice(odd)


def _tree(random: Random, depth: int) -> Any:
    if depth == 0 or random.random() < 0.4:
        return _value(random)
    if random.random() < 0.5:
        return [_tree(random, depth - 1) for _ in range(random.randrange(4))]
    return {
        random.choice(("data", "a", "", "mean radius")): _tree(random, depth - 1) for _ in range(random.randrange(4))
    }


def inference(random: Random, name: str = "data") -> tuple[bytes, dict[str, str]]:
    """A body and headers for /v2/…/infer: JSON, or JSON and binary tensors, right, nearly right or spoilt."""
    rows = random.randrange(1, 4)
    shape: list[Any] = [rows, 4]
    if random.random() < 0.3:
        shape[random.randrange(2)] = random.choice((0, -1, 2**62, 2**64, "4", None, 1.5, [4], 10**30))
    if random.random() < 0.05:
        shape = shape * random.choice((0, 3, 500))
    kind = random.choice(("FP64", "FP64", "FP32", "INT64", "BYTES", "BOOL", "UINT8", "FP16", "nothing", None, 5))
    given: dict[str, Any] = {
        "name": name if random.random() < 0.9 else _value(random),
        "shape": shape,
        "datatype": kind,
    }
    headers: dict[str, str] = {}
    binary = b""
    if random.random() < 0.5:
        size = {"FP64": 8, "INT64": 8, "FP32": 4, "FP16": 2}.get(str(kind), 1)
        binary = random.randbytes(rows * 4 * size)
        if kind == "BYTES":
            texts = [random.randbytes(random.randrange(5)) for _ in range(rows * 4)]
            binary = b"".join(
                struct.pack("<I", len(text) if random.random() < 0.9 else random.getrandbits(32)) + text
                for text in texts
            )
        if random.random() < 0.2:
            binary = mutated(random, binary)
        told: Any = (
            len(binary) if random.random() < 0.85 else random.choice((0, -1, 2**63, "8", None, 1.5, len(binary) + 1))
        )
        given["parameters"] = {"binary_data_size": told}
    else:
        given["data"] = [_value(random) for _ in range(rows * 4)] if random.random() < 0.8 else _tree(random, 4)
    request: dict[str, Any] = {"inputs": [given] * random.choice((1, 1, 1, 0, 2, 3))}
    if random.random() < 0.3:
        asked = {
            "name": random.choice(("predict", "predict_proba", "x", 1)),
            "parameters": {"binary_data": random.choice((True, False, 1, None))},
        }
        request["outputs"] = random.choice(([asked], [asked, asked], [], None, asked))
    if random.random() < 0.2:
        request[random.choice(("id", "parameters", "inputs", "x"))] = _tree(random, 3)
    text = json.dumps(request).encode()
    if random.random() < 0.15:
        text = mutated(random, text)
    if binary or random.random() < 0.1:
        length = len(text) if random.random() < 0.9 else random.choice((0, -1, len(text) + 5, 2**70, len(text) - 1))
        headers["Inference-Header-Content-Length"] = str(length)
    body = text + binary
    coding = random.random()
    if coding < 0.1:
        body = gzip.compress(body, 1)
        headers["Content-Encoding"] = "gzip"
        if random.random() < 0.5:
            body = mutated(random, body)
    elif coding < 0.15:
        headers["Content-Encoding"] = random.choice(("gzip", "deflate", "br", "identity", ""))
    return body, headers
