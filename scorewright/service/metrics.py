"""What the service tells of itself, as Prometheus takes it. Whichever front is asked, it is the sum over all."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from scorewright import __version__, memory
from scorewright.errors import RequestError
from scorewright.service.batch.stored_job import State
from scorewright.service.counters import (
    GONE,
    HANDED,
    IN_FLIGHT,
    PID,
    QUEUE_TIMEOUTS,
    SCORED,
    TIMEOUTS,
    WAITING,
    Ended,
    Kind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from scorewright.service.batch.jobs import Jobs
    from scorewright.service.counters import Counters
    from scorewright.service.engine import Engine
    from scorewright.service.histogram import Histogram
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

ROUTES = {Kind.SCORE: "/score", Kind.V2: "/v2", Kind.OTHER: "other"}

_EXPECTED = (200, 400, 429, 500, 503)
"""Statuses that are told from the start: a rate cannot be seen of what begins with its first one."""


class Metrics(Collector):
    """Made into text when somebody asks; until then what is counted are numbers in memory."""

    def __init__(self, counters: Counters, engine: Engine, jobs: Jobs, target: Target, settings: Settings) -> None:
        self._counters = counters
        self._engine = engine
        self._jobs = jobs
        self._target = target
        self._settings = settings

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: Prometheus' format, or OpenMetrics if Accept asks for it. Blocks."""
        encode, content_type = choose_encoder(accept)
        return encode(self), content_type

    def collect(self) -> Iterator[Metric]:
        """Every metric with its samples."""
        yield from self._requests()
        yield from self._queue()
        yield from self._scorers()
        yield from self._memory()
        yield from self._model()

    def _requests(self) -> Iterator[Metric]:
        fronts = self._counters.fronts
        answers = CounterMetricFamily(
            "scorewright_requests", "Requests that were answered, by route and status.", labels=["route", "status"]
        )
        for kind, route in ROUTES.items():
            sums = [sum(counts) for counts in zip(*(front.statuses(kind) for front in fronts), strict=True)]
            for status, count in enumerate(sums):
                if count or (kind in SCORED and status in _EXPECTED):
                    answers.add_metric([route, str(status)], count)
        yield answers
        latency = HistogramMetricFamily(
            "scorewright_request_duration_seconds",
            "Time from a request's arrival to its answer, or to the first piece of it; of those that were scored, "
            "or failed in being scored.",
            labels=["route"],
        )
        for kind in SCORED:
            latency.add_metric([ROUTES[kind]], *_summed(front.latency[kind] for front in fronts))
        yield latency
        yield _counter("scorewright_clients_gone", "Requests dropped since their client had left.", self._sum(GONE))
        yield _counters(
            "scorewright_timeouts",
            "Requests whose time was over, by the setting that limits it.",
            "limit",
            {"scoring_timeout_ms": self._sum(TIMEOUTS), "max_queue_wait_ms": self._sum(QUEUE_TIMEOUTS)},
        )

    def _queue(self) -> Iterator[Metric]:
        fronts = self._counters.fronts
        yield _histogram(
            "scorewright_queue_wait_seconds",
            "Time that a request waited until it was given to a scorer.",
            (front.queue_wait for front in fronts),
        )
        yield _histogram(
            "scorewright_run_duration_seconds",
            "Time of each run() or run_many() that returned.",
            (front.run_time for front in fronts),
        )
        yield _histogram(
            "scorewright_batch_requests",
            "Requests that a scorer was given at once.",
            (front.batch_size for front in fronts),
        )
        waiting = self._sum(WAITING) + self._sum(HANDED)
        yield GaugeMetricFamily("scorewright_queue_requests", "Requests that wait for a scorer.", waiting)
        yield GaugeMetricFamily(
            "scorewright_in_flight_requests",
            "Requests that are accepted and not answered: those that wait, and those that are being scored.",
            self._sum(IN_FLIGHT),
        )
        yield GaugeMetricFamily(
            "scorewright_max_requests",
            "Requests that may be in flight: max_concurrent_requests_per_instance.",
            self._settings.max_concurrent_requests_per_instance,
        )

    def _scorers(self) -> Iterator[Metric]:
        main = self._counters.main
        yield GaugeMetricFamily(
            "scorewright_ready", "Whether requests are scored, as /readyz says it.", int(self._engine.ready)
        )
        yield GaugeMetricFamily("scorewright_scorers", "Scorers that are alive and ready.", main.ready)
        yield GaugeMetricFamily(
            "scorewright_scorers_wanted", "Scorers that there should be: WORKER_COUNT.", self._settings.worker_count
        )
        yield _counters(
            "scorewright_scorer_restarts",
            "Scorers that had to be replaced, by how they ended; not_started are replacements that failed.",
            "reason",
            {how.name.lower(): main.scorers_replaced(how) for how in Ended},
        )
        yield GaugeMetricFamily("scorewright_fronts", "Front processes that are alive.", len(self._pids()))
        yield _counter("scorewright_front_restarts", "Fronts that had to be replaced.", main.fronts_replaced)

    def _memory(self) -> Iterator[Metric]:
        first, *further = [front.words[PID] for front in self._counters.fronts]
        kinds = {"main": [first], "front": [pid for pid in further if pid], "scorer": self._counters.main.scorers}
        yield _gauges(
            "scorewright_resident_memory_bytes",
            "Memory of the service's processes, by kind; what processes share is counted in each.",
            "process",
            {kind: sum(map(memory.resident, pids)) for kind, pids in kinds.items()},
        )
        limit = memory.available()
        if limit is not None:
            yield GaugeMetricFamily(
                "scorewright_memory_limit_bytes", "Memory that the container may use, or that the machine has.", limit
            )

    def _model(self) -> Iterator[Metric]:
        manifest = None if self._target.bundle is None else self._target.bundle.manifest
        model = {
            "name": self._target.name,
            "version": self._target.version,
            "framework": "" if manifest is None else manifest.framework,
            "runtime": "" if manifest is None else manifest.runtime,
        }
        yield InfoMetricFamily("scorewright_model", "The model that is served.", model)
        yield InfoMetricFamily("scorewright_build", "The version of Scorewright.", {"version": __version__})
        try:
            counts = self._jobs.counts()
        except RequestError:
            # The log and the jobs' own routes say what is wrong with their database; the rest is told all the same.
            return
        states = {state: counts.get(state, 0) for state in get_args(State)}
        yield _gauges("scorewright_batch_jobs", "Batch jobs that are known, by state.", "state", states)

    def _sum(self, word: int) -> int:
        return sum(front.words[word] for front in self._counters.fronts)

    def _pids(self) -> list[int]:
        return [pid for front in self._counters.fronts if (pid := front.words[PID])]


def _counter(name: str, text: str, count: int) -> Metric:
    return CounterMetricFamily(name, text, count)


def _counters(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _histogram(name: str, text: str, parts: Iterable[Histogram]) -> Metric:
    buckets, total = _summed(parts)
    return HistogramMetricFamily(name, text, buckets, total)


def _summed(parts: Iterable[Histogram]) -> tuple[list[tuple[str, float]], float]:
    """Histograms with the same bounds as one: its buckets with their upper bounds, and its sum."""
    histograms = list(parts)
    counts, sums = zip(*(part.read() for part in histograms), strict=True)
    bounds = [*map(str, histograms[0].bounds), "+Inf"]
    return [(bound, sum(own)) for bound, *own in zip(bounds, *counts, strict=True)], sum(sums)
