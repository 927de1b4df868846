"""Ended requests as the spans of OpenTelemetry's SDK. Imported only where the extra is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from scorewright import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from scorewright.service.target import Target
    from scorewright.service.tracing import Headers, Trace

SCOPE = InstrumentationScope("scorewright", __version__)

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
_FAILED, _UNSET = Status(StatusCode.ERROR), Status(StatusCode.UNSET)


class Spans:
    """Makes the spans of one trace; each is for a sampled request that is over."""

    def __init__(self, trace: Trace, resource: Resource) -> None:
        self._trace = trace
        self._resource = resource
        parent = trace.parent
        self._state = TraceState.from_header([parent.state]) if parent is not None and parent.state else None

    def server(self, attributes: dict[str, Any]) -> ReadableSpan:
        """The span of the whole request, part of the client's where it has one."""
        trace = self._trace
        parent = trace.parent
        return ReadableSpan(
            name(trace),
            self._context(trace.span_id),
            None if parent is None else SpanContext(trace.trace_id, parent.span_id, True, _SAMPLED, self._state),
            self._resource,
            attributes,
            kind=SpanKind.SERVER,
            status=_FAILED if trace.status >= 500 else _UNSET,
            start_time=trace.begun,
            end_time=trace.ended,
            instrumentation_scope=SCOPE,
        )

    def child(
        self, name: str, span_id: int, begun: int, ended: int, attributes: dict[str, Any], *, failed: bool = False
    ) -> ReadableSpan:
        """A part of the request, from and until these nanoseconds of the wall clock."""
        return ReadableSpan(
            name,
            self._context(span_id),
            self._context(self._trace.span_id),
            self._resource,
            attributes,
            status=_FAILED if failed else _UNSET,
            start_time=begun,
            end_time=max(begun, ended),
            instrumentation_scope=SCOPE,
        )

    def _context(self, span_id: int) -> SpanContext:
        return SpanContext(self._trace.trace_id, span_id, False, _SAMPLED, self._state)


def route(trace: Trace) -> str | None:
    """The route that answered, as there are few of them; None where there was none."""
    scope = trace.scope
    if trace.status in {404, 405}:
        return None
    known = scope.get("route")
    return str(known.path) if known is not None else str(scope["path"])


def name(trace: Trace) -> str:
    """The method and the route, as far as each is one of a few."""
    method = trace.scope["method"] if trace.scope["method"] in _METHODS else "HTTP"
    known = route(trace)
    return f"{method} {known}" if known is not None else method


def attributes(trace: Trace, target: Target) -> dict[str, Any]:
    """What the semantic conventions have of an HTTP server's request, its id, and which version answered it."""
    scope = trace.scope
    method = scope["method"]
    told: dict[str, Any] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "url.path": scope["raw_path"].decode("latin-1"),
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
        "scorewright.version": target.version,
    }
    if (known := route(trace)) is not None:
        told["http.route"] = known
    if scope["client"] is not None:
        told["client.address"] = scope["client"][0]
    if scope["server"] is not None:
        told["server.address"], told["server.port"] = scope["server"][:2]
    if agent := header(scope["headers"], b"user-agent"):
        told["user_agent.original"] = agent
    if trace.status:
        told["http.response.status_code"] = trace.status
    if request_id := trace.answered.get(b"x-request-id"):
        told["scorewright.request_id"] = request_id.decode("latin-1")
    if trace.status >= 500:
        told["error.type"] = str(trace.status)
    elif not trace.status:
        told["error.type"] = "no_answer"
    return told


def header(headers: Headers, wanted: bytes) -> str:
    """The value of a header, or nothing."""
    return next((value.decode("latin-1") for known, value in headers if known == wanted), "")
