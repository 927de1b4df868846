"""A dashboard as a picture: every panel at its place on Grafana's grid, in Grafana's dark colours."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from benchmarks.units import unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from benchmarks.panels import Answered, Look, Place, Series

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels, from the picture's upper left corner."""

Align = Literal["left", "center", "right"]

WIDTH = 1600
HEAD = 58
COLUMNS = 24
ROW = 38
GAP = 8
DPI = 100
_TITLE, _LINE, _TICKS, _AXIS = 32, 19, 66, 22
"""Heights of a panel's title, of a line of its legend and of its time axis' texts, and the width of the other's."""

_PAGE, _PANEL, _EDGE, _GRID = "#111217", "#181b1f", "#2c2f34", "#2a2d33"
_TEXT, _FAINT = "#ccccdc", "#9a9ba8"
_NAMED = {"green": "#73bf69", "red": "#f2495c", "yellow": "#fade2a", "orange": "#ff9830"}
_SERIES = (
    *("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0"),
    *("#508642", "#cca300", "#447ebc", "#c15c17"),
)


def place(at: Place) -> Box:
    """Where a panel lies."""
    column = (WIDTH - GAP) / COLUMNS
    return GAP + at.x * column, HEAD + at.y * ROW, at.w * column - GAP, at.h * ROW - GAP


def height(panels: Sequence[Answered]) -> int:
    """How high the picture of so many panels is."""
    return HEAD + ROW * max(one.panel.grid_pos.y + one.panel.grid_pos.h for one in panels)


