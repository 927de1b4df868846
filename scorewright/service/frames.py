"""What the processes say to each other over their Unix sockets: length-prefixed binary frames. Pure.

    frame    kind u8 · payload length u64 · payload
    START    front to scorer   JSON: what to load
    READY    scorer to front   JSON: what the script is like
    FAILED   scorer to front   JSON: message and hint of the error that ended the start
    SCORE    front to scorer   count u32 · count x (id length u16 · head length u32 · body length u32 ·
                               deadline f64 · budget f64 · trace length u8) · count x (id · head · body · trace)
    SCORED   scorer to front   count u32 · count x (number u32 · status u16 · flags u8 · milliseconds f64 ·
                               headers length u32 · body length u32) · count x (headers · body)
    PIECE    scorer to front   number u32 · last u8 · body
    CANCEL   front to scorer   number u32
    CHANNEL  main to scorer    JSON: the number of one more front; the descriptor of a socket to it comes along
    SERVE    main to front     JSON: the settings, the keys' hashes, the TLS certificate and its key, and what is served
    SCORER   main to front     JSON: its number and its generation, what the script is like; the descriptors of a socket
                               to it and of its status come along
    RETIRE   main to front     JSON: the number of a scorer: give it nothing more, hang up once it has answered; DONE
    GONE     main to front     JSON: the number of a scorer that has ended
    CLOSED   main to front     JSON: a generation, and why no scorer of it can be had
    PREPARE  main to front     JSON: a generation, and what it serves: be ready for it, beside what is served
    SWAP     main to front     JSON: a generation: serve it from now on; DONE
    FINISH   main to front     JSON: a generation that was served: answer what it has accepted; DONE
    DROP     main to front     JSON: a generation that was prepared, and is not to be served
    DONE     front to main     JSON: the ticket of what it was told and has done
    DRAIN    main to front     nothing: answer what has been accepted, then end
    HURRY    main to front     nothing: end now

All numbers are big-endian. A deadline is time.monotonic()'s, a budget the milliseconds that end there; both are
infinite where there is none. A SCORE is answered by one SCORED or by several, until every number has its answer: what
has been scored is out of the scorer before the next request can kill it. Bodies cross unparsed.

The head of a request is empty where the body is all that is needed, else JSON; its trace is a traceparent (W3C Trace
Context), or empty. An answer flagged as `more` goes on in PIECEs until one is the LAST, or says that the script BROKE;
CANCEL asks to make no more of them.
"""

from __future__ import annotations

import json
import math
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD = struct.Struct("!BQ")
HEAD_BYTES = _HEAD.size
_COUNT = struct.Struct("!I")
_REQUEST = struct.Struct("!HIIddB")
_SCORED = struct.Struct("!IHBdII")
_PIECE = struct.Struct("!IB")
_FAILED, _MORE, _LATE = 1, 2, 4

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
    PIECE = 6
    CANCEL = 7
    CHANNEL = 8
    SERVE = 9
    SCORER = 10
    GONE = 11
    CLOSED = 12
    DRAIN = 13
    HURRY = 14
    RETIRE = 15
    PREPARE = 16
    SWAP = 17
    FINISH = 18
    DROP = 19
    DONE = 20


class End(IntEnum):
    """Whether a piece of an answer is its last."""

    NOT_YET = 0
    LAST = 1
    BROKE = 2


class Ready(NamedTuple):
    """What a scorer tells of its script once init() is done.

    `run_many`: it can be given several requests at once. `needs_request`: run() is given more of a request than its
    body. `any_method`: run() is given requests of every method. `swagger`: the schemas of its decorators and
    the user's own files, by version.
    """

    run_many: bool = False
    needs_request: bool = False
    any_method: bool = False
    swagger: dict[str, Any] | None = None


class Outgoing(NamedTuple):
    """One request as the front gives it: its id, its head, its body, by when it must be answered, and its trace."""

    id: bytes
    head: bytes
    body: bytes
    deadline: float = math.inf
    budget_ms: float = math.inf
    trace: bytes = b""


class Request(NamedTuple):
    """One request as the scorer gets it: its id, head, undecoded body, by when it must be answered, and its trace."""

    id: str
    head: memoryview
    body: memoryview
    deadline: float = math.inf
    budget_ms: float = math.inf
    trace: str = ""


