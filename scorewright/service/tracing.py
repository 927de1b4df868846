"""Traces: of each request a server span, and below it its time in the queue and in run().

All three are made in the front when the request is over, of times that are taken anyway; what a scorer and a script
learn beforehand is their ids, as a traceparent.
Contract: W3C Trace Context 1, and OpenTelemetry's semantic conventions for HTTP servers.
"""

from __future__ import annotations

import re
import time
from random import getrandbits
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from scorewright.service.room import Place

Headers = list[tuple[bytes, bytes]]

UNTRACED = frozenset(("/", "/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"))
"""Paths of probes: they come every few seconds, and nobody looks at them."""

_KEY = "scorewright.trace"
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


class Parent(NamedTuple):
    """The span of the client's that a request is part of; `state` is its tracestate."""

    trace_id: int
    span_id: int
    sampled: bool
    state: str


class Trace:
    """One traced request.

    `begun` is in nanoseconds of the wall clock, `begun_at` the same moment on the monotonic one; `status` is 0 and
    `answered` empty if there was no answer. `answer` is what was kept of its body.
    """

    __slots__ = (
        *("answer", "answered", "begun", "begun_at", "ended", "headers", "parent", "place", "run_id"),
        *("sampled", "scope", "span_id", "status", "trace_id", "traceparent"),
    )

    def __init__(self, scope: Scope, headers: Headers, trace_id: int, parent: Parent | None, *, sampled: bool) -> None:
        self.begun = time.time_ns()
        self.begun_at = time.monotonic()
        self.ended = self.begun
        self.trace_id = trace_id
        self.span_id = getrandbits(64) or 1
        self.run_id = getrandbits(64) or 1
        self.parent = parent
        self.sampled = sampled
        self.traceparent = b"00-%032x-%016x-%02x" % (trace_id, self.run_id, sampled)
        self.headers = [*headers, (b"traceparent", self.traceparent)]
        self.scope = scope
        self.place: Place | None = None
        self.status = 0
        self.answered: dict[bytes, bytes] = {}
        self.answer = bytearray()

    @property
    def hex_id(self) -> str:
        """The trace's id as 32 digits."""
        return f"{self.trace_id:032x}"

    @property
    def response(self) -> bytes:
        """The header traceresponse, by which a client finds this request's span."""
        return b"00-%032x-%016x-%02x" % (self.trace_id, self.span_id, self.sampled)


def of(scope: Scope) -> Trace | None:
    """The trace of a request, if it has one."""
    return scope.get(_KEY)


def read(headers: Headers) -> tuple[Parent | None, Headers]:
    """What a request is part of, and its headers without that. What makes no sense is no parent, and its state gone."""
    told = [value for name, value in headers if name == b"traceparent"]
    if not told:
        return None, [pair for pair in headers if pair[0] != b"tracestate"]
    others = [pair for pair in headers if pair[0] != b"traceparent"]
    parent = _parent(told, headers)
    if parent is None:
        others = [pair for pair in others if pair[0] != b"tracestate"]
    return parent, others


def _parent(told: Sequence[bytes], headers: Headers) -> Parent | None:
    found = _TRACEPARENT.fullmatch(told[0].strip()) if len(told) == 1 else None
    if found is None or found[1] == b"ff" or (found[1] == b"00" and found[5]):
        return None
    trace_id, span_id = int(found[2], 16), int(found[3], 16)
    if not trace_id or not span_id:
        return None
    state = b",".join(value for name, value in headers if name == b"tracestate").decode("latin-1")
    return Parent(trace_id, span_id, bool(int(found[4], 16) & _SAMPLED), state)


class Tracer:
    """Begins and ends the traces of one front.

    `sample` decides on a trace id and its parent, `ended` is called with each sampled trace; `keep_bytes` of an
    answer's body are kept for it.
    """

    def __init__(
        self,
        sample: Callable[[int, Parent | None], bool],
        ended: Callable[[Trace], None],
        *,
        keep_bytes: int = 0,
    ) -> None:
        self._sample = sample
        self._ended = ended
        self._keep = keep_bytes

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have an application answer a request, in a trace."""
        trace = self._begin(scope)
        keep = self._keep if trace.sampled else 0

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
                trace.answered = dict(message["headers"])
                message["headers"] = [*message["headers"], (b"traceresponse", trace.response)]
            elif keep and len(trace.answer) < keep:
                trace.answer += message.get("body", b"")[: keep - len(trace.answer)]
            await send(message)

        # The router writes into it which route it was.
        trace.scope = {**scope, "headers": trace.headers, _KEY: trace}
        try:
            await app(trace.scope, receive, send_traced)
        finally:
            if trace.sampled:
                trace.ended = trace.begun + int((time.monotonic() - trace.begun_at) * 1e9)
                self._ended(trace)

    def _begin(self, scope: Scope) -> Trace:
        parent, headers = read(scope["headers"])
        trace_id = getrandbits(128) or 1 if parent is None else parent.trace_id
        return Trace(scope, headers, trace_id, parent, sampled=self._sample(trace_id, parent))
