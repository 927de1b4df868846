"""Application Insights: requests, prints and failures, as Azure's inference server sends them there.

Contract: azureml-inference-server-http 1.5.1, server/appinsights_client.py: the names in customDimensions. Beyond it,
`resultCode` and `duration` of the request itself are right, where that server sends 0 and the time it took to send.
Imported only where the extra is installed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter, AzureMonitorTraceExporter
from opentelemetry import context
from opentelemetry import trace as otel_trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from scorewright.service import log
from scorewright.service.spans import Spans, attributes, header
from scorewright.service.telemetry import resource

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from scorewright.service.rows import RowCount
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target
    from scorewright.service.tracing import Trace

SEND_MILLISECONDS = 5000.0
SEND_ITEMS = 100
"""When a batch is sent: Azure's server's own."""

LAST_SECONDS = 3.0
"""How long the end of a scorer may wait for what is not sent yet: less than its front gives it."""

KEEP_BYTES = 32 * 1024
"""Of an answer; Application Insights cuts a value at 8192 characters."""

_NOT_TEXT = "Scoring request response payload is a non serializable object or raw binary"
_QUIET = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
}
"""What keeps the exporter from sending figures of its own to Microsoft, and from asking it for settings."""


class AppInsightsSink:
    """Sends a request to the table `requests`, and its input and prediction to `traces` if that is asked for."""

    def __init__(
        self, processor: BatchSpanProcessor, model_data: LoggerProvider | None, settings: Settings, target: Target
    ) -> None:
        self._processor = processor
        self._model_data = model_data
        self._log_response = settings.app_insights_log_response
        self._resource = _resource(settings, target)
        self._model_dir = settings.model_dir
        self._always = {
            "Container Id": _container(),
            "Workspace Name": settings.workspace_name,
            "Service Name": settings.service_name,
        }
        self.keep_bytes = KEEP_BYTES if self._log_response or model_data is not None else 0

    @classmethod
    def of(cls, settings: Settings, target: Target) -> Self:
        """By the key of the settings. Raises ValueError if it is none."""
        given = exporter_options(settings.app_insights_key.get_secret_value() if settings.app_insights_key else "")
        processor = BatchSpanProcessor(
            AzureMonitorTraceExporter(**given),
            schedule_delay_millis=SEND_MILLISECONDS,
            max_export_batch_size=SEND_ITEMS,
        )
        data = provider(given, _resource(settings, target)) if settings.model_dc_storage_enabled else None
        return cls(processor, data, settings, target)

    def ended(self, trace: Trace, target: Target, count: RowCount) -> None:
        """Sink."""
        del count
        ids = self._ids(trace)
        self._processor.on_end(Spans(trace, self._resource).server(self._request(trace, target, ids)))
        if self._model_data is not None and trace.scope["path"] == "/score" and 200 <= trace.status < 400:
            self._send_model_data(trace, target, ids)

    def close(self) -> None:
        """Sink."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]
        if self._model_data is not None:
            self._model_data.shutdown()

    def _ids(self, trace: Trace) -> dict[str, str]:
        answered = trace.answered
        return {
            "Request Id": answered.get(b"x-request-id", b"").decode("latin-1"),
            "Client Request Id": answered.get(b"x-ms-client-request-id", b"").decode("latin-1"),
        }

    def _request(self, trace: Trace, target: Target, ids: dict[str, str]) -> dict[str, Any]:
        scope = trace.scope
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1")
        host = header(scope["headers"], b"host")
        milliseconds = (trace.ended - trace.begun) / 1e6
        told = attributes(trace, target) | {
            **self._always,
            **ids,
            "name": path,
            "url": f"{scope['scheme']}://{host}{path}{'?' if query else ''}{query}",
            "start_time": log.utc(trace.begun / 1e9),
            "duration": duration(milliseconds),
            "resultCode": str(trace.status),
            "success": 0 < trace.status < 400,
            "http_method": scope["method"],
        }
        # It is there under Azure's name for it.
        told.pop("scorewright.request_id", None)
        told.pop("scorewright.version")
        if self._log_response:
            told["Response Value"] = text_of(bytes(trace.answer))
        job = None if trace.place is None else trace.place.job
        if job is not None:
            told |= job.times()
        return told

    def _send_model_data(self, trace: Trace, target: Target, ids: dict[str, str]) -> None:
        job = None if trace.place is None else trace.place.job
        if self._model_data is None or job is None:
            return
        data = {
            **self._always,
            **ids,
            "Models": json.dumps(_models(self._model_dir, target)),
            "Input": json.dumps(job.outgoing.body.decode("utf-8", "replace")),
            "Prediction": text_of(bytes(trace.answer)),
        }
        self._model_data.get_logger("azmlinfsrv.trace").emit(
            timestamp=trace.ended,
            context=_within(trace.traceparent.decode()),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body="model_data_collection",
            attributes=data,
        )


