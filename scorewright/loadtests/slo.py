"""What a service is held to, as a line of text, and whether a run kept it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, get_args

from scorewright.errors import SloMissedError, UsageError
from scorewright.loadtests import words
from scorewright.loadtests.measurements import Histogram, Run, Scenario, ScenarioName

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.loadtests.measurements import Step

Comparison = Literal["<", "<=", ">", ">="]

EXAMPLE = "p99<50ms,errors<0.1%,bulk.rows/s>1e5"
KNOWN = (
    "Known are p50, p99 and every other percentile, max and mean (with us, ms or s), errors (with %), rps and rows/s; "
    f"before them, with a dot, one of {', '.join(get_args(ScenarioName))}. For example: {EXAMPLE}"
)

_CLAUSE = re.compile(
    r"\s*(?:(?P<scenario>[a-z][a-z_-]*)\s*\.\s*)?(?P<figure>[a-z][a-z/]*[0-9.]*)\s*"
    r"(?P<comparison><=|>=|<|>)\s*(?P<value>\d+(?:\.\d+)?(?:e\d{1,2})?)\s*(?P<unit>[a-zµ%/]*)\s*",
    re.IGNORECASE,
)
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)")
_MILLISECONDS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Clause:
    """One demand. Its `limit` is in milliseconds, a share of 1, requests a second or rows a second."""

    text: str
    scenario: ScenarioName | None
    """None asks it of every scenario that it makes sense of: latency and rps not of bulk, whose request is a job."""
    figure: str
    comparison: Comparison
    limit: float

    def concerns(self, name: ScenarioName) -> bool:
        """Whether scenarios of this name are held to it."""
        if self.scenario is None:
            return name != "bulk" or self.figure in ("errors", "rows/s")
        return self.scenario == name

    def keeps(self, found: float) -> bool:
        """Whether a figure that was found keeps it."""
        kept: dict[Comparison, Callable[[float, float], bool]] = {
            "<": lambda a, b: a < b,
            "<=": lambda a, b: a <= b,
            ">": lambda a, b: a > b,
            ">=": lambda a, b: a >= b,
        }
        return kept[self.comparison](found, self.limit)

    def worded(self, value: float) -> str:
        """A value of this clause's figure, with its unit."""
        if self.figure == "errors":
            return words.share(value)
        if self.figure in ("rps", "rows/s"):
            return f"{words.number(value)} {'requests/s' if self.figure == 'rps' else 'rows/s'}"
        return words.latency(value)


@dataclass(frozen=True)
class Verdict:
    """One clause held against one scenario."""

    clause: str
    scenario: str
    """The scenario's title; empty if the run has none that the clause concerns."""
    wanted: str
    """In words: "p99 < 50 ms"."""
    found: str
    """In words: "62 ms", of a ramp with the step, "41 ms at 64 users", or why there is nothing."""
    value: float | None
    """What was found, in the unit of the clause's limit."""
    met: bool


