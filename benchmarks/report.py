"""Results as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.errors import BenchmarkError
from benchmarks.results import Spread

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results import CaseResult, Results, Row

BEGIN = "<!-- written by make bench, from here -->"
END = "<!-- to here -->"

_COLUMNS = "| | connections | requests/s | min – max | of azmlinfsrv | p50 ms | p90 ms | p99 ms | max ms |"


def table(results: Results) -> str:
    """The whole report: the run, the targets, each case, starts and memory, releases."""
    parts = [_run(results), _targets(results), *(_case(case, results.connections) for case in results.cases)]
    return "\n\n".join([*parts, _starts(results), _versions(results)]) + "\n"


def quote(page: Path, text: str) -> None:
    """Put the report into a page, between its two marks. Raises BenchmarkError if the page does not have them."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"{page} has no lines {BEGIN} and {END}, between which the table goes.")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def quoted(page: Path) -> str:
    """What a page quotes."""
    return page.read_text().partition(BEGIN)[2].partition(END)[0].strip() + "\n"


def _run(results: Results) -> str:
    machine = results.machine
    return (
        f"{results.when}, `{results.command}`: {results.rounds} rounds of {results.seconds} s each. "
        f"{machine.processor}, {machine.used} of {machine.processors} processors for everything, the load generator "
        f"too; {machine.memory_bytes / 2**30:.0f} GiB; {machine.kernel}; load average before the run "
        f"{machine.load_average}."
    )


def _targets(results: Results) -> str:
    words = {True: "yes", False: "no", None: "–"}
    lines = [
        f"| {verdict.what} | {verdict.asked} | {verdict.reached or 'not measured'} | {words[verdict.met]} |"
        for verdict in results.verdicts
    ]
    return "\n".join(["### Speed to reach", "", "| | asked | reached | met |", "|---|---|---|---|", *lines])


def _case(case: CaseResult, connections: list[int]) -> str:
    lines = [f"### ({case.key}) {case.title}", "", _COLUMNS, "|---|" + "---:|" * 8]
    notes = []
    for row in case.rows:
        if row.failed is not None:
            notes.append(f"{row.title} did not take part: {_cell(row.failed)}")
            continue
        lines += [_line(case, row, count) for count in connections]
        notes += _faults(row, connections)
    floors = {name: Spread.of(at[name] for at in case.floor) for name in (case.floor[0] if case.floor else {})}
    told = [f"{name} {_number(of.median)} ms" for name, of in floors.items() if of]
    notes.append(f"One row in the model itself: {', '.join(told)}.")
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def _line(case: CaseResult, row: Row, connections: int) -> str:
    speed = Spread.of(row.values(connections, "requests_per_second").values())
    if speed is None:
        return f"| {row.title} | {connections} | not counted | | | | | | |"
    ratio = case.ratio(row.key, "azmlinfsrv", connections)
    medians = [
        Spread.of(row.values(connections, figure).values()) for figure in ("p50_ms", "p90_ms", "p99_ms", "max_ms")
    ]
    cells = [
        row.title,
        str(connections),
        _count(speed.median),
        f"{_count(speed.low)} – {_count(speed.high)}",
        "–" if ratio is None else f"{_number(ratio.median)}x",
        *(_number(of.median) if of else "–" for of in medians),
    ]
    return f"| {' | '.join(cells)} |"


def _faults(row: Row, connections: list[int]) -> list[str]:
    found = []
    for count in connections:
        phases = [phase for phase in row.phases if phase.connections == count]
        faults = [phase.fault for phase in phases if phase.fault is not None]
        if faults:
            rounds = f"{len(faults)} of {len(phases)} rounds"
            found.append(f"{row.title}, {count} connections: {rounds} not counted: {_cell(faults[0])}")
    return found


def _starts(results: Results) -> str:
    lines = ["### Start and memory, (a)", "", "| | processes | start to ready, s | min – max | idle memory, MB |"]
    lines.append("|---|" + "---:|" * 4)
    for start in results.starts:
        seconds, memory = Spread.of(start.seconds), Spread.of(start.memory_bytes)
        if start.failed is not None or seconds is None or memory is None:
            lines.append(f"| {start.title} | {_cell(start.failed or 'not measured')} | | | |")
            continue
        spread = f"{seconds.low:.2f} – {seconds.high:.2f}"
        cells = [start.title, str(start.processes), f"{seconds.median:.2f}", spread, f"{memory.median / 1e6:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _versions(results: Results) -> str:
    lines = ["### Releases", ""]
    for name, packages in results.versions.items():
        lines.append(f"- {name}: {', '.join(f'{package} {release}' for package, release in packages.items())}")
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three digits that count, so that 0.0123 and 1,234 are both readable."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _cell(text: str) -> str:
    """A text that does not end a table's cell or line."""
    return text.replace("|", "\\|").replace("\n", " ")
