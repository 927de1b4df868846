"""What a load test measured: what the running side hands to the reports, and what is kept as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, Self

from scorewright.errors import LoadTestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import TypeAdapter

ScenarioName = Literal["realtime", "client-batch", "bulk", "mixed"]
Loop = Literal["closed", "open"]


_LEAST_MS = 0.001
_STEP = 1.02
"""Each bucket is 2 % wider than the one below, so a bucket's middle is within 1 % of all that is in it."""
_LOG_STEP = math.log(_STEP)


def bucket_of(milliseconds: float) -> int:
    """The number of the bucket that a latency belongs to; bucket 0 is all up to a microsecond."""
    if milliseconds <= _LEAST_MS:
        return 0
    return 1 + int(math.log(milliseconds / _LEAST_MS) / _LOG_STEP)


@dataclass(frozen=True)
class Histogram:
    """Latencies in milliseconds, as counts of logarithmic buckets: 1 % exact, however many there are."""

    counts: dict[int, int] = field(default_factory=dict)
    """How many fell into each bucket, by its number (`bucket_of`)."""
    sum_ms: float = 0.0
    least_ms: float = 0.0
    greatest_ms: float = 0.0

    @classmethod
    def of(cls, milliseconds: Iterable[float]) -> Self:
        """The histogram of so many latencies."""
        values = list(milliseconds)
        counts: dict[int, int] = {}
        for value in values:
            bucket = bucket_of(value)
            counts[bucket] = counts.get(bucket, 0) + 1
        return cls(counts, math.fsum(values), min(values, default=0.0), max(values, default=0.0))

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Self:
        """The histogram of all that is in the parts."""
        counts: dict[int, int] = {}
        full = [part for part in parts if part.counts]
        for part in full:
            for bucket, count in part.counts.items():
                counts[bucket] = counts.get(bucket, 0) + count
        return cls(
            counts,
            math.fsum(part.sum_ms for part in full),
            min((part.least_ms for part in full), default=0.0),
            max((part.greatest_ms for part in full), default=0.0),
        )

    @property
    def total(self) -> int:
        """How many latencies there are."""
        return sum(self.counts.values())

    @property
    def mean_ms(self) -> float | None:
        """Their mean; None if there are none."""
        total = self.total
        return self.sum_ms / total if total else None

    def percentile(self, percent: float) -> float | None:
        """The latency in milliseconds that so many percent do not exceed; None if there are none."""
        if not (total := self.total):
            return None
        wanted = max(1, math.ceil(percent / 100 * total - 1e-9))
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                break
        if wanted >= total:
            return self.greatest_ms
        middle = _LEAST_MS * _STEP ** (bucket - 0.5)
        return float(min(max(middle, self.least_ms), self.greatest_ms))


@dataclass(frozen=True)
class Point:
    """One second of a scenario. Percentiles are milliseconds, None where nothing was answered rightly."""

    second: int
    """From the first counted second, 0; a request belongs to the second in which it was to be sent."""
    requests: int
    failures: int
    answered: int
    """Right answers that came in this second, whenever their requests were to be sent."""
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Generator:
    """Whether the load generator itself kept up."""

    processes: int
    cpu_share: float
    """Of a core, by the busiest of its processes: 1.0 is all that one process can have."""
    behind_seconds: float
    """Open loop: how late the latest request was sent because the generator was busy; 0 in a closed loop."""
    limited: bool
    """Whether the generator, not the server, may have been the limit."""
    words: str
    """Why, in a sentence; empty unless limited."""


@dataclass(frozen=True)
class Bulk:
    """One batch job, from its submission to its fetched result."""

    job_id: str
    rows: int
    failed_rows: int
    seconds: float
    """From the submission until the job was told to be done, as the client saw it."""
    fetch_seconds: float
    """The time to fetch the result, after that."""

    @property
    def rows_per_second(self) -> float:
        """Rows scored a second, over the job's own time and the fetching."""
        took = self.seconds + self.fetch_seconds
        return (self.rows - self.failed_rows) / took if took else 0.0


