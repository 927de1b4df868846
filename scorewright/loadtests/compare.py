"""Two load tests side by side: what changed from A to B, by how much, and whether that is more than noise."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from scorewright.errors import SloMissedError
from scorewright.loadtests import folder, markdown, page, words
from scorewright.loadtests.change import NOISE, TIMES, Change, noise
from scorewright.loadtests.knee import knee
from scorewright.loadtests.plots import Curve

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.loadtests.measurements import Run, Scenario, Step

SCHEMA_VERSION = 1
COMPARISON = "comparison.json"

_UNTOLD = ("out", "force", "json", "slo")


@dataclass(frozen=True)
class Difference:
    """Something that was not the same in both runs: a setting, a machine, a release."""

    name: str
    a: str
    b: str


@dataclass(frozen=True)
class Pair:
    """A scenario in both runs. `note` says why its figures cannot be held against each other, if they cannot."""

    title: str
    a: Scenario | None
    b: Scenario | None
    changes: tuple[Change, ...]
    note: str = ""
    comparable: bool = True

    def curves(self) -> list[Curve]:
        """The latency distributions of both; none of bulk, where it is one job's."""
        sides = (("A", self.a, 0), ("B", self.b, 1))
        return [
            Curve(name, one.latency, series)
            for name, one, series in sides
            if one and one.name != "bulk" and one.latency.total
        ]


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side. `allowed` is by how much B may be worse, 0.1 being a tenth; None judges nothing."""

    a: str
    b: str
    allowed: float | None
    differences: tuple[Difference, ...]
    pairs: tuple[Pair, ...]
    headline: str
    faults: tuple[str, ...]
    """Why B is not as good as is asked, in words; none if it is, or nothing was asked."""
    noise: str = NOISE

    def enforce(self) -> None:
        """Raise SloMissedError if B is worse than is allowed, or that could not be told."""
        if self.faults:
            raise SloMissedError(
                f"B is not shown to be within {words.share(self.allowed or 0)} of A: {'; '.join(self.faults)}."
            )

    def to_json(self) -> str:
        """All of it as JSON, without the histograms."""
        content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "a": self.a, "b": self.b, "allowed": self.allowed}
        content |= {"headline": self.headline, "faults": self.faults, "noise": self.noise}
        content["differences"] = [asdict(one) for one in self.differences]
        content["scenarios"] = [
            {
                "title": pair.title,
                "comparable": pair.comparable,
                "note": pair.note,
                "changes": [asdict(one) | {"ratio": one.ratio, "words": one.words} for one in pair.changes],
            }
            for pair in self.pairs
        ]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def write(self, target: Path, *, force: bool = False) -> None:
        """Write the page, the JSON and the Markdown into a folder. Raises OutputExistsError, LocationError."""
        files = {
            "comparison.html": page.of_comparison(self),
            COMPARISON: self.to_json(),
            "comparison.md": markdown.of_comparison(self),
        }
        folder.write(target, files, mark=COMPARISON, force=force)


def compare(a: Run, b: Run, *, names: tuple[str, str], allowed: float | None = None) -> Comparison:
    """Put two runs side by side. `names` tells them apart for people; `allowed` is of Comparison."""
    matches = _matches(a, b)
    pairs = [_pair(one, other, a if one else b) for one, other in matches]
    faults = [fault for pair in pairs for fault in _faults(pair, allowed)] if allowed is not None else []
    if allowed is not None and not pairs:
        faults = ["neither run has a scenario"]
    return Comparison(
        f"{names[0]} ({a.url}, {words.when(a.started)})",
        f"{names[1]} ({b.url}, {words.when(b.started)})",
        allowed,
        tuple(_differences(a, b)),
        tuple(pairs),
        _headline(pairs),
        tuple(faults),
    )


def _matches(a: Run, b: Run) -> list[tuple[Scenario | None, Scenario | None]]:
    """By name and label; what is left by name alone, where each run has one of it."""
    left = list(b.scenarios)
    found: list[tuple[Scenario | None, Scenario | None]] = []
    for one in a.scenarios:
        same = [other for other in left if other.name == one.name and other.label == one.label]
        alone = [other for other in left if other.name == one.name]
        if not same and len(alone) == 1 == sum(other.name == one.name for other in a.scenarios):
            same = alone
        if same:
            left.remove(same[0])
        found.append((one, same[0] if same else None))
    return [*found, *((None, other) for other in left)]


def _pair(a: Scenario | None, b: Scenario | None, run: Run) -> Pair:
    if a is None or b is None:
        known = a or b
        assert known is not None  # noqa: S101  # for mypy: one of them is there
        side = "A" if a else "B"
        return Pair(words.title(known, run), a, b, (), f"measured in {side} only", comparable=False)
    title = words.title(a, run)
    differing = _other_load(a, b)
    if a.ramp or b.ramp:
        return _ramps(title, a, b, differing)
    limited = [side for side, one in (("A", a), ("B", b)) if one.generator.limited]
    note = f"not the same load: {differing}" if differing else ""
    if limited:
        note += f"{'; ' if note else ''}the load generator may have been the limit in {' and '.join(limited)}"
    changes = tuple(Change(name, _figure(name, a), _figure(name, b), noise(name, a, b)) for name in _figures(a))
    return Pair(title, a, b, changes, note, comparable=not differing)


def _ramps(title: str, a: Scenario, b: Scenario, differing: str) -> Pair:
    """Two ramps at the load of A's knee."""
    bend = knee(a.ramp)
    at = bend.step if bend else None
    other = next((step for step in b.ramp if at and (step.users, step.rate) == (at.users, at.rate)), None)
    if at is None or other is None:
        note = "A has no knee" if at is None else f"B has no step at A's knee, {words.load(at)}"
        return Pair(title, a, b, (), differing or note, comparable=False)
    changes = tuple(Change(name, _step_figure(name, at, a), _step_figure(name, other, b), None) for name in _figures(a))
    comparable = a.rows_per_request == b.rows_per_request
    note = f"at {words.load(at)}, the knee of A"
    return Pair(f"{title} at {words.load(at)}", a, b, changes, note if comparable else differing, comparable=comparable)


