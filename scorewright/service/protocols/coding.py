"""Content codings of HTTP: gzip and deflate, bounded. Pure.

Contract: RFC 9110, sections 8.4 and 12.5.3. `deflate` is the zlib format there; bare deflate data, which some
clients send under that name, is read too.
"""

from __future__ import annotations

import gzip
import zlib

from scorewright.errors import RequestError

SMALLEST = 1024
"""Bytes that a body must exceed to be worth compressing."""

_MEMBERS = 10_000
"""Parts of gzip data that are read one after the other: each costs more than its bytes."""

_WINDOW = 64 * 1024
"""Bytes that are decompressed at a time: what is behind a member is copied by zlib."""

_LEVEL = 1  # the scorer that compresses is not scoring meanwhile
_GZIP, _ZLIB, _BARE = 31, 15, -15  # zlib's window bits


def inflate(body: bytes | memoryview, encoding: str, limit: int) -> bytes | memoryview:
    """A request's body without its content coding (the value of Content-Encoding, empty for none).

    Raises RequestError 413 if it has more than `limit` bytes, 400 if it is damaged, 415 for another coding.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "deflate"):
        raise RequestError(415, f"Content-Encoding is {coding[:40]!r}; the service reads gzip, deflate and identity.")
    windows = _GZIP if coding == "gzip" else _ZLIB if _is_zlib(body) else _BARE
    rest = memoryview(body)
    pieces: list[bytes] = []
    try:
        for _ in range(_MEMBERS):
            stream = zlib.decompressobj(windows)
            while not stream.eof:
                if not rest:
                    raise RequestError(400, f"The {coding} data of the body ends too early.")
                pieces.append(stream.decompress(rest[:_WINDOW], limit + 1))
                limit -= len(pieces[-1])
                if limit < 0:
                    raise RequestError(413, "The request body is larger, once decompressed, than the service's limit.")
                rest = rest[min(len(rest), _WINDOW) - len(stream.unused_data) :]
            if not rest:
                return b"".join(pieces)
            if windows != _GZIP:
                raise RequestError(400, f"The body goes on for {len(rest)} bytes after its {coding} data.")
        raise RequestError(400, f"The gzip data of the body have more than {_MEMBERS} members.")
    except zlib.error as error:
        raise RequestError(400, f"The body is not {coding} data: {error}.") from None


def deflate(body: bytes, accept_encoding: str) -> tuple[bytes, str | None]:
    """An answer's body in the coding that the client likes best, and its name; as it is and None if in none.

    `accept_encoding` is the value of the request's Accept-Encoding. A body of 1 KB or less stays as it is.
    """
    coding = _preferred(accept_encoding) if len(body) > SMALLEST else None
    if coding == "gzip":
        return gzip.compress(body, _LEVEL, mtime=0), coding
    if coding == "deflate":
        return zlib.compress(body, _LEVEL), coding
    return body, None


def _is_zlib(body: bytes | memoryview) -> bool:
    """Whether the two bytes of a zlib header are there (RFC 1950)."""
    return len(body) > 1 and body[0] & 15 == 8 and (body[0] * 256 + body[1]) % 31 == 0


def _preferred(accept_encoding: str) -> str | None:
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights[name] = _weight(parameters)
    anything = weights.get("*", 0.0)
    wanted = {name: weights.get(name, anything) for name in ("gzip", "deflate")}
    best = max(wanted, key=lambda name: wanted[name])
    return best if wanted[best] > 0 and wanted[best] >= weights.get("identity", 0.0) else None


def _weight(parameters: list[str]) -> float:
    """A coding's q; what is not a number from 0 to 1 counts as a refusal."""
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0
