"""What changed of one figure from one load test to another, in numbers and in words."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorewright.loadtests import words

if TYPE_CHECKING:
    from scorewright.loadtests.measurements import Point, Scenario

NOISE = (
    "Noise is twice the standard error of the figure's seconds, of both runs together: by so much the same "
    "server would differ from run to run if nothing around it changed. What a machine does besides can be more; only "
    "repeated runs tell. Bulk jobs and the steps of a ramp are one measurement each, so their noise is not known."
)

TIMES = ("p50", "p95", "p99")
_SECONDS_NEEDED = 5


@dataclass(frozen=True)
class Change:
    """One figure in both runs. Times are milliseconds, errors a share of 1; None is not measured."""

    figure: str
    a: float | None
    b: float | None
    noise: float | None
    """By which the ratio (of errors, the difference) may be off, 0.1 being a tenth; None is not known."""

    @property
    def ratio(self) -> float | None:
        """B by A."""
        return self.b / self.a if self.a and self.b is not None else None

    @property
    def worsening(self) -> float | None:
        """By how much B is worse: 0.1 is a tenth slower, a tenth less or ten points more errors; negative is better."""
        if self.a is None or self.b is None:
            return None
        if self.figure == "errors":
            return self.b - self.a
        if self.ratio is None:
            return None
        return self.ratio - 1 if self.figure in TIMES else 1 - self.ratio

    @property
    def certain(self) -> bool:
        """Whether there is a change, and it is more than noise as far as that is known."""
        return bool(self.worsening) and abs(self.worsening or 0) > (self.noise or 0)

    @property
    def words(self) -> str:
        """What changed, as people say it."""
        if self.worsening is None:
            return "not measured in both"
        if self.figure == "errors":
            told = _points(self.worsening)
        else:
            better, worse = ("faster", "slower") if self.figure in TIMES else ("more", "less")
            percent = f"{abs(100 * self.worsening):.0f} %"
            told = "the same" if percent == "0 %" else f"{percent} {worse if self.worsening > 0 else better}"
        if told == "the same":
            return told
        if self.noise is None:
            return f"{told}, noise not known"
        return told if self.certain else f"{told}, within noise (±{100 * self.noise:.2g} %)"

    @property
    def ratio_words(self) -> str:
        """The ratio, or a dash."""
        return "–" if self.ratio is None else f"{self.ratio:.2f}"

    @property
    def worded_a(self) -> str:
        """The figure in A with its unit."""
        return _worded(self.figure, self.a)

    @property
    def worded_b(self) -> str:
        """The figure in B with its unit."""
        return _worded(self.figure, self.b)

    def too_much(self, allowed: float) -> bool:
        """Whether B is certainly worse by more than is allowed; of errors, by more of A's share than that."""
        if self.worsening is None or not self.certain:
            return False
        return self.worsening > (allowed * (self.a or 0) if self.figure == "errors" else allowed)


def noise(name: str, a: Scenario, b: Scenario) -> float | None:
    """By how much a figure's ratio (of errors, the difference) may be off; None is not known."""
    if name == "errors":
        parts = [one.error_share * (1 - one.error_share) / one.requests for one in (a, b) if one.requests]
        return 2 * math.sqrt(sum(parts))
    if a.name == "bulk":
        return None
    errors = [_standard_error([_in_second(name, point) for point in one.counted_timeline]) for one in (a, b)]
    if errors[0] is None or errors[1] is None:
        return None
    return 2 * math.hypot(errors[0], errors[1])


def _in_second(name: str, point: Point) -> float | None:
    times = {"p50": point.p50_ms, "p95": point.p95_ms, "p99": point.p99_ms}
    return times.get(name, point.answered)


def _standard_error(values: list[float | None]) -> float | None:
    """Of the mean, by the mean; None of too few values."""
    known = [value for value in values if value is not None]
    if len(known) < _SECONDS_NEEDED or not (mean := statistics.fmean(known)):
        return None
    return statistics.stdev(known) / math.sqrt(len(known)) / mean


def _points(difference: float) -> str:
    points = f"{abs(100 * difference):.2g}"
    if not difference:
        return "the same"
    return f"{points} points {'more' if difference > 0 else 'less'} failed"


def _worded(figure: str, value: float | None) -> str:
    if value is None:
        return "–"
    if figure in TIMES:
        return words.latency(value)
    return words.share(value) if figure == "errors" else words.number(value)