class Picture:
    """A figure whose measures are pixels from its upper left corner."""

    def __init__(self, shown: Look) -> None:
        """The page and its head, without panels."""
        from matplotlib.figure import Figure

        self._shown = shown
        self._height = height(shown.panels)
        self._figure = Figure(figsize=(WIDTH / DPI, self._height / DPI), dpi=DPI, facecolor=_PAGE)
        self._text(GAP + 4, 20, shown.title, size=13, bold=True)
        chosen = "     ".join(f"{label}: {value}" for label, value in shown.chosen.items())
        self._text(GAP + 4, 42, chosen, color=_FAINT)
        start, end = (datetime.fromtimestamp(at, UTC) for at in (shown.window.start, shown.window.end))
        self._text(WIDTH - GAP, 20, f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC", align="right")
        said = "Prometheus' answers to the dashboard's own queries; drawn by `make dashboard`, not by Grafana"
        self._text(WIDTH - GAP, 42, said, color=_FAINT, align="right")

    def draw(self, one: Answered) -> None:
        """A panel."""
        left, top, width, high = place(one.panel.grid_pos)
        self._axes((left, top, width, high), _PANEL)
        self._text(left + 10, top + 17, one.panel.title, bold=True)
        if one.panel.type == "stat":
            part = width / len(one.series)
            for number, series in enumerate(one.series):
                self._stat(one, series, (left + number * part, top + _TITLE, part, high - _TITLE))
        else:
            names = [series.name for series in one.series]
            lines = self._legend(names, (left + 10, top + high, width - 20, 0))
            box = (left + _TICKS, top + _TITLE, width - _TICKS - 14, high - _TITLE - _AXIS - lines * _LINE - 8)
            self._lines(one, box)

    def save(self, file: Path) -> None:
        """Write it as png."""
        self._figure.savefig(file, dpi=DPI, pil_kwargs={"optimize": True})

    def _axes(self, box: Box, color: str) -> Axes:
        left, top, width, high = box
        axes = self._figure.add_axes(
            (left / WIDTH, 1 - (top + high) / self._height, width / WIDTH, high / self._height), facecolor=color
        )
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color(_EDGE)
        return axes

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 9,
        color: str = _TEXT,
        align: Align = "left",
        bold: bool = False,
    ) -> Text:
        """Write something at a height."""
        weight = "bold" if bold else "normal"
        return self._figure.text(
            x / WIDTH,
            1 - y / self._height,
            text,
            fontsize=size,
            color=color,
            ha=align,
            va="center",
            fontweight=weight,
            parse_math=False,
        )

    def _legend(self, names: Sequence[str], box: Box) -> int:
        """Names with their colours above the box' lower edge, in as many lines as they need; how many that are."""
        left, bottom, width, _ = box
        written = [self._text(left, bottom, name, size=8) for name in names]
        sizes = [text.get_window_extent().width + 36 for text in written]
        lines: list[list[int]] = [[]]
        for number, size in enumerate(sizes):
            if lines[-1] and sum(sizes[other] for other in lines[-1]) + size > width:
                lines.append([])
            lines[-1].append(number)
        for line, numbers in enumerate(lines):
            x, y = left, bottom - 13 - _LINE * (len(lines) - 1 - line)
            for number in numbers:
                self._text(x, y, "━", color=_color(number), bold=True)
                written[number].set_position(((x + 16) / WIDTH, 1 - y / self._height))
                x += sizes[number]
        return len(lines)

    def _stat(self, one: Answered, series: Series, box: Box) -> None:
        """The last value, in its threshold's colour, above a small line of all values."""
        left, top, width, high = box
        config = one.panel.field_config.defaults
        color = _NAMED[config.thresholds.color(series.last)]
        named = one.panel.options.text_mode == "value_and_name" or len(one.series) > 1
        if named:
            self._text(left + width / 2, top + 10, series.name, color=_TEXT, align="center")
        told = unit(config.unit, series.last).told(series.last)
        self._text(left + width / 2, top + (38 if named else 30), told, size=22, color=color, align="center", bold=True)
        axes = self._axes((left + 1, top + high - 38, width - 2, 37), "none")
        axes.axis("off")
        times = self._shown.window.times
        axes.plot(times, series.values, color=color, linewidth=1)
        axes.fill_between(times, series.values, color=color, alpha=0.15, linewidth=0)
        axes.set_xlim(times[0], times[-1])
        axes.set_ylim(config.min, 1.05 * _greatest([series.values]))

    def _lines(self, one: Answered, box: Box) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

        config = one.panel.field_config.defaults
        stacked = config.custom.stacking.mode == "normal"
        drawn = _stacked(one.series) if stacked else [series.values for series in one.series]
        top = config.max or 1.05 * _greatest(drawn)
        size = unit(config.unit, top)
        axes = self._axes(box, "none")
        axes.spines[:].set_visible(False)
        times = self._shown.window.times
        below = [0.0] * len(times)
        for number, values in enumerate(drawn):
            shown = [value / size.size for value in values]
            # The first lies on top: series that add nothing to a stack do not hide the one that did.
            axes.plot(times, shown, color=_color(number), linewidth=1.2, zorder=3 - number / len(drawn))
            if config.custom.fill_opacity:
                alpha = config.custom.fill_opacity / 100
                axes.fill_between(times, below, shown, color=_color(number), alpha=alpha, linewidth=0)
            below = shown if stacked else below
        axes.set_xlim(times[0], times[-1])
        axes.set_ylim(config.min / size.size, top / size.size)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{size.name}"))
        axes.xaxis.set_major_locator(MultipleLocator(60))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{datetime.fromtimestamp(at, UTC):%H:%M}"))
        axes.tick_params(colors=_FAINT, labelsize=8, length=0, pad=5)
        axes.grid(color=_GRID, linewidth=0.8)
        axes.set_axisbelow(True)


def draw(shown: Look, file: Path) -> None:
    """Draw the whole dashboard into a png."""
    picture = Picture(shown)
    for one in shown.panels:
        picture.draw(one)
    picture.save(file)


def _color(number: int) -> str:
    return _SERIES[number % len(_SERIES)]


def _greatest(lines: Sequence[Sequence[float]]) -> float:
    """The greatest value; 1 if there is none above zero, which needs a scale all the same."""
    return max((value for line in lines for value in line if value > 0), default=1.0)


def _stacked(series: Sequence[Series]) -> list[list[float]]:
    """Each series on top of those before it; a gap counts as nothing for those above."""
    below = [0.0] * len(series[0].values)
    lines = []
    for one in series:
        line = [under + value for under, value in zip(below, one.values, strict=True)]
        below = [under if math.isnan(value) else value for under, value in zip(below, line, strict=True)]
        lines.append(line)
    return lines