def _other_load(a: Scenario, b: Scenario) -> str:
    """What was asked otherwise, in words."""
    told = []
    if a.rows_per_request != b.rows_per_request:
        told.append(f"{a.rows_per_request:,} rows in A, {b.rows_per_request:,} in B")
    if a.name != "bulk" and (a.loop, a.users, a.rate) != (b.loop, b.users, b.rate):
        told.append(f"{words.load(a)} in A, {words.load(b)} in B")
    if bool(a.ramp) != bool(b.ramp):
        told.append(f"raised in {'A' if a.ramp else 'B'} only")
    return ", ".join(told)


def _figures(of: Scenario) -> tuple[str, ...]:
    if of.name == "bulk":
        return ("rows/s", "errors")
    return (*TIMES, "rps", "errors") if of.rows_per_request == 1 else (*TIMES, "rps", "rows/s", "errors")


def _figure(name: str, of: Scenario) -> float | None:
    if not of.requests:
        return None
    if name == "errors":
        return of.error_share
    if name == "rps":
        return of.requests_per_second
    return of.rows_per_second if name == "rows/s" else of.latency.percentile(float(name[1:]))


def _step_figure(name: str, step: Step, of: Scenario) -> float | None:
    if not step.requests:
        return None
    if name == "errors":
        return step.failures / step.requests
    if name == "rps":
        return step.requests_per_second
    if name == "rows/s":
        return step.requests_per_second * of.rows_per_request
    return step.latency.percentile(float(name[1:]))


def _differences(a: Run, b: Run) -> list[Difference]:
    groups: list[tuple[str, Any, Any]] = [
        ("", a.settings, b.settings),
        ("server: ", a.environment.server, b.environment.server),
        ("load generator: ", a.environment.machine, b.environment.machine),
        ("version of ", a.environment.versions, b.environment.versions),
    ]
    found = []
    for group, ours, theirs in groups:
        for key in sorted(ours.keys() | theirs.keys()):
            one, other = ours.get(key), theirs.get(key)
            if one != other and key not in _UNTOLD:
                found.append(Difference(f"{group}{key}", _told(one), _told(other)))
    return found


def _told(value: object) -> str:
    return "none" if value is None or value == "" else str(value)


def _faults(pair: Pair, allowed: float) -> list[str]:
    if not pair.comparable:
        # What B has besides is no loss; what it lacks, or did under another load, leaves the question open.
        return [] if pair.a is None else [f"{pair.title}: {pair.note}"]
    if not all(one and one.requests > one.failed for one in (pair.a, pair.b)):
        return [f"{pair.title}: nothing was answered rightly in {'A' if _empty(pair.a) else 'B'}"]
    return [
        f"{pair.title} {change.figure}: {change.worded_b} instead of {change.worded_a}"
        for change in pair.changes
        if change.too_much(allowed)
    ]


def _empty(of: Scenario | None) -> bool:
    return of is None or of.requests == of.failed


def _headline(pairs: list[Pair]) -> str:
    told = []
    for pair in pairs:
        figures = {change.figure for change in pair.changes}
        changes = [
            f"{change.figure} {change.words}"
            for change in pair.changes
            if change.figure in ("p99", "rps" if "p99" in figures else "rows/s", "errors")
            and change.certain
            and change.words != "the same"
        ]
        if pair.comparable and changes:
            told.append(f"{pair.title} {', '.join(changes)}")
    if told:
        return f"B against A: {'; '.join(told)}."
    if any(pair.comparable for pair in pairs):
        return "B is as A: no p99, no throughput and no share of errors differs by more than noise."
    return "A and B have nothing that can be compared."
