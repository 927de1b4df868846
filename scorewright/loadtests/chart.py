"""Plots as SVG: axes with titles and units, lines, dots, bars, and marks that tell their values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_CHARACTER = 7.3
"""The width of a tick's or title's character in the widest of common fonts at the style sheet's 12 pixels."""
_LINE = 16.0
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4")
SERIES = 8
"""How many colours the style sheet has, s0 and up. There are fewer dashes, so that both together do not repeat soon."""


@dataclass(frozen=True)
class Scale:
    """An axis: its title with the unit, its ticks, and where a value is, from 0 to 1."""

    title: str
    ticks: tuple[tuple[float, str], ...]
    place: Callable[[float], float]


def linear(title: str, greatest: float) -> Scale:
    """From 0 to at least `greatest`, with round ticks."""
    step = _round_step(greatest or 1.0)
    end = step * math.ceil((greatest or 1.0) / step - 1e-9)
    ticks = tuple((step * at, f"{step * at:,.10g}") for at in range(round(end / step) + 1))
    return Scale(title, ticks, lambda value: value / end)


def logarithmic(title: str, least: float, greatest: float) -> Scale:
    """Around two positive values, with ticks at 1, 2 and 5 of each decade, or at 1 of each if those were many."""
    around = [mark * 10.0**power for power in range(-9, 13) for mark in (1, 2, 5)]
    low = max(value for value in around if value <= least)
    high = min(value for value in around if value >= greatest and value > low)
    marks = [value for value in around if low <= value <= high]
    if len(marks) > 10:
        marks = [value for value in marks if value == 10.0 ** round(math.log10(value))]
    ticks = tuple((value, f"{value:,.10g}") for value in marks)
    return Scale(title, ticks, lambda value: math.log(max(value, low) / low) / math.log(high / low))


def percentiles(title: str, answers: int) -> Scale:
    """Each nine as wide as the one before, as far as so many answers know something."""
    end = max(1.0, math.log10(max(answers, 1)))
    marks = [0.0, 50.0, *(100 - 10.0 ** (2 - nines) for nines in range(1, math.floor(end + 1e-9) + 1))]
    ticks = tuple((mark, f"{mark:.10g}") for mark in marks)
    return Scale(title, ticks, lambda percent: min(nines(percent) / end, 1.0))


def nines(percent: float) -> float:
    """How many nines a percentile has: 90 has one, 99 two. 100 has no end of them, and no place on the axis."""
    return -math.log10(max(1 - percent / 100, 1e-9))


def steps(title: str, values: Sequence[float]) -> Scale:
    """Around the positive values that were tried, a tick at each, on a logarithmic scale."""
    low, high = min(values), max(values)
    span = math.log(high / low) or 1.0
    # A little room at both ends: what happens at the first and the last step is not drawn on the frame.
    ticks = tuple((value, f"{value:,.10g}") for value in values)
    return Scale(title, ticks, lambda value: 0.04 + 0.92 * math.log(value / low) / span)


@dataclass(frozen=True)
class Dot:
    """A point of a plot, and what it tells when it is pointed at."""

    x: float
    y: float
    tip: str


class Plot:
    """An SVG of `width` by `height` pixels, at which its text is 12 pixels high."""

    def __init__(self, label: str, width: int, height: int, x: Scale, y: Scale) -> None:
        """An empty plot with its axes. `label` says what it shows to those who do not see it."""
        self._x, self._y = x, y
        self._left = _CHARACTER * max(len(text) for _, text in y.ticks) + 12
        self._right, self._top, self._bottom = width - 18.0, 30.0, height - 46.0
        self._svg = Element(
            "svg", {"class": "plot", "viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": label}
        )
        self._draw_axes()

    def line(self, dots: Sequence[Dot], series: int, *, faint: bool = False, dashed: bool = False) -> None:
        """A line through the dots, and a mark at each that tells its value. Colours and dashes repeat after SERIES.

        `dashed` gives each series dashes of its own, for those who do not see colours and for print.
        """
        path = "M" + "L".join(f"{self._across(dot.x):.1f} {self._up(dot.y):.1f}" for dot in dots)
        if len(dots) == 1:
            path += "h0"  # its round ends are seen
        style = f"line s{series % SERIES}{' faint' if faint else ''}"
        dashes = {"stroke-dasharray": _dash(series)} if dashed else {}
        SubElement(self._svg, "path", {"class": style, "d": path, **dashes})
        for dot in dots:
            self._dot(dot, f"mark s{series % SERIES}", 4)

    def dots(self, dots: Iterable[Dot], series: int) -> None:
        """Dots that are seen."""
        for dot in dots:
            self._dot(dot, f"dot s{series % SERIES}", 5)

    def columns(self, dots: Iterable[Dot], width: float) -> None:
        """Failures: a column from the axis up to each, `width` of the x axis' units wide."""
        for dot in dots:
            left, right = self._across(dot.x - width / 2), self._across(dot.x + width / 2)
            left, right = max(left, self._left), min(right, self._right)
            top = min(self._up(dot.y), self._bottom - 3)
            box = {"x": left, "y": top, "width": max(right - left, 1.5), "height": self._bottom - top}
            SubElement(self._svg, "rect", {"class": "failures", "data-tip": dot.tip, **_rounded(box)})

    def upright(self, x: float, text: str) -> None:
        """A line across the plot at a value of the x axis, with its name beside it."""
        at = self._across(x)
        ends = {"x1": at, "x2": at, "y1": self._top, "y2": self._bottom}
        SubElement(self._svg, "line", {"class": "rule", **_rounded(ends)})
        fits = at + 6 + len(text) * _CHARACTER <= self._right
        self._text(text, at + 6 if fits else at - 6, self._top + 12, "start" if fits else "end", "rule-name")

    def svg(self) -> str:
        """The element, to stand in a page."""
        return tostring(self._svg, encoding="unicode")

    def _draw_axes(self) -> None:
        y_title = f"↑ {self._y.title}"
        self._text(y_title, 2, 14, "start", "axis-title")
        for value, text in self._y.ticks:
            up = self._up(value)
            ends = {"x1": self._left, "x2": self._right, "y1": up, "y2": up}
            SubElement(self._svg, "line", {"class": "grid", **_rounded(ends)})
            self._text(text, self._left - 8, up + 4, "end", "tick")
        ends = {"x1": self._left, "x2": self._right, "y1": self._bottom, "y2": self._bottom}
        SubElement(self._svg, "line", {"class": "axis", **_rounded(ends)})
        self._draw_x_ticks()
        self._text(f"{self._x.title} →", self._right, self._bottom + 20 + _LINE, "end", "axis-title")

    def _draw_x_ticks(self) -> None:
        """From the right, so that the last is there; one that would touch its neighbour goes without its text."""
        free = math.inf
        for value, text in reversed(self._x.ticks):
            at = self._across(value)
            ends = {"x1": at, "x2": at, "y1": self._bottom, "y2": self._bottom + 5}
            SubElement(self._svg, "line", {"class": "axis", **_rounded(ends)})
            half = len(text) * _CHARACTER / 2
            centre = min(at, self._right + 16 - half)
            if centre + half < free:
                self._text(text, centre, self._bottom + 18, "middle", "tick")
                free = centre - half - 8

    def _dot(self, dot: Dot, style: str, radius: float) -> None:
        place = {"cx": self._across(dot.x), "cy": self._up(dot.y), "r": radius}
        SubElement(self._svg, "circle", {"class": style, "data-tip": dot.tip, **_rounded(place)})

    def _text(self, text: str, x: float, y: float, anchor: str, style: str) -> None:
        place = {"class": style, "text-anchor": anchor, **_rounded({"x": x, "y": y})}
        SubElement(self._svg, "text", place).text = text

    def _across(self, value: float) -> float:
        return self._left + self._x.place(value) * (self._right - self._left)

    def _up(self, value: float) -> float:
        return self._bottom - self._y.place(value) * (self._bottom - self._top)


