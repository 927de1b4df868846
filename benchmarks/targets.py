"""The speed to reach, and whether it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.results import Spread, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.cases import Key
    from benchmarks.results import Results

    Measure = Callable[[Results], Spread | None]


@dataclass(frozen=True)
class Target:
    """A figure that is to be at least, or at most, something. The median counts."""

    what: str
    limit: float
    at_least: bool
    unit: str
    """What a figure is written as, with {} for the number."""
    measure: Measure
    aim: str = ""


def verdicts(results: Results) -> list[Verdict]:
    """Every target against what was measured."""
    return [_verdict(target, target.measure(results)) for target in _targets()]


def _verdict(target: Target, reached: Spread | None) -> Verdict:
    asked = f"at {'least' if target.at_least else 'most'} {target.unit.format(_number(target.limit))}{target.aim}"
    if reached is None:
        return Verdict(what=target.what, asked=asked, reached=None, met=None)
    met = reached.median >= target.limit if target.at_least else reached.median <= target.limit
    spread = f"{_number(reached.low)} – {_number(reached.high)}"
    told = f"{target.unit.format(_number(reached.median))} ({spread})"
    return Verdict(what=target.what, asked=asked, reached=told, met=met)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _targets() -> Iterator[Target]:
    azure, bare = "{}x azmlinfsrv", "{} % of the bare route"
    yield _faster("a", "scorewright", 128, "azmlinfsrv", 8, azure, aim=", aim 12x")
    yield Target("(a) requests/s at 128 connections", 45, True, bare, _ratio("a", "scorewright", "hello", 128, 100))
    yield _faster("b", "scorewright", 128, "azmlinfsrv", 20, azure)
    yield _faster("b", "scorewright", 128, "mlserver", 6, "{}x MLServer")
    yield _faster("b", "scorewright-onnx", 128, "azmlinfsrv", 50, azure)
    yield _faster("c", "scorewright", 32, "azmlinfsrv", 30, azure)
    yield _faster("c", "scorewright-onnx", 32, "azmlinfsrv", 45, azure)
    yield _faster("d", "scorewright", 128, "azmlinfsrv", 10, azure)
    yield _faster("e", "scorewright", 128, "azmlinfsrv", 1.5, azure)
    yield _sooner("a", "scorewright", 0.6, azure)
    yield Target("(b) p50 of a lone request", 0.5, False, "native predict + {} ms", _over_the_floor)
    yield _sooner("b", "scorewright-onnx", 0.1, azure)
    yield _sooner("c", "scorewright", 0.1, azure)
    for case, key in _STEADY:
        yield Target(f"({case}){_told(key)} p99 at 128 connections", 3, False, "{}x p50", _tail(case, key))
    yield Target("memory of an idle service with (a), 1 scorer", 150, False, "{} MB", _memory)
    yield Target("cold start to ready, (a)", 2.5, False, "{} s", _start)


_STEADY: tuple[tuple[str, Key], ...] = (
    ("a", "scorewright"),
    ("b", "scorewright"),
    ("b", "scorewright-onnx"),
    ("c", "scorewright"),
    ("c", "scorewright-onnx"),
)


def _told(key: Key) -> str:
    return " onnx" if key == "scorewright-onnx" else ""


def _faster(case: str, key: Key, connections: int, peer: Key, limit: float, unit: str, aim: str = "") -> Target:
    what = f"({case}){_told(key)} requests/s at {connections} connections"
    return Target(what, limit, True, unit, _ratio(case, key, peer, connections), aim)


def _sooner(case: str, key: Key, limit: float, unit: str) -> Target:
    what = f"({case}){_told(key)} p50 of a lone request"
    return Target(what, limit, False, unit, _ratio(case, key, "azmlinfsrv", 1, figure="p50_ms"))


def _ratio(
    case: str, key: Key, peer: Key, connections: int, times: float = 1, figure: str = "requests_per_second"
) -> Measure:
    def measure(results: Results) -> Spread | None:
        found = results.case(case)
        ratio = found.ratio(key, peer, connections, figure) if found else None
        if ratio is None:
            return None
        return Spread(median=times * ratio.median, low=times * ratio.low, high=times * ratio.high)

    return measure


def _over_the_floor(results: Results) -> Spread | None:
    """What a lone request takes beyond the model's own predict_proba of the same round."""
    case = results.case("b")
    if case is None:
        return None
    p50 = case.values("scorewright", 1, "p50_ms")
    return Spread.of(p50[at] - case.floor[at]["native predict_proba"] for at in p50)


def _tail(case: str, key: Key) -> Measure:
    def measure(results: Results) -> Spread | None:
        found = results.case(case)
        if found is None:
            return None
        p99, p50 = (found.values(key, 128, figure) for figure in ("p99_ms", "p50_ms"))
        return Spread.of(p99[at] / p50[at] for at in p99)

    return measure


def _memory(results: Results) -> Spread | None:
    start = results.start("scorewright")
    return Spread.of(size / 1e6 for size in start.memory_bytes) if start else None


def _start(results: Results) -> Spread | None:
    start = results.start("scorewright")
    return Spread.of(start.seconds) if start else None
