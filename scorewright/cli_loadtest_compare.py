"""`scorewright loadtest compare A B`."""

from __future__ import annotations

import re
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from scorewright.loadtests.compare import Comparison

_Report = Annotated[Path, typer.Argument(help="A report's folder, or its report.json.", show_default=False)]


def compare(
    a: _Report,
    b: _Report,
    fail_above: Annotated[
        str | None,
        typer.Option(
            help="How much worse B may be, like 10%. Beyond that and beyond noise the command ends with 14; so it does "
            "if B lacks a scenario of A or had another load."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page, JSON and Markdown to this folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a comparison that is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put two load tests side by side: local and in the cloud, yesterday and today."""
    from scorewright.loadtests import report
    from scorewright.loadtests.compare import compare as compare_runs

    allowed = None if fail_above is None else _share(fail_above)
    comparison = compare_runs(report.read(a), report.read(b), names=(str(a), str(b)), allowed=allowed)
    if out is not None:
        comparison.write(out, force=force)
    typer.echo(comparison.to_json() if as_json else _table(comparison), nl=False)
    if out is not None and not as_json:
        typer.echo(f"\nWrote {out / 'comparison.html'}")
    comparison.enforce()


def _share(text: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if not found:
        raise UsageError(f"--fail-above {text!r} is not a percentage.", hint="Write it as 10%.")
    return float(found[1]) / 100


def _table(comparison: Comparison) -> str:
    lines = [f"A  {comparison.a}", f"B  {comparison.b}", "", comparison.headline, ""]
    rows = [
        (pair.title, change.figure, change.worded_a, change.worded_b, change.ratio_words, change.words)
        for pair in comparison.pairs
        for change in pair.changes
    ]
    rows = [("", "", "A", "B", "B / A", ""), *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        title, figure, *numbers, told = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([title, figure, *(cell.strip().rjust(len(cell)) for cell in numbers), told]).rstrip())
    lines += [f"{pair.title}: {pair.note}." for pair in comparison.pairs if pair.note]
    lines += [f"{one.name}: {one.a} in A, {one.b} in B." for one in comparison.differences]
    return "\n".join(lines) + "\n"