@dataclass(frozen=True)
class Bar:
    """A bar with its name above and its value in words behind it."""

    name: str
    value: float
    words: str
    series: int


def bars(label: str, width: int, x: Scale, given: Sequence[Bar]) -> str:
    """Horizontal bars from 0, as an SVG of `width` pixels and as high as they need."""
    high, room = 46.0, max(len(bar.words) for bar in given) * _CHARACTER + 12
    bottom = high * len(given) + 6
    attributes = {"class": "plot", "viewBox": f"0 0 {width} {bottom + 42:.0f}", "role": "img", "aria-label": label}
    svg = Element("svg", attributes)
    across = width - room
    free = math.inf
    for value, text in reversed(x.ticks):
        at = 1 + x.place(value) * across
        ends = {"x1": at, "x2": at, "y1": 0, "y2": bottom}
        SubElement(svg, "line", {"class": "grid", **_rounded(ends)})
        half = len(text) * _CHARACTER / 2
        centre = max(at, half)
        if centre + half < free:
            style = {"class": "tick", "text-anchor": "middle", **_rounded({"x": centre, "y": bottom + 16})}
            SubElement(svg, "text", style).text = text
            free = centre - half - 8
    for at, bar in enumerate(given):
        top, long = at * high, x.place(bar.value) * across
        SubElement(svg, "text", {"class": "bar-name", **_rounded({"x": 1, "y": top + 16})}).text = bar.name
        box = {"x": 1, "y": top + 22, "width": max(long, 1.5), "height": 16}
        SubElement(svg, "rect", {"class": f"bar s{bar.series % SERIES}", **_rounded(box)})
        place = _rounded({"x": long + 9, "y": top + 34.5})
        SubElement(svg, "text", {"class": "bar-value", **place}).text = bar.words
    place = _rounded({"x": width - 2, "y": bottom + 34})
    SubElement(svg, "text", {"class": "axis-title", "text-anchor": "end", **place}).text = f"{x.title} →"
    return tostring(svg, encoding="unicode")


def swatch(series: int, *, faint: bool, dots: bool) -> str:
    """A short dashed line, or a dot, as it is drawn in a plot, for its legend."""
    svg = Element("svg", {"class": "swatch", "viewBox": "0 0 30 10", "aria-hidden": "true"})
    if dots:
        SubElement(svg, "circle", {"class": f"dot s{series % SERIES}", "cx": "15", "cy": "5", "r": "5"})
        return tostring(svg, encoding="unicode")
    style = f"line s{series % SERIES}{' faint' if faint else ''}"
    SubElement(svg, "path", {"class": style, "d": "M1 5L29 5", "stroke-dasharray": _dash(series)})
    return tostring(svg, encoding="unicode")


def _dash(series: int) -> str:
    return _DASHES[series % len(_DASHES)]


def _round_step(greatest: float) -> float:
    """1, 2 or 5 times a power of ten, of which four to eight make up the greatest."""
    power = 10.0 ** math.floor(math.log10(greatest / 4))
    return max(mark * power for mark in (1.0, 2.0, 5.0) if mark * power <= greatest / 4 * 1.000001)


def _rounded(places: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in places.items()}
