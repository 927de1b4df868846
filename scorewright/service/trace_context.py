"""The trace of the request that is being scored, as a script finds it: the current context of OpenTelemetry.

What a script makes spans of, and what its instrumented clients send on, is part of the request's trace then.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def within(traceparent: str, call: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call within a trace, if there is one and the process has loaded OpenTelemetry: else nobody asks."""
    if not traceparent or "opentelemetry.trace" not in sys.modules:
        return call(*arguments, **named)
    from opentelemetry import context, trace

    _, of_trace, of_span, flags = traceparent.split("-")
    parent = trace.SpanContext(int(of_trace, 16), int(of_span, 16), True, trace.TraceFlags(int(flags, 16)))
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(parent)))
    try:
        return call(*arguments, **named)
    finally:
        context.detach(token)
