"""What a front sends away of its requests: spans by OTLP, requests to Application Insights. Nothing unless asked for.

The SDKs are those of the extras `otel` and `azure-monitor`. They are loaded only where something is to be sent, and
only as libraries: nothing of theirs is set for the whole process. What ended is put into a bounded queue, and
a thread sends it; where it cannot be sent, a line a minute says so, and nothing waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Protocol

from scorewright.service import daemon_thread, tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.sdk.resources import Resource

    from scorewright.service.rows import RowCount
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target
    from scorewright.service.tracing import Parent, Trace, Tracer

FLUSH_SECONDS = 5.0
"""How long the end of the service may wait for what is not sent yet."""

REPEAT_SECONDS = 60.0
"""How often it is said that sending fails."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_HTTP_PROTOBUF = "http/protobuf"
_LIMIT = 2**64 - 1
_ONE = 2**64
"""A trace is sampled by the lower 64 bits of its id."""


class Sink(Protocol):
    """Where ended requests go. Neither call waits for the network, but for `close()`, which ends."""

    def ended(self, trace: Trace, target: Target, count: RowCount) -> None:
        """A sampled request to this target is over; `count` counts its rows."""

    def close(self) -> None:
        """Send what is left, and stop."""


class Telemetry:
    """What is sent away of one front's requests, whatever it serves, one after another."""

    def __init__(
        self,
        sinks: list[Sink],
        sample: Callable[[int, Parent | None], bool],
        logger: logging.Logger,
        *,
        keep_bytes: int,
    ) -> None:
        self._sinks = sinks
        self._log = logger
        self._sample = sample
        self._keep_bytes = keep_bytes

    @classmethod
    def of(cls, settings: Settings, target: Target, logger: logging.Logger) -> Telemetry | None:
        """What the settings and OpenTelemetry's environment variables ask for. What cannot be had is logged.

        It is under the name of the first target.
        """
        if _on("OTEL_SDK_DISABLED") or not (asked_by_otel(os.environ) or settings.app_insights_asked):
            return None
        relay(("opentelemetry", "azure"), logger, secrets_of(settings))
        sinks: list[Sink] = []
        if asked_by_otel(os.environ):
            sinks += _otlp(target, logger)
        if settings.app_insights_asked:
            sinks += _app_insights(settings, target, logger)
        if not sinks:
            return None
        keep = max((getattr(sink, "keep_bytes", 0) for sink in sinks), default=0)
        return cls(sinks, sampler(os.environ, logger), logger, keep_bytes=keep)

    def tracer(self, target: Target, count: RowCount) -> Tracer:
        """What leads the requests to a target here."""

        def ended(trace: Trace) -> None:
            for sink in self._sinks:
                sink.ended(trace, target, count)

        return tracing.Tracer(self._sample, ended, keep_bytes=self._keep_bytes)

    async def close(self) -> None:
        """Send what is left, for FLUSH_SECONDS at most."""
        sent = [daemon_thread.run(sink.close) for sink in self._sinks]
        _, pending = await asyncio.wait(sent, timeout=FLUSH_SECONDS)
        if pending:
            self._log.warning("What was left of traces could not be sent within %g s.", FLUSH_SECONDS)