class Scored(NamedTuple):
    """The answer to the request that was number `number`, from 0, in its SCORE.

    `milliseconds` is the time run() took, or NOT_RETURNED. `headers` are lower-case names with values. `more` says
    that the body goes on in pieces, `late` that it is no answer of run()'s: it took too long.
    """

    number: int
    status: int
    failed: bool
    milliseconds: float
    headers: Headers
    body: bytes
    more: bool = False
    late: bool = False


class Piece(NamedTuple):
    """A piece of the body of the answer to request `number`."""

    number: int
    end: End
    body: bytes


def pack(kind: Kind, payload: bytes = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(kind, len(payload)) + payload


def unpack_head(head: bytes) -> tuple[Kind, int]:
    """The kind of a frame and the length of its payload, from its first HEAD_BYTES."""
    kind, length = _HEAD.unpack(head)
    return Kind(kind), length


def pack_json(kind: Kind, content: object) -> bytes:
    """One frame of JSON."""
    return pack(kind, json.dumps(content).encode())


def pack_requests(requests: Sequence[Outgoing]) -> list[bytes]:
    """One SCORE frame, in pieces to be written one after another; the bodies are not copied."""
    sizes = []
    pieces = [b""]
    for request_id, head, body, deadline, budget_ms, trace in requests:
        sizes.append(_REQUEST.pack(len(request_id), len(head), len(body), deadline, budget_ms, len(trace)))
        pieces += (request_id, head, body, trace)
    total = _COUNT.size + _REQUEST.size * len(requests) + sum(map(len, pieces))
    pieces[0] = _HEAD.pack(Kind.SCORE, total) + _COUNT.pack(len(requests)) + b"".join(sizes)
    return pieces


def unpack_requests(payload: bytes) -> list[Request]:
    """The requests of a SCORE frame; heads and bodies are views into the payload."""
    view = memoryview(payload)
    (count,) = _COUNT.unpack_from(view)
    at = _COUNT.size + _REQUEST.size * count
    requests = []
    for id_length, head_length, body_length, deadline, budget_ms, trace_length in _REQUEST.iter_unpack(
        view[_COUNT.size : at]
    ):
        head = at + id_length
        body = head + head_length
        end = body + body_length
        trace = str(view[end : end + trace_length], "latin-1") if trace_length else ""
        request_id = str(view[at:head], "latin-1")
        requests.append(Request(request_id, view[head:body], view[body:end], deadline, budget_ms, trace))
        at = end + trace_length
    return requests


def pack_piece(piece: Piece) -> bytes:
    """One PIECE frame."""
    return pack(Kind.PIECE, _PIECE.pack(piece.number, piece.end) + piece.body)


def unpack_piece(payload: bytes) -> Piece:
    """The piece of a PIECE frame."""
    number, end = _PIECE.unpack_from(payload)
    return Piece(number, End(end), payload[_PIECE.size :])


def pack_cancel(number: int) -> bytes:
    """One CANCEL frame."""
    return pack(Kind.CANCEL, _COUNT.pack(number))


def unpack_cancel(payload: bytes) -> int:
    """The number of the request whose answer a CANCEL frame wants no more of."""
    (number,) = _COUNT.unpack(payload)
    return int(number)


def pack_scored(scored: Sequence[Scored]) -> list[bytes]:
    """One SCORED frame, in pieces to be written one after another."""
    sizes = []
    content: list[bytes] = []
    for item in scored:
        headers = b"" if item.headers == JSON_HEADERS else _header_block(item.headers)
        flags = _FAILED * item.failed | _MORE * item.more | _LATE * item.late
        sizes.append(_SCORED.pack(item.number, item.status, flags, item.milliseconds, len(headers), len(item.body)))
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
    for number, status, flags, milliseconds, headers_length, body_length in _SCORED.iter_unpack(view[_COUNT.size : at]):
        body = at + headers_length
        headers = _headers(payload[at:body]) if headers_length else JSON_HEADERS
        at = body + body_length
        failed, more, late = bool(flags & _FAILED), bool(flags & _MORE), bool(flags & _LATE)
        yield Scored(number, status, failed, milliseconds, headers, payload[body:at], more, late)


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
