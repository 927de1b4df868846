"""A small run, made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load import Load
from benchmarks.results import CaseResult, Machine, Phase, Results, Row, Start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cases import Key


def row(key: Key, *phases: tuple[int, Sequence[float]], p50: float = 2, p99: float = 4) -> Row:
    """A server with, for each number of connections, its requests a second in each round."""
    made = [
        Phase(round=at, connections=connections, load=_load(speed, p50, p99))
        for connections, speeds in phases
        for at, speed in enumerate(speeds)
    ]
    return Row(key=key, title=key, phases=made)


def _load(speed: float, p50: float, p99: float) -> Load:
    times = {"p50_ms": p50, "p90_ms": 3, "p99_ms": p99, "max_ms": 9}
    return Load(requests=int(2 * speed), requests_per_second=speed, **times)


def results(*cases: CaseResult, starts: Sequence[Start] = ()) -> Results:
    """A run of these cases."""
    machine = Machine(
        processor="A processor", processors=4, used=2, memory_bytes=8 * 2**30, kernel="Linux 1.2", load_average=0.5
    )
    return Results(
        when="2026-11-21 12:00 UTC",
        command="python -m benchmarks",
        rounds=3,
        seconds=2,
        connections=[1, 128],
        machine=machine,
        versions={"Scorewright": {"python": "3.11.7", "numpy": "2.4.6"}},
        cases=list(cases),
        starts=list(starts),
    )


def tree(*rows: Row) -> CaseResult:
    """Case (a) with these servers, three rounds."""
    return CaseResult(key="a", title="tree", rows=list(rows), floor=[{"native predict_proba": 0.1}] * 3)
