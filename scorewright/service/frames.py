"""What the front and a scorer say to each other over their Unix socket: length-prefixed binary frames. Pure.

    frame    kind u8 · payload length u64 · payload
    START    front to scorer   JSON: what to load
    READY    scorer to front   u8: whether the script has run_many
    FAILED   scorer to front   JSON: message and hint of the error that ended the start
    SCORE    front to scorer   count u32 · count x (id length u16 · body length u32) · count x (id · body)
    SCORED   scorer to front   count u32 · count x (number u32 · status u16 · failed u8 · milliseconds f64 ·
                               headers length u32 · body length u32) · count x (headers · body)

All numbers are big-endian. A SCORE is answered by one SCORED or by several, until every number has its answer:
what has been scored is out of the scorer before the next request can kill it. Bodies cross unparsed.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD = struct.Struct("!BQ")
_COUNT = struct.Struct("!I")
_REQUEST = struct.Struct("!HI")
_SCORED = struct.Struct("!IHBdII")

Headers = list[tuple[bytes, bytes]]

JSON_HEADERS: Headers = [(b"content-type", b"application/json")]
"""The headers of nearly every answer: they cross as nothing."""


NOT_RETURNED = -1.0
"""The milliseconds of a run() that did not return."""


class Kind(IntEnum):
    """What a frame is."""

    START = 1
    READY = 2
    FAILED = 3
    SCORE = 4
    SCORED = 5


class Request(NamedTuple):
    """One request as the scorer gets it: its id and its undecoded body."""

    id: str
    body: memoryview


class Scored(NamedTuple):
    """The answer to the request that was number `number`, from 0, in its SCORE.

    `milliseconds` is the time run() took, or NOT_RETURNED. `headers` are lower-case names with values.
    """

    number: int
    status: int
    failed: bool
    milliseconds: float
    headers: Headers
    body: bytes


def pack(kind: Kind, payload: bytes = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(kind, len(payload)) + payload


def pack_json(kind: Kind, content: object) -> bytes:
    """One frame of JSON."""
    return pack(kind, json.dumps(content).encode())


def pack_requests(requests: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """One SCORE frame of (id, body) pairs, in pieces to be written one after another; the bodies are not copied."""
    sizes = [_REQUEST.pack(len(request_id), len(body)) for request_id, body in requests]
    total = _COUNT.size + _REQUEST.size * len(requests) + sum(len(name) + len(body) for name, body in requests)
    pieces = [_HEAD.pack(Kind.SCORE, total) + _COUNT.pack(len(requests)) + b"".join(sizes)]
    for pair in requests:
        pieces.extend(pair)
    return pieces


def unpack_requests(payload: bytes) -> list[Request]:
    """The requests of a SCORE frame; the bodies are views into the payload."""
    view = memoryview(payload)
    (count,) = _COUNT.unpack_from(view)
    at = _COUNT.size + _REQUEST.size * count
    requests = []
    for id_length, body_length in _REQUEST.iter_unpack(view[_COUNT.size : at]):
        body = at + id_length
        requests.append(Request(str(view[at:body], "latin-1"), view[body : body + body_length]))
        at = body + body_length
    return requests


def pack_scored(scored: Sequence[Scored]) -> list[bytes]:
    """One SCORED frame, in pieces to be written one after another."""
    sizes = []
    content: list[bytes] = []
    for item in scored:
        headers = b"" if item.headers == JSON_HEADERS else _header_block(item.headers)
        sizes.append(
            _SCORED.pack(item.number, item.status, item.failed, item.milliseconds, len(headers), len(item.body))
        )
        if headers:
            content.append(headers)
        content.append(item.body)
    total = _COUNT.size + _SCORED.size * len(scored) + sum(map(len, content))
    return [_HEAD.pack(Kind.SCORED, total) + _COUNT.pack(len(scored)) + b"".join(sizes), *content]


def unpack_scored(payload: bytes) -> Iterator[Scored]:
    """The answers of a SCORED frame; the bodies are copied out of the payload."""
    view = memoryview(payload)
    (count,) = _COUNT.unpack_from(view)
    at = _COUNT.size + _SCORED.size * count
    for number, status, failed, milliseconds, headers_length, body_length in _SCORED.iter_unpack(
        view[_COUNT.size : at]
    ):
        body = at + headers_length
        headers = _headers(payload[at:body]) if headers_length else JSON_HEADERS
        at = body + body_length
        yield Scored(number, status, bool(failed), milliseconds, headers, payload[body:at])


def _header_block(headers: Headers) -> bytes:
    return b"".join(name + b":" + text + b"\n" for name, text in headers) or b"\n"


def _headers(block: bytes) -> Headers:
    pairs = (line.partition(b":") for line in block.split(b"\n") if line)
    return [(name, text) for name, _, text in pairs]


class Frames:
    """Takes bytes as they come off the socket, gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[Kind, bytes]]:
        """The frames that `data` completes."""
        self._buffer += data
        frames = []
        start = 0
        while len(self._buffer) - start >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._buffer, start)
            end = start + _HEAD.size + length
            if len(self._buffer) < end:
                break
            payload = bytes(memoryview(self._buffer)[start + _HEAD.size : end])
            start = end
            frames.append((Kind(kind), payload))
        del self._buffer[:start]
        return frames


def read(stream: BinaryIO) -> tuple[Kind, bytes] | None:
    """The next frame of a blocking stream, None if the other end has closed it."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    payload = stream.read(length)
    return (Kind(kind), payload) if len(payload) == length else None
