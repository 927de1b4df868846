"""Spans sent by OTLP over HTTP: endpoint, headers, size of batches and all by OpenTelemetry's own variables."""

from __future__ import annotations

import math
from random import getrandbits
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from scorewright.service.spans import Spans, attributes
from scorewright.service.telemetry import resource

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from scorewright.service.job import Job
    from scorewright.service.rows import RowCount
    from scorewright.service.target import Target
    from scorewright.service.tracing import Trace


class OtlpSink:
    """Makes of each request a span, and one below it for each of its times in the queue and in run()."""

    keep_bytes = 0

    def __init__(self, processor: BatchSpanProcessor, told: Resource) -> None:
        self._processor = processor
        self._resource = told

    @classmethod
    def of(cls, target: Target) -> Self:
        """As OTEL_* ask for."""
        return cls(BatchSpanProcessor(OTLPSpanExporter()), resource(target.name))

    def ended(self, trace: Trace, target: Target, count: RowCount) -> None:
        """Sink."""
        spans = Spans(trace, self._resource)
        job = None if trace.place is None else trace.place.job
        if job is not None:
            taken = trace.ended if math.isinf(job.taken) else _wall(trace, job.taken)
            self._processor.on_end(spans.child("queue", getrandbits(64) or 1, _wall(trace, job.came), taken, {}))
            if not math.isinf(job.taken):
                self._run(trace, spans, job, taken, count(job.outgoing))
        self._processor.on_end(spans.server(attributes(trace, target)))

    def close(self) -> None:
        """Sink."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _run(self, trace: Trace, spans: Spans, job: Job, taken: int, count: int) -> None:
        ended = trace.ended if math.isinf(job.answered) else _wall(trace, job.answered)
        took = job.milliseconds
        # The scorer tells how long run() took; before that, it may have been at work for another front.
        begun = taken if took is None else max(taken, ended - int(took * 1e6))
        told: dict[str, Any] = {"scorewright.batch.size": job.batch, "scorewright.rows": count}
        failed = took is None or trace.status >= 500
        self._processor.on_end(spans.child("run", trace.run_id, begun, ended, told, failed=failed))


def _wall(trace: Trace, moment: float) -> int:
    """A moment of the monotonic clock, on the wall clock, in nanoseconds."""
    return trace.begun + int((moment - trace.begun_at) * 1e9)
