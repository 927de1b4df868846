"""The dashboard's picture: queries as Grafana asks them, panels where they belong, and none that shows nothing."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from benchmarks.dashboard import DASHBOARD
from benchmarks.errors import BenchmarkError
from benchmarks.panels import Panel, Place, Thresholds, Window, answered, fill, legend, look
from benchmarks.picture import GAP, WIDTH, draw, place
from benchmarks.units import unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WINDOW = Window(1000.5, 1010.2)
VALUES = {"datasource": "prometheus", "job": ".*", "instance": ".*", "__rate_interval": "4s"}
ALL = [[float(at), "1"] for at in range(1001, 1011)]


def dashboard() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return told


def panel(title: str) -> Panel:
    (found,) = [one for one in dashboard()["panels"] if one["title"] == title]
    return Panel.model_validate(found)


def prometheus(answer: Callable[[httpx.Request], Any]) -> httpx.Client:
    """A Prometheus that says to each request what a function does."""

    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"status": "success", "data": answer(request)})

    return httpx.Client(base_url="http://prometheus/api/v1", transport=httpx.MockTransport(handle))


def one_series(values: list[list[Any]], **labels: str) -> dict[str, Any]:
    return {"result": [{"metric": labels, "values": values}]}


def test_variables_are_filled_in_however_they_are_written() -> None:
    assert fill('x{job=~"$job"}[$__rate_interval]', VALUES) == 'x{job=~".*"}[4s]'
    assert fill("${datasource}", VALUES) == "prometheus"
    with pytest.raises(BenchmarkError, match="has the variable jobs"):
        fill('x{job=~"$jobs"}', VALUES)


@pytest.mark.parametrize(
    ("seconds", "step", "rate_interval"), [(60, 1, "4s"), (500, 1, "4s"), (501, 2, "4s"), (5000, 10, "11s")]
)
def test_a_point_is_a_pixel_and_a_rate_has_four_samples(seconds: float, step: int, rate_interval: str) -> None:
    window = Window(1000, 1000 + seconds)
    assert (window.step, window.rate_interval) == (step, rate_interval)
    assert all(time % step == 0 and 1000 <= time <= 1000 + seconds for time in window.times)


def test_a_series_is_called_by_its_labels() -> None:
    assert legend("{{route}} {{ status }} {{none}}", {"route": "/score", "status": "200"}) == "/score 200 "


def test_a_panel_asks_its_own_query_and_has_gaps_where_there_is_no_value() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> Any:
        asked.append(request.url.params["query"])
        assert (request.url.params["start"], request.url.params["end"]) == ("1001.0", "1010.0")
        return one_series([[1001, "7"], [1002, "NaN"], [1004, "+Inf"]], route="/score", status="200")

    (series,) = answered(prometheus(answer), panel("Requests by status"), VALUES, WINDOW).series
    assert asked == [
        'sum by (route, status) (rate(scorewright_requests_total{job=~".*",instance=~".*",route=~"/score|/v2"}[4s]))'
    ]
    assert series.name == "/score 200"
    assert series.last == 7
    assert [at for at, value in enumerate(series.values) if not math.isnan(value)] == [0]
    assert len(series.values) == len(WINDOW.times) == 10


@pytest.mark.parametrize(
    "nothing",
    [
        {"result": []},
        one_series([[1001, "NaN"], [1002, "NaN"]]),
        {"result": [{"metric": {}, "values": ALL}, {"metric": {"a": "b"}, "values": [[1001, "NaN"]]}]},
    ],
)
def test_a_query_without_data_is_an_error_although_the_panels_others_have_some(nothing: dict[str, Any]) -> None:
    def answer(request: httpx.Request) -> Any:
        return nothing if "0.95" in request.url.params["query"] else one_series(ALL)

    with pytest.raises(
        BenchmarkError, match=r"^Panel “Latency” has no data: histogram_quantile\(0\.95, .*\[4s\]\)\)\)$"
    ):
        answered(prometheus(answer), panel("Latency"), VALUES, WINDOW)


def test_a_panel_of_zeros_is_an_error() -> None:
    client = prometheus(lambda _: one_series([[1001, "0"], [1002, "0"]]))
    with pytest.raises(
        BenchmarkError, match=r"^Panel “Restarts” shows nothing but zeros: .*scorer_restarts.*; .*front_"
    ):
        answered(client, panel("Restarts"), VALUES, WINDOW)


def test_another_prometheus_and_a_query_that_is_refused_are_errors() -> None:
    with pytest.raises(BenchmarkError, match=r"asks \${datasource}, not the Prometheus that is chosen"):
        answered(prometheus(lambda _: None), panel("Fronts"), {**VALUES, "datasource": "other"}, WINDOW)
    refusing = httpx.MockTransport(lambda _: httpx.Response(400, json={"status": "error", "error": "parse error"}))
    client = httpx.Client(base_url="http://prometheus", transport=refusing)
    with pytest.raises(BenchmarkError, match="parse error"):
        answered(client, panel("Fronts"), VALUES, WINDOW)


def test_what_cannot_be_drawn_is_not_left_out() -> None:
    (one,) = [one for one in dashboard()["panels"] if one["title"] == "Fronts"]
    with pytest.raises(ValueError, match="type"):
        Panel.model_validate({**one, "type": "heatmap"})
    with pytest.raises(BenchmarkError, match="The unit watt cannot be drawn"):
        unit("watt", 1)


def test_panels_fill_the_grid_without_overlap() -> None:
    boxes = [place(Panel.model_validate(one).grid_pos) for one in dashboard()["panels"]]
    for (left, top, width, high), (other_left, other_top, other_width, other_high) in combinations(boxes, 2):
        beside = left + width <= other_left or other_left + other_width <= left
        above = top + high <= other_top or other_top + other_high <= top
        assert beside or above
    assert min(left for left, *_ in boxes) == GAP
    assert max(left + width for left, _, width, _ in boxes) == pytest.approx(WIDTH - GAP)
    left, top, width, high = place(Place(x=12, y=4, w=12, h=8))
    assert left == pytest.approx(WIDTH / 2 + GAP / 2)
    assert width == pytest.approx(WIDTH / 2 - 1.5 * GAP)
    assert place(Place(x=12, y=12, w=12, h=8))[1] == top + high + GAP


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("short", 0, "0"),
        ("short", 12_340, "12.3 K"),
        ("reqps", 129.6, "130 req/s"),
        ("percentunit", 0.0123, "1.23%"),
        ("s", 0.00319, "3.19 ms"),
        ("s", 1.5, "1.5 s"),
        ("bytes", 500 * 2**20, "500 MiB"),
    ],
)
def test_values_have_their_units(name: str, value: float, told: str) -> None:
    assert unit(name, value).told(value) == told


def test_a_stat_has_the_colour_of_its_threshold() -> None:
    errors = panel("Errors").field_config.defaults.thresholds
    assert [errors.color(value) for value in (0, 0.0099, 0.01)] == ["green", "green", "red"]
    assert panel("Requests").field_config.defaults.thresholds.color(1e6) == "green"
    # Grafana's own, where a panel has none.
    assert [Thresholds().color(value) for value in (-1, 79.9, 80)] == ["green", "green", "red"]


def test_the_whole_dashboard_is_drawn(tmp_path: Path) -> None:
    from PIL import Image

    def answer(request: httpx.Request) -> Any:
        if request.url.path.endswith("/job/values"):
            assert request.url.params["match[]"] == "scorewright_ready"
            return ["churn"]
        if request.url.path.endswith("/instance/values"):
            assert request.url.params["match[]"] == 'scorewright_ready{job=~".*"}'
            return ["one", "two"]
        return one_series(ALL, instance="one")

    seen = look(prometheus(answer), dashboard(), WINDOW)
    assert seen.chosen == {"Prometheus": "prometheus", "Job": "All (churn)", "Instance": "All (one, two)"}
    assert [one.panel.title for one in seen.panels] == [one["title"] for one in dashboard()["panels"]]
    draw(seen, tmp_path / "dashboard.png")
    with Image.open(tmp_path / "dashboard.png") as drawn:
        assert drawn.size == (WIDTH, 1730)


def test_a_variable_without_values_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match=r"no values: label_values\(scorewright_ready, job\)"):
        look(prometheus(lambda _: []), dashboard(), WINDOW)
