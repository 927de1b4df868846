"""What the requests came to, second by second: counted in each generator process, added up in one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scorewright.loadtests.measurements import Histogram, Point, bucket_of

WRONG = "wrong answer"


@dataclass
class Cell:
    """One second. Latencies (milliseconds) are of what was answered rightly."""

    requests: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    sum_ms: float = 0.0
    least_ms: float = float("inf")
    greatest_ms: float = 0.0
    sent: int = 0
    received: int = 0
    answered: int = 0
    """How many right answers came in this second, whenever their requests were to be sent."""

    def add(self, latency_ms: float, failure: str, sent: int, received: int) -> None:
        """Count one request; `failure` is empty if it was answered rightly. Sizes are bytes."""
        self.requests += 1
        self.sent += sent
        self.received += received
        if failure:
            self.failures[failure] = self.failures.get(failure, 0) + 1
            return
        bucket = bucket_of(latency_ms)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.sum_ms += latency_ms
        self.least_ms = min(self.least_ms, latency_ms)
        self.greatest_ms = max(self.greatest_ms, latency_ms)

    def merge(self, other: Cell) -> None:
        """Add another's counts."""
        self.requests += other.requests
        self.sent += other.sent
        self.received += other.received
        self.answered += other.answered
        self.sum_ms += other.sum_ms
        self.least_ms = min(self.least_ms, other.least_ms)
        self.greatest_ms = max(self.greatest_ms, other.greatest_ms)
        for kind, count in other.failures.items():
            self.failures[kind] = self.failures.get(kind, 0) + count
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    @property
    def latency(self) -> Histogram:
        """Its latencies."""
        return (
            Histogram(dict(self.counts), self.sum_ms, self.least_ms, self.greatest_ms) if self.counts else Histogram()
        )

    def point(self, second: int) -> Point:
        """Itself as a point of a timeline."""
        latency = self.latency
        p50, p95, p99 = (latency.percentile(percent) for percent in (50, 95, 99))
        return Point(second, self.requests, sum(self.failures.values()), self.answered, p50, p95, p99)

    def to_wire(self) -> list[Any]:
        """Itself as lists and numbers, for `from_wire`: Locust's messages have only text for keys."""
        least = self.least_ms if self.counts else 0.0
        sizes = [self.requests, self.sum_ms, least, self.greatest_ms, self.sent, self.received, self.answered]
        return [sizes, self.failures, [[bucket, count] for bucket, count in self.counts.items()]]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Cell:
        """What `to_wire` made."""
        (requests, sum_ms, least, greatest, sent, received, answered), failures, counts = wire
        of = {int(bucket): int(count) for bucket, count in counts}
        return cls(
            requests, dict(failures), of, sum_ms, least if of else float("inf"), greatest, sent, received, answered
        )


@dataclass
class Recorder:
    """One process's counts, or those of several. Seconds are numbered from the end of the warm-up."""

    cells: dict[int, Cell] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    """What the first failure of each kind said."""
    behind_seconds: float = 0.0
    """How late the latest request was sent though a connection was free."""
    late: int = 0
    """How many requests were sent more than LATE_SECONDS late though a connection was free."""
    cpu_share: float = 0.0
    """Of a core, while it was counted: by the busiest process."""
    done: bool = False
    """Whether every counted request has ended."""

    def add(self, second: int, latency_ms: float, failure: str, sent: int, received: int, example: str = "") -> None:
        """Count one request in its second."""
        if failure and second >= 0:
            self.examples.setdefault(failure, example)
        if (cell := self.cells.get(second)) is None:
            cell = self.cells[second] = Cell()
        cell.add(latency_ms, failure, sent, received)

    def answered(self, second: int) -> None:
        """Count a right answer in the second in which it came."""
        self.cells.setdefault(second, Cell()).answered += 1

    def behind(self, seconds: float) -> None:
        """Note that a request was sent so late though a connection was free."""
        self.behind_seconds = max(self.behind_seconds, seconds)
        self.late += seconds > LATE_SECONDS

    def merge(self, other: Recorder) -> None:
        """Add another's counts. `done` is left: it is of one process."""
        for second, cell in other.cells.items():
            self.cells.setdefault(second, Cell()).merge(cell)
        self.examples = {**other.examples, **self.examples}
        self.behind_seconds = max(self.behind_seconds, other.behind_seconds)
        self.late += other.late
        self.cpu_share = max(self.cpu_share, other.cpu_share)

    def counted(self, first: int = 0, last: int | None = None) -> Cell:
        """All seconds from `first` up to, and without, `last` in one; without the warm-up."""
        total = Cell()
        for second, cell in self.cells.items():
            if second >= first and (last is None or second < last):
                total.merge(cell)
        return total

    def to_wire(self) -> dict[str, Any]:
        """Itself as JSON knows it, for `from_wire`."""
        return {
            "cells": [[second, cell.to_wire()] for second, cell in self.cells.items()],
            "examples": self.examples,
            "behind_seconds": self.behind_seconds,
            "late": self.late,
            "cpu_share": self.cpu_share,
            "done": self.done,
        }

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Recorder:
        """What `to_wire` made."""
        return cls(**{**wire, "cells": {int(second): Cell.from_wire(cell) for second, cell in wire["cells"]}})


LATE_SECONDS = 0.01
"""What is sent so late was not sent in time; timers wake a process up to a millisecond or two late."""