def asked_by_otel(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables ask for traces: an endpoint, or the exporter by its name, and not `none`."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter == "otlp" or (not exporter and any(environment.get(name) for name in _ENDPOINTS))


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """What must not be in the log, of what is sent with telemetry."""
    headers = [os.environ.get(f"OTEL_EXPORTER_OTLP_{word}HEADERS", "") for word in ("", "TRACES_")]
    values = [part.partition("=")[2].strip() for header in headers for part in header.split(",")]
    key = settings.app_insights_key
    words = () if key is None else secrets_of_key(key.get_secret_value())
    return (*(value for value in values if len(value) > 3), *words)


def secrets_of_key(key: str) -> tuple[str, ...]:
    """What is secret in a key for Application Insights, or a connection string: what looks like no address."""
    words = [part.partition("=")[2] or part for part in key.split(";")]
    return tuple(word for word in words if len(word) > 7 and "://" not in word)


def relay(names: Iterable[str], logger: logging.Logger, secrets: tuple[str, ...]) -> None:
    """Have these loggers' warnings end in the service's log: a line of each, now and then."""
    handler = _Relay(logger, secrets)
    for name in names:
        library = logging.getLogger(name)
        library.handlers = [handler]
        library.propagate = False


class _Relay(logging.Handler):
    """Says what a library has to say of its failures, shortly, without secrets, and not again and again."""

    def __init__(self, logger: logging.Logger, secrets: tuple[str, ...]) -> None:
        super().__init__(logging.WARNING)
        self._log = logger
        self._secrets = secrets
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """logging.Handler."""
        kind = str(record.msg)
        now = time.monotonic()
        if now - self._said.get(kind, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        self._said[kind] = now
        text = record.getMessage().partition("\n")[0][:500]
        if record.exc_info and record.exc_info[1] is not None:
            text += f" {record.exc_info[1]!r:.500}"
        for secret in self._secrets:
            text = text.replace(secret, "…")
        self._log.warning("Telemetry: %s (not said again for %g s)", text, REPEAT_SECONDS)


def _on(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() == "true"


def sampler(environment: Mapping[str, str], logger: logging.Logger) -> Callable[[int, Parent | None], bool]:
    """OTEL_TRACES_SAMPLER and its argument; unless set, the client decides, and without its word all are sampled.

    Contract: opentelemetry-sdk 1.45, trace/sampling.py, whose samplers take several times as long to say the same.
    """
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
    root = name.removeprefix("parentbased_")
    if root not in {"always_on", "always_off", "traceidratio"}:
        logger.warning("OTEL_TRACES_SAMPLER is %r, which is no sampler: parentbased_always_on is taken.", name)
        name, root = "parentbased_always_on", "always_on"
    below = 0 if root == "always_off" else _ONE
    if root == "traceidratio":
        below = round(_ratio(environment.get("OTEL_TRACES_SAMPLER_ARG", ""), logger) * _ONE)
    if name == root:
        return lambda trace_id, _: trace_id & _LIMIT < below
    return lambda trace_id, parent: trace_id & _LIMIT < below if parent is None else parent.sampled


def _ratio(told: str, logger: logging.Logger) -> float:
    try:
        ratio = float(told)
    except ValueError:
        ratio = -1.0
    if 0 <= ratio <= 1:
        return ratio
    logger.warning("OTEL_TRACES_SAMPLER_ARG is %r, it must be a number from 0 to 1: 1 is taken.", told)
    return 1.0


def _otlp(target: Target, logger: logging.Logger) -> list[Sink]:
    protocol = next((os.environ[name] for name in reversed(_PROTOCOLS) if os.environ.get(name)), _HTTP_PROTOBUF)
    if protocol != _HTTP_PROTOBUF:
        logger.error(
            "No traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL is %r. Set it to %s, and the endpoint to its port (4318).",
            protocol,
            _HTTP_PROTOBUF,
        )
        return []
    try:
        from scorewright.service.otlp import OtlpSink
    except ImportError as error:
        logger.error("No traces are sent: %s. Install it: pip install 'scorewright[otel]'.", error)
        return []
    return [OtlpSink.of(target)]


def _app_insights(settings: Settings, target: Target, logger: logging.Logger) -> list[Sink]:
    try:
        from scorewright.service.app_insights import AppInsightsSink

        return [AppInsightsSink.of(settings, target)]
    except ImportError as error:
        hint = "Install it: pip install 'scorewright[azure-monitor]'."
        logger.error("Nothing is sent to Application Insights: %s. %s", error, hint)
    except ValueError:
        # Azure's server goes on, too. The words of the error may hold the key.
        logger.error(
            "Nothing is sent to Application Insights: AML_APP_INSIGHTS_KEY is neither an instrumentation key "
            "(a UUID) nor a connection string."
        )
    return []


def resource(name: str) -> Resource:
    """Who sends: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, and what they leave open as the service knows it."""
    from opentelemetry.sdk.resources import Resource

    told = Resource.create()
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        told = told.merge(Resource({"service.name": name}))
    return Resource({"process.pid": os.getpid()}).merge(told)
