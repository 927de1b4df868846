"""The plots of a report: latencies, time, a ramp and rows a second, each wide and narrow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from scorewright.loadtests import chart, words
from scorewright.loadtests.chart import Bar, Dot, Plot
from scorewright.loadtests.knee import knee, knee_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorewright.loadtests.measurements import Histogram, Run, Scenario, Step

WIDE, HALF, NARROW = 960, 468, 372
"""Widths in pixels: of the page, of half of it, and of a telephone's."""


@dataclass(frozen=True)
class Picture:
    """A plot for a wide page and one for a narrow page. Both are SVG, escaped."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class Curve:
    """A line of the latency distribution."""

    name: str
    latency: Histogram
    series: int
    faint: bool = False

    @property
    def dots(self) -> bool:
        """Whether its latencies are so few that each is drawn by itself."""
        return self.latency.total < 10


def curves(run: Run) -> list[Curve]:
    """One for each scenario with right answers, and one for what `mixed` measured before its job."""
    found = []
    for at, scenario in enumerate(run.scenarios):
        name = words.title(scenario, run)
        if scenario.idle_latency and scenario.idle_latency.total:
            found.append(Curve(f"{name}: before the job", scenario.idle_latency, at, faint=True))
        if scenario.latency.total:
            title = f"{name}: the whole job" if scenario.name == "bulk" else name
            found.append(Curve(title, scenario.latency, at))
    return found


def distribution(drawn: Sequence[Curve]) -> Picture | None:
    """The latency of every percentile; None if nothing was answered rightly."""
    if not drawn:
        return None
    most = max(curve.latency.total for curve in drawn)
    across = chart.percentiles("percentile of the requests (%), each nine as wide as the last", most)
    narrow = chart.percentiles("percentile of the requests (%)", most)
    least = min(curve.latency.percentile(0) or 0.001 for curve in drawn)
    up = chart.logarithmic("latency (ms, log scale)", least, max(curve.latency.greatest_ms for curve in drawn))

    def draw(width: int, height: int, x: chart.Scale) -> str:
        plot = Plot("Latency by percentile, for each scenario", width, height, x, up)
        for curve in drawn:
            if curve.dots:
                plot.dots(_few(curve), curve.series)
            else:
                plot.line(_percentiles(curve), curve.series, faint=curve.faint, dashed=True)
        return plot.svg()

    return Picture(draw(WIDE, 420, across), draw(NARROW, 320, narrow))


def _percentiles(curve: Curve) -> list[Dot]:
    """Ten to a nine, up to the slowest of all."""
    total = curve.latency.total
    shares = [10 ** (-at / 10) for at in range(200) if 10 ** (-at / 10) * total > 1] + [1 / total]
    return [_dot_at(curve, 100 * (1 - share)) for share in shares]


def _few(curve: Curve) -> list[Dot]:
    total = curve.latency.total
    return [_dot_at(curve, 100 * (at + 0.5) / total) for at in range(total)]


def _dot_at(curve: Curve, percent: float) -> Dot:
    value = curve.latency.percentile(percent) or 0.0
    return Dot(percent, value, f"{curve.name}\np{percent:.6g}: {words.latency(value)}")


@dataclass(frozen=True)
class Panels:
    """Plots that share their x axis, of one scenario."""

    name: str
    pictures: tuple[Picture, ...]


def over_time(run: Run) -> list[Panels]:
    """Throughput and latency of each scenario, second by second; one scale of latency for all of them."""
    points = [point for scenario in run.scenarios for point in scenario.timeline]
    latencies = [value for point in points for value in (point.p50_ms, point.p99_ms) if value]
    found = []
    for at, scenario in enumerate(run.scenarios):
        if len(scenario.timeline) < 2:
            continue
        name = words.title(scenario, run)
        pictures = [_throughput_in_time(name, scenario, at)]
        if latencies:
            up = chart.logarithmic("latency (ms, log scale)", min(latencies), max(latencies))
            pictures.append(_latency_in_time(name, scenario, at, up))
        found.append(Panels(name, tuple(pictures)))
    return found


def _throughput_in_time(name: str, scenario: Scenario, series: int) -> Picture:
    points = scenario.timeline
    up = chart.linear("answered rightly (requests/s)", max(max(point.requests, point.answered) for point in points))
    told = [
        f"second {point.second}\n{point.answered:,} answered rightly; of those to be sent {point.failures:,} failed"
        for point in points
    ]
    right = [Dot(point.second, point.answered, tip) for point, tip in zip(points, told, strict=True)]
    failed = [Dot(point.second, point.failures, tip) for point, tip in zip(points, told, strict=True) if point.failures]

    def draw(width: int, height: int) -> str:
        plot = _in_time(f"{name}: requests answered rightly in each second", scenario, width, height, up)
        plot.columns(failed, 0.7)
        plot.line(right, series)
        return plot.svg()

    return _both(draw)


def _latency_in_time(name: str, scenario: Scenario, series: int, up: chart.Scale) -> Picture:
    points = scenario.timeline
    lines = {
        "p50": [(point.second, point.p50_ms) for point in points],
        "p99": [(point.second, point.p99_ms) for point in points],
    }

    def draw(width: int, height: int) -> str:
        plot = _in_time(f"{name}: p50 and p99 of each second", scenario, width, height, up)
        for figure, values in lines.items():
            # Where nothing was answered there is no latency, and no line.
            for answered, part in groupby(values, key=lambda value: value[1] is not None):
                told = [Dot(at, value or 0.0, f"second {at}\n{figure}: {words.latency(value)}") for at, value in part]
                if answered:
                    plot.line(told, series, faint=figure == "p50")
        return plot.svg()

    return _both(draw)


def _in_time(label: str, scenario: Scenario, width: int, height: int, up: chart.Scale) -> Plot:
    plot = Plot(label, width, height, chart.linear("time since the warm-up (s)", scenario.timeline[-1].second), up)
    if scenario.name == "mixed":
        plot.upright(scenario.counted_timeline[0].second, "job")
    return plot


@dataclass(frozen=True)
class Ramp:
    """A scenario whose load was raised: latency and throughput against load, and what is said of the knee."""

    name: str
    steps: tuple[Step, ...]
    pictures: tuple[Picture, ...]
    knee: Step | None
    note: str


def ramps(run: Run) -> list[Ramp]:
    """One for each scenario whose load was raised, unless fewer than two steps have right answers."""
    return [
        _ramp(words.title(scenario, run), scenario, at)
        for at, scenario in enumerate(run.scenarios)
        if sum(bool(step.latency.total) for step in scenario.ramp) > 1
    ]


def _ramp(name: str, scenario: Scenario, series: int) -> Ramp:
    steps = [step for step in scenario.ramp if step.latency.total]
    bend = knee(scenario.ramp)
    title = "asked at once (users, log scale)" if scenario.loop == "closed" else "asked for (requests/s, log scale)"
    across = chart.steps(title, [_load(step) for step in steps])
    p50, p99 = ([step.latency.percentile(percent) or 0.0 for step in steps] for percent in (50, 99))
    speed = [step.requests_per_second for step in steps]
    tips = [
        f"{words.load(step)}\n{words.number(step.requests_per_second)} requests/s\n"
        f"p50 {words.latency(low)}, p99 {words.latency(high)}"
        for step, low, high in zip(steps, p50, p99, strict=True)
    ]

    def picture(what: str, up: chart.Scale, *lines: list[float]) -> Picture:
        """`lines` are of p50 and p99, or of one figure."""

        def draw(width: int, height: int) -> str:
            plot = Plot(f"{name}: {what} against load", width, height, across, up)
            if bend:
                plot.upright(_load(bend.step), "knee")
            for values in lines:
                dots = [Dot(_load(step), value, tip) for step, value, tip in zip(steps, values, tips, strict=True)]
                plot.line(dots, series, faint=values is not lines[-1])
            return plot.svg()

        return _both(draw)

    latency = picture("latency", chart.logarithmic("latency (ms, log scale)", min(p50), max(p99)), p50, p99)
    throughput = picture("throughput", chart.linear("answered rightly (requests/s)", max(speed)), speed)
    return Ramp(name, scenario.ramp, (latency, throughput), bend.step if bend else None, knee_words(bend))


def _load(step: Step) -> float:
    return float(step.users if step.rate is None else step.rate)


def rows_per_second(run: Run) -> Picture | None:
    """Rows a second of real-time, client-batched and bulk scoring, side by side; None if there are not two of them."""
    of = [(at, one) for at, one in enumerate(run.scenarios) if one.name != "mixed" and one.peak_rows_per_second]
    if len(of) < 2:
        return None
    base = next((one.peak_rows_per_second for _, one in of if one.name == "realtime" and not one.held_back), None)
    given = [
        Bar(
            words.title(one, run),
            one.peak_rows_per_second,
            _rows_words(one, base),
            at,
        )
        for at, one in of
    ]
    x = chart.linear("rows scored (rows/s)", max(bar.value for bar in given))
    label = "Rows scored a second, by scenario"
    return Picture(chart.bars(label, WIDE, x, given), chart.bars(label, NARROW, x, given))


def _rows_words(one: Scenario, base: float | None) -> str:
    told = words.number(one.peak_rows_per_second)
    if one.held_back:
        return f"{told} (all that was asked)"
    return f"{told} ({words.times(one.peak_rows_per_second / base)})" if base and one.name != "realtime" else told


def _both(draw: Callable[[int, int], str]) -> Picture:
    return Picture(draw(HALF, 240), draw(NARROW, 230))
