"""The knee of a ramp: the load up to which more load bought more throughput than it cost in latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorewright.loadtests import words

if TYPE_CHECKING:
    from scorewright.loadtests.measurements import Step

DEFINITION = (
    "The knee is the step of greatest power, which is throughput divided by mean latency (Kleinrock, 1979; of what was "
    "answered rightly). Up to it, more load raised the throughput by a greater factor than the latency; beyond it, "
    "by a smaller one."
)


@dataclass(frozen=True)
class Knee:
    """The step where the power is greatest."""

    step: Step
    last: bool
    """It is the ramp's last step: the true knee may lie beyond what was tried."""


def knee(ramp: tuple[Step, ...]) -> Knee | None:
    """The knee of a ramp, of equals the one of greater load; None if fewer than three steps have right answers."""
    powers = [(power, at) for at, step in enumerate(ramp) if (power := _power(step))]
    if len(powers) < 3:
        return None
    _, at = max(powers)
    return Knee(ramp[at], last=at == len(ramp) - 1)


def knee_words(bend: Knee | None) -> str:
    """What is said of a ramp's knee."""
    if bend is None:
        return "No knee: fewer than three steps have right answers."
    low, high = (words.latency(bend.step.latency.percentile(percent)) for percent in (50, 99))
    speed = words.number(bend.step.requests_per_second)
    told = f"Knee at {words.load(bend.step)}: {speed} requests/s, p50 {low}, p99 {high}."
    return f"{told} It is the last step: the true knee may lie beyond what was tried." if bend.last else told


def _power(step: Step) -> float | None:
    mean = step.latency.mean_ms
    return step.requests_per_second / mean if mean else None
