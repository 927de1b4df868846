"""Reports as Markdown for a pull request: short, and without HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scorewright.loadtests import words
from scorewright.loadtests.knee import knee, knee_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorewright.loadtests.compare import Comparison
    from scorewright.loadtests.measurements import Run, Scenario
    from scorewright.loadtests.report import Report

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def of_report(report: Report) -> str:
    """The sentences, the SLO, the figures and the failures."""
    run = report.run
    where = f"{code(run.url)}, {_text(words.when(run.started))}, {words.number(run.seconds)} s."
    parts = ["## Load test", f"**{_text(report.headline)}**", " ".join(map(_text, report.remarks)), where]
    if report.verdicts:
        rows = [
            ["yes" if one.met else "**no**", code(one.clause), _text(one.scenario or "–"), _text(one.found)]
            for one in report.verdicts
        ]
        parts.append(_table(["kept", "asked", "of", "found"], rows))
    figures = [[_text(words.title(one, run)), *_figures(one)] for one in run.scenarios]
    names = ["scenario", "load", "p50", "p95", "p99", "max", "requests/s", "rows/s", "failed"]
    parts.append(_table(names, figures, numbers=7))
    parts += [_ramp(one, run) for one in run.scenarios if one.ramp]
    failures = [
        [_text(words.title(one, run)), code(kind), f"{count:,}"]
        for one in run.scenarios
        for kind, count in one.failures.items()
    ]
    if failures:
        parts.append(_table(["scenario", "failure", "requests"], failures, numbers=1))
    return "\n\n".join(parts) + "\n"


def of_comparison(comparison: Comparison) -> str:
    """The verdict, what differs in the settings, and the figures side by side."""
    parts = ["## Load tests compared", f"**{_text(comparison.headline)}**"]
    parts.append("\n".join(f"- {side}: {code(name)}" for side, name in (("A", comparison.a), ("B", comparison.b))))
    if comparison.differences:
        lines = [f"- {_text(one.name)}: {_text(one.a)} in A, {_text(one.b)} in B" for one in comparison.differences]
        parts.append("What differs besides:\n\n" + "\n".join(lines))
    rows = [
        [_text(pair.title), change.figure, change.worded_a, change.worded_b, change.ratio_words, _text(change.words)]
        for pair in comparison.pairs
        for change in pair.changes
    ]
    parts.append(_table(["scenario", "", "A", "B", "B / A", "in words"], rows))
    notes = [f"- {_text(pair.title)}: {_text(pair.note)}" for pair in comparison.pairs if pair.note]
    if notes:
        parts.append("\n".join(notes))
    parts.append(_text(comparison.noise))
    return "\n\n".join(parts) + "\n"


def _ramp(one: Scenario, run: Run) -> str:
    rows = []
    for step in one.ramp:
        latency = [words.latency(step.latency.percentile(percent)) for percent in (50, 99)]
        failed = words.share(step.failures / step.requests) if step.requests else "no requests"
        rows.append([words.load(step), *latency, words.number(step.requests_per_second), failed])
    told = f"{_text(words.capital(words.title(one, run)))}, step by step; above are all its steps together."
    table = _table(["load", "p50", "p99", "requests/s", "failed"], rows, numbers=4)
    return f"{told} {knee_words(knee(one.ramp))}\n\n{table}"


def _figures(one: Scenario) -> list[str]:
    latency = [words.latency(one.latency.percentile(percent)) for percent in (50, 95, 99, 100)]
    speed = "–" if one.name == "bulk" else words.number(one.requests_per_second)
    return [words.asked(one), *latency, speed, words.number(one.rows_per_second), _failed(one)]


def _failed(one: Scenario) -> str:
    return "no requests" if not one.requests else words.share(one.error_share)


def _table(names: list[str], rows: Iterable[list[str]], *, numbers: int = 0) -> str:
    """A table whose last columns, so many, are numbers."""
    rule = ["---"] * (len(names) - numbers) + ["---:"] * numbers
    return "\n".join(f"| {' | '.join(line)} |" for line in [names, rule, *rows])


def _text(text: str) -> str:
    """A text that is not read as Markdown or HTML, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """A text as code, whatever is in it, within a table too."""
    plain = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