@dataclass(frozen=True)
class Step:
    """One step of a ramp."""

    users: int
    """Closed loop: how many asked at once. Open loop: 0."""
    rate: float | None
    """Open loop: requests a second that were to be sent. Closed loop: None."""
    seconds: float
    requests: int
    failures: int
    answered: int
    """Right answers that came within its seconds."""
    latency: Histogram
    """Of what was answered rightly, however late."""
    generator: Generator

    @property
    def requests_per_second(self) -> float:
        """Right answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Scenario:
    """One scenario with one number of rows a request. `seconds` and all counts are without the warm-up."""

    name: ScenarioName
    label: str
    """In words, e.g. "10 rows a request"; unique among a run's scenarios of the same name."""
    rows_per_request: int
    """Of `bulk`: the job's rows."""
    loop: Loop
    users: int
    """Closed loop: how many ask at once. Open loop: 0. Of a ramp: the most."""
    rate: float | None
    """Open loop: requests a second that are to be sent, of a ramp the most. Closed loop: None."""
    seconds: float
    requests: int
    """All that ended: answered rightly, wrongly, or not at all."""
    failures: dict[str, int]
    """What went wrong, in a few words ("HTTP 503", "wrong answer", "no connection"), and how often."""
    wrong_answers: int
    """Answered 200, but not with the right answer; they are among `failures`, too."""
    answered: int
    """Right answers that came within `seconds`: a server that is asked too much goes on answering afterwards."""
    latency: Histogram
    """Of what was answered rightly, however late. Open loop: from the time at which it should have been sent."""
    bytes_sent: int
    bytes_received: int
    timeline: tuple[Point, ...]
    generator: Generator
    ramp: tuple[Step, ...] = ()
    """The steps, if the load was raised; the counts above are then those of all steps together."""
    bulk: Bulk | None = None
    """The job: of `bulk`, and of `mixed`."""
    idle_latency: Histogram | None = None
    """Of `mixed`: the same requests before the job was submitted."""
    answers_checked: bool = False
    """Whether each answer was compared with the right one, and not only looked at for its form."""
    examples: dict[str, str] = field(default_factory=dict)
    """What the first failure of a kind said, by the kinds of `failures`."""

    @property
    def counted_timeline(self) -> tuple[Point, ...]:
        """The seconds that the counts are of: of `mixed` the last ones, while the job ran; else all."""
        return self.timeline[-max(1, round(self.seconds)) :] if self.name == "mixed" else self.timeline

    @property
    def failed(self) -> int:
        """How many requests failed, wrong answers among them."""
        return sum(self.failures.values())

    @property
    def rows(self) -> int:
        """How many rows were answered rightly."""
        if self.name == "bulk":
            return self.bulk.rows - self.bulk.failed_rows if self.bulk else 0
        return (self.requests - self.failed) * self.rows_per_request

    @property
    def requests_per_second(self) -> float:
        """Right answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def rows_per_second(self) -> float:
        """Rows a second that were answered rightly; of `bulk`, the job's own."""
        if self.name == "bulk":
            return self.bulk.rows_per_second if self.bulk else 0.0
        return self.requests_per_second * self.rows_per_request

    @property
    def peak_rows_per_second(self) -> float:
        """The same; of a ramp, in its fastest step."""
        steps = [step.requests_per_second * self.rows_per_request for step in self.ramp]
        return max(steps, default=self.rows_per_second)

    @property
    def held_back(self) -> bool:
        """Whether it did all that was asked, at a fixed rate: its throughput is then the rate, not what it can do."""
        last = self.ramp[-1] if self.ramp else self
        return last.rate is not None and last.requests_per_second > 0.97 * last.rate

    @property
    def error_share(self) -> float:
        """The share of requests (of `bulk`, if more, of rows) that failed, 0 to 1; 1 if there was none at all."""
        rows = self.bulk.failed_rows / self.bulk.rows if self.name == "bulk" and self.bulk and self.bulk.rows else 0.0
        return max(self.failed / self.requests, rows) if self.requests else 1.0

    @property
    def cost_to_p99(self) -> float | None:
        """Of `mixed`: p99 while the job ran, over p99 before it; None if either is unknown."""
        before = self.idle_latency.percentile(99) if self.idle_latency else None
        during = self.latency.percentile(99)
        return during / before if before and during is not None else None


@dataclass(frozen=True)
class Environment:
    """What was asked, and from where. All are for people to read."""

    versions: dict[str, str]
    """Of scorewright, locust and python on the generating side."""
    machine: dict[str, str]
    """Of the generating side: system, processor, cores."""
    server: dict[str, str]
    """What the endpoint says of itself: its headers, and the model's name and version where it tells them."""


@dataclass(frozen=True)
class Run:
    """A whole load test."""

    url: str
    """The scoring URL, without any key or password."""
    started: str
    """ISO 8601, UTC."""
    seconds: float
    """The whole run, warm-ups included."""
    environment: Environment
    settings: dict[str, str | int | float | bool | None]
    """What the command was told, by the names of its flags. Never a key."""
    scenarios: tuple[Scenario, ...]
    schema_version: Literal[1] = 1

    def to_json(self) -> str:
        """Itself as JSON, for `from_json`."""
        return _adapter().dump_json(self, indent=2).decode()

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str) -> Run:
        """What `to_json` wrote. `where` names the file; raises LoadTestError if it holds something else."""
        from pydantic import ValidationError

        try:
            return _adapter().validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            raise LoadTestError(
                f"{where} holds no measurements of a load test: {f'{place}: ' if place else ''}{first['msg']}.",
                hint="Name the report.json in a report's folder, as this version of scorewright writes it.",
            ) from None


@cache
def _adapter() -> TypeAdapter[Run]:
    from pydantic import TypeAdapter

    return TypeAdapter(Run)
