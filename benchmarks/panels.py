"""The dashboard's panels, and what Prometheus answers to their queries, asked as Grafana would ask them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from benchmarks.errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

SCRAPE_SECONDS = 1
"""How often Prometheus scrapes, which Grafana is told in a data source's settings."""

POINTS = 500
"""How many points Grafana asks for at most: a panel's width in pixels, here a third of the picture's."""

DATASOURCE = "prometheus"


class _Told(BaseModel):
    """Something of the dashboard's JSON; what is not drawn is passed over."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Place(_Told):
    """Where a panel lies on a grid of 24 columns."""

    x: int
    y: int
    w: int
    h: int


class Step(_Told):
    """The colour of values from `value` on; None is below all others."""

    color: str
    value: float | None


class Thresholds(_Told):
    """The colours of a stat's values. What none are told of has Grafana's own."""

    mode: Literal["absolute"] = "absolute"
    steps: tuple[Step, ...] = (Step(color="green", value=None), Step(color="red", value=80))

    def color(self, value: float) -> str:
        """The colour of a value."""
        return [step.color for step in self.steps if step.value is None or value >= step.value][-1]


class Stacking(_Told):
    """Whether a series stands on the one before it."""

    mode: Literal["none", "normal"] = "none"


class Custom(_Told):
    """How lines are drawn."""

    draw_style: Literal["line"] = "line"
    fill_opacity: int = 0
    stacking: Stacking = Stacking()


class Defaults(_Told):
    """How all values of a panel are shown."""

    unit: str
    min: float
    max: float | None = None
    custom: Custom = Custom()
    thresholds: Thresholds = Thresholds()


class FieldConfig(_Told):
    """The same, without exceptions for single series: the dashboard has none."""

    defaults: Defaults
    overrides: tuple[()]


class Options(_Told):
    """Whether a stat says what its values are: by itself if there are several."""

    text_mode: Literal["auto", "value_and_name"] = "auto"


class Source(_Told):
    """Whom a query is for."""

    uid: str


class Target(_Told):
    """A query, and what its series are called."""

    expr: str
    legend_format: str
    datasource: Source


class Panel(_Told):
    """A panel as the dashboard has it."""

    type: Literal["stat", "timeseries"]
    title: str
    grid_pos: Place
    field_config: FieldConfig
    options: Options
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Window:
    """The time that is looked at, in seconds since 1970."""

    start: float
    end: float

    @property
    def step(self) -> int:
        """Grafana's $__interval, in seconds: a point for each pixel, but not more often than there is a sample."""
        return max(math.ceil((self.end - self.start) / POINTS), SCRAPE_SECONDS)

    @property
    def rate_interval(self) -> str:
        """Grafana's $__rate_interval: at least four samples."""
        return f"{max(self.step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s"

    @property
    def times(self) -> list[float]:
        """The times that have a value, or a gap."""
        first = math.ceil(self.start / self.step) * self.step
        return [float(at) for at in range(first, math.floor(self.end) + 1, self.step)]


@dataclass(frozen=True)
class Series:
    """A line: a value for each of the window's times, NaN where there is none."""

    name: str
    values: list[float]

    @property
    def last(self) -> float:
        """The last value that there is."""
        return next(value for value in reversed(self.values) if not math.isnan(value))


@dataclass(frozen=True)
class Answered:
    """A panel, and the series that it shows."""

    panel: Panel
    series: list[Series]


@dataclass(frozen=True)
class Look:
    """The whole dashboard, looked at once. `chosen` are its variables by label, as they stand above the panels."""

    title: str
    chosen: dict[str, str]
    window: Window
    panels: list[Answered] = field(default_factory=list)


def fill(text: str, values: Mapping[str, str]) -> str:
    """A query with its variables filled in, $name or ${name}. Raises BenchmarkError if one is not known."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            raise BenchmarkError(f"{text} has the variable {name}, which the dashboard does not have.")
        return values[name]

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)


def legend(template: str, labels: Mapping[str, str]) -> str:
    """What a series is called."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), template)


def look(client: httpx.Client, dashboard: dict[str, Any], window: Window) -> Look:
    """Ask every query of the dashboard, with everything selected. Raises BenchmarkError if a panel shows nothing."""
    values = {"__rate_interval": window.rate_interval}
    chosen = {}
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "datasource":
            values[variable["name"]] = chosen[variable["label"]] = DATASOURCE
        else:
            offered = _offered(client, fill(variable["query"], values))
            values[variable["name"]] = variable["allValue"]
            chosen[variable["label"]] = f"All ({', '.join(offered)})"
    panels = [Panel.model_validate(panel) for panel in dashboard["panels"]]
    return Look(dashboard["title"], chosen, window, [answered(client, panel, values, window) for panel in panels])


def _offered(client: httpx.Client, query: str) -> list[str]:
    """What a variable offers."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    if found is None:
        raise BenchmarkError(f"A variable asks {query}, which is no label_values(series, label).")
    offered: list[str] = _data(client, f"/label/{found[2]}/values", {"match[]": found[1]})
    if not offered:
        raise BenchmarkError(f"A variable has no values: {query}")
    return offered


def answered(client: httpx.Client, panel: Panel, values: Mapping[str, str], window: Window) -> Answered:
    """A panel's series. Raises BenchmarkError if a query has none, a series no value, or all of them are zero."""
    shown, queries = [], []
    for target in panel.targets:
        if fill(target.datasource.uid, values) != DATASOURCE:
            raise BenchmarkError(
                f"Panel “{panel.title}” asks {target.datasource.uid}, not the Prometheus that is chosen."
            )
        query = fill(target.expr, values)
        queries.append(query)
        times = {"start": window.times[0], "end": window.times[-1], "step": window.step}
        told = _data(client, "/query_range", {"query": query, **times})["result"]
        series = [
            Series(legend(target.legend_format, one["metric"]), _values(one["values"], window.times)) for one in told
        ]
        if not series or any(all(map(math.isnan, one.values)) for one in series):
            raise BenchmarkError(f"Panel “{panel.title}” has no data: {query}")
        shown += series
    if not any(value for one in shown for value in one.values if not math.isnan(value)):
        raise BenchmarkError(f"Panel “{panel.title}” shows nothing but zeros: {'; '.join(queries)}")
    return Answered(panel, shown)


def _data(client: httpx.Client, path: str, asked: Mapping[str, str | float]) -> Any:
    answer = client.get(path, params=dict(asked)).json()
    if answer["status"] != "success":
        raise BenchmarkError(f"Prometheus does not answer {dict(asked)}: {answer.get('error')}")
    return answer["data"]


def _values(pairs: list[tuple[float, str]], times: list[float]) -> list[float]:
    found = {time: float(value) for time, value in pairs}
    return [value if math.isfinite(value := found.get(time, math.nan)) else math.nan for time in times]