class AppInsightsHandler(logging.Handler):
    """Sends what a script prints, and what fails, to the tables `traces` and `exceptions`, with the request's ids."""

    def __init__(self, given: LoggerProvider, current: log.Current) -> None:
        super().__init__(logging.INFO)
        self._provider = given
        self._current = current
        self._container = _container()

    def filter(self, record: logging.LogRecord) -> bool:
        """logging.Filterer."""
        return record.name == log.PRINTED or record.levelno >= logging.ERROR

    def emit(self, record: logging.LogRecord) -> None:
        """logging.Handler."""
        told: dict[str, Any] = {"Container Id": self._container, "Request Id": self._current.request_id}
        if record.exc_info and record.exc_info[1] is not None:
            told["exception.type"] = type(record.exc_info[1]).__name__
            told["exception.message"] = str(record.exc_info[1])
            told["exception.stacktrace"] = logging.Formatter().formatException(record.exc_info)
        self._provider.get_logger(record.name).emit(
            timestamp=int(record.created * 1e9),
            context=_within(self._current.traceparent),
            severity_number=SeverityNumber.ERROR if record.levelno >= logging.ERROR else SeverityNumber.INFO,
            severity_text=record.levelname,
            body=record.getMessage(),
            attributes=told,
        )

    def close(self) -> None:
        """Send what is left, if that does not take too long."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(LAST_SECONDS)
        super().close()


def exporter_options(key: str) -> dict[str, Any]:
    """What Azure's exporters are given: a key alone, or a connection string; nothing is kept on the disk."""
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    return {
        "connection_string": key if "instrumentationkey=" in key.lower() else f"InstrumentationKey={key}",
        "disable_offline_storage": True,
        "max_envelopes_per_second": 0,
    }


def provider(given: dict[str, Any], told: Resource) -> LoggerProvider:
    """What sends log records, in batches. Raises ValueError if the key is none."""
    made = LoggerProvider(told, shutdown_on_exit=False)
    made.add_log_record_processor(
        BatchLogRecordProcessor(
            AzureMonitorLogExporter(**given),
            schedule_delay_millis=SEND_MILLISECONDS,
            max_export_batch_size=SEND_ITEMS,
        )
    )
    return made


def duration(milliseconds: float) -> str:
    """`[days.]hh:mm:ss.mmm`, as Azure's server has it."""
    left, parts = int(milliseconds), []
    for most in (1000, 60, 60, 24):
        left, part = divmod(left, most)
        parts.append(part)
    millis, seconds, minutes, hours = parts
    told = f"{hours:02d}:{minutes:02d}:{seconds:02d}.{millis:03d}"
    return f"{left}.{told}" if left else told


def text_of(answer: bytes) -> str:
    """An answer as text; bytes that are none are said to be so, in JSON, as Azure's server has it."""
    try:
        return answer.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(answer) - 3 and len(answer) == KEEP_BYTES:
            return answer[: error.start].decode()
        return json.dumps(_NOT_TEXT)


def _within(traceparent: str) -> context.Context:
    if not traceparent:
        return context.Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    span = otel_trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, otel_trace.TraceFlags(int(flags, 16)))
    return otel_trace.set_span_in_context(otel_trace.NonRecordingSpan(span), context.Context())


def _resource(settings: Settings, target: Target) -> Resource:
    # The name of Azure's setting, unless OpenTelemetry's says another.
    return resource(target.name if target.bundle is not None else settings.service_name)


def _container() -> str:
    return os.environ.get("HOSTNAME") or socket.gethostname()


def _models(model_dir: str | None, target: Target) -> list[str]:
    """The models by name and version: the bundle's, or what the folder of Azure's layout says."""
    if target.bundle is not None:
        return [f"{target.name}:{target.version}"]
    if model_dir is None:
        return []
    folder = Path(model_dir)
    if folder.name.isdigit():
        return [f"{folder.parent.name}:{folder.name}"]
    with contextlib.suppress(OSError):
        return [
            f"{version.parent.name}:{version.name}" for version in sorted(folder.glob("*/*")) if version.name.isdigit()
        ]
    return []
