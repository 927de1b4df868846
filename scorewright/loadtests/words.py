"""Figures and scenarios as people read them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scorewright.loadtests.measurements import Run, Scenario, ScenarioName, Step

NAMES: dict[ScenarioName, str] = {
    "realtime": "real-time",
    "client-batch": "client-batched",
    "bulk": "bulk",
    "mixed": "real-time beside bulk",
}


def number(value: float) -> str:
    """Three digits that count, so that 0.0123 and 1,234 are both readable."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def latency(milliseconds: float | None) -> str:
    """A time with its unit: 0.42 ms, 312 ms, 12.3 s; a dash for None."""
    if milliseconds is None:
        return "–"
    return f"{number(milliseconds / 1000)} s" if milliseconds >= 999.5 else f"{number(milliseconds)} ms"


def share(value: float) -> str:
    """A share of 1 in percent; never 0 % of what is not nothing, nor 100 % of what is not all."""
    if 0 < value < 0.0001:
        return "<0.01 %"
    if 0.9999 < value < 1:
        return ">99.99 %"
    return f"{float(f'{100 * value:.3g}'):g} %"


def times(ratio: float) -> str:
    """A ratio as a factor, with two digits that count: 1.4x, 140x."""
    return f"{float(f'{ratio:.2g}'):,g}x"


def when(started: str) -> str:
    """A moment in ISO 8601 to the second, in UTC; what is no such moment is left as it is."""
    try:
        return f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return started


def capital(text: str) -> str:
    """A text with a capital at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"


def title(scenario: Scenario, run: Run) -> str:
    """A scenario by its name, with its label where the run has several of that name."""
    alike = Counter(one.name for one in run.scenarios)[scenario.name]
    return NAMES[scenario.name] if alike == 1 else f"{NAMES[scenario.name]}, {scenario.label}"


def asked(scenario: Scenario) -> str:
    """How hard a whole scenario asked: its load, the most of a ramp's, or one job."""
    if scenario.name == "bulk":
        return "one job"
    return f"up to {load(scenario)}" if scenario.ramp else load(scenario)


def load(of: Scenario | Step) -> str:
    """How hard it asked: `16 users` or `500 requests/s`."""
    if of.rate is not None:
        return f"{number(of.rate)} requests/s"
    return f"{of.users:,} user{'' if of.users == 1 else 's'}"