@dataclass(frozen=True)
class Slo:
    """Clauses that are all to be kept."""

    text: str
    clauses: tuple[Clause, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The clauses of a text like `p99<50ms,errors<0.1%`. Raises UsageError naming the place of the first fault."""
        clauses = []
        start = 0
        for part in text.split(","):
            clauses.append(_clause(part, text, start))
            start += len(part) + 1
        return cls(text, tuple(clauses))

    def judge(self, run: Run) -> tuple[Verdict, ...]:
        """A verdict for each clause and each scenario that it concerns.

        What had no requests never keeps a clause, and a clause that concerns no scenario of the run is not met.
        A ramp is judged at its heaviest step that keeps all clauses which concern it, or, if none does, at the
        lightest of those which keep the most.
        """
        found = []
        for clause in self.clauses:
            concerned = [scenario for scenario in run.scenarios if clause.concerns(scenario.name)]
            if not concerned:
                found.append(Verdict(clause.text, "", _wanted(clause), "not measured in this run", None, met=False))
            found += [self._verdict(clause, scenario, run) for scenario in concerned]
        return tuple(found)

    def concerns(self, scenario: Scenario) -> bool:
        """Whether any clause is asked of a scenario."""
        return any(clause.concerns(scenario.name) for clause in self.clauses)

    def held_step(self, scenario: Scenario) -> Step | None:
        """A ramp's heaviest step that keeps every clause which concerns it; None if none does."""
        clauses = [clause for clause in self.clauses if clause.concerns(scenario.name)]
        kept = [step for step in scenario.ramp if all(_kept(clause, scenario, step) for clause in clauses)]
        return kept[-1] if kept else None

    def _verdict(self, clause: Clause, scenario: Scenario, run: Run) -> Verdict:
        step = self._judged_step(scenario)
        value = _value(clause.figure, scenario, step)
        told = "no requests" if value is None else _found(clause, value)
        if value is None and (step or scenario).requests:
            told = "no right answer"
        return Verdict(
            clause=clause.text,
            scenario=words.title(scenario, run),
            wanted=_wanted(clause),
            found=f"{told} at {words.load(step)}" if step else told,
            value=value,
            met=_kept(clause, scenario, step),
        )

    def _judged_step(self, scenario: Scenario) -> Step | None:
        if not scenario.ramp:
            return None
        clauses = [clause for clause in self.clauses if clause.concerns(scenario.name)]
        counts = [sum(_kept(clause, scenario, step) for clause in clauses) for step in scenario.ramp]
        if max(counts) == len(clauses):
            return self.held_step(scenario)
        return scenario.ramp[counts.index(max(counts))]


def enforce(verdicts: tuple[Verdict, ...]) -> None:
    """Raise SloMissedError, naming what was missed, unless every verdict is met."""
    missed = [verdict for verdict in verdicts if not verdict.met]
    if missed:
        told = "; ".join(
            f"{verdict.scenario or 'no scenario'}: wanted {verdict.wanted}, found {verdict.found}" for verdict in missed
        )
        raise SloMissedError(f"{len(missed)} of {len(verdicts)} demands of the SLO were missed. {told}.")


def _clause(part: str, text: str, start: int) -> Clause:
    place = f"--slo {text!r}, at character {start + 1 + len(part) - len(part.lstrip())}"
    if not part.strip():
        raise UsageError(f"{place}: a clause is empty.", hint=KNOWN)
    found = _CLAUSE.fullmatch(part)
    if not found:
        raise UsageError(f"{place}: {part.strip()!r} is not a figure, then one of < <= > >=, then a value.", hint=KNOWN)
    figure, unit = found["figure"].lower(), found["unit"].lower()
    scenario = _scenario(found["scenario"], place)
    _check_figure(figure, scenario, place)
    limit = float(found["value"]) * _factor(figure, found["value"], unit, place)
    smaller_is_better = figure not in ("rps", "rows/s")
    comparison = found["comparison"]
    if comparison.startswith("<") != smaller_is_better:
        better = "smaller" if smaller_is_better else "greater"
        turned = comparison.translate(str.maketrans("<>", "><"))
        raise UsageError(
            f"{place}: {figure} is the better the {better} it is; write {figure}{turned}{found['value']}{unit}.",
            hint=KNOWN,
        )
    return Clause("".join(part.split()), scenario, figure, comparison, limit)  # type: ignore[arg-type]


def _scenario(given: str | None, place: str) -> ScenarioName | None:
    if given is None:
        return None
    for name in get_args(ScenarioName):
        if given.lower() == name:
            return name  # type: ignore[no-any-return]
    raise UsageError(f"{place}: there is no scenario {given!r}.", hint=KNOWN)


def _check_figure(figure: str, scenario: ScenarioName | None, place: str) -> None:
    if figure in ("max", "mean", "errors", "rps", "rows/s"):
        if figure == "rps" and scenario == "bulk":
            raise UsageError(f"{place}: a bulk job is one request; ask for bulk.rows/s.", hint=KNOWN)
        return
    percentile = _PERCENTILE.fullmatch(figure)
    if not percentile or not float(percentile[1]):
        raise UsageError(f"{place}: there is no figure {figure!r}.", hint=KNOWN)


def _factor(figure: str, value: str, unit: str, place: str) -> float:
    """What the value is multiplied by for the clause's limit."""
    if figure in ("rps", "rows/s"):
        if unit:
            raise UsageError(f"{place}: {figure} has no unit; write it without {unit!r}.", hint=KNOWN)
        return 1.0
    if figure == "errors":
        if unit != "%":
            raise UsageError(f"{place}: errors are a share of the requests; write {value}%.", hint=KNOWN)
        if float(value) > 100:
            raise UsageError(f"{place}: there are never more than 100 % errors.", hint=KNOWN)
        return 0.01
    if unit not in _MILLISECONDS:
        said = f"{unit!r} is no unit of it" if unit else "it has no unit"
        raise UsageError(
            f"{place}: {figure} is a time, and {said}; write {value}ms, {value}s or {value}us.", hint=KNOWN
        )
    return _MILLISECONDS[unit]


def _wanted(clause: Clause) -> str:
    return f"{clause.figure} {clause.comparison} {_exact(clause.figure, clause.limit, 10)}"


def _found(clause: Clause, value: float) -> str:
    """What was found; with more digits if it would look like the limit without being it."""
    told = clause.worded(value)
    return _exact(clause.figure, value, 6) if told == clause.worded(clause.limit) and value != clause.limit else told


def _exact(figure: str, value: float, digits: int) -> str:
    if figure in ("rps", "rows/s"):
        return f"{value:,.{digits}g}"
    if figure == "errors":
        return f"{100 * value:.{digits}g} %"
    return f"{value / 1000:.{digits}g} s" if value >= 1000 else f"{value:.{digits}g} ms"


def _kept(clause: Clause, scenario: Scenario, step: Step | None) -> bool:
    value = _value(clause.figure, scenario, step)
    return value is not None and clause.keeps(value)


def _value(figure: str, scenario: Scenario, step: Step | None) -> float | None:
    """A figure of a scenario, or of one step of it; None without requests, and of a latency without right answers."""
    measured = step or scenario
    if not measured.requests:
        return None
    if figure == "errors":
        return step.failures / step.requests if step else scenario.error_share
    if figure == "rps":
        return measured.requests_per_second
    if figure == "rows/s":
        return step.requests_per_second * scenario.rows_per_request if step else scenario.rows_per_second
    return latency_of(measured.latency, figure)


def latency_of(histogram: Histogram, figure: str) -> float | None:
    """`mean`, `max` or a percentile like `p99.9`, in milliseconds; None of no latencies."""
    if not histogram.total:
        return None
    if figure == "mean":
        return histogram.mean_ms
    return histogram.greatest_ms if figure == "max" else histogram.percentile(float(figure[1:]))
