"""Axes and marks: where values are, whatever they are."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from scorewright.loadtests import chart
from scorewright.loadtests.chart import Bar, Dot, Plot, Scale

positive = st.floats(1e-3, 1e8)


def check(scale: Scale, *values: float) -> None:
    """Its ticks are in order and within the axis, and so are the values."""
    places = [scale.place(value) for value, _ in scale.ticks]
    assert len(places) >= 2
    assert all(one < other for one, other in pairwise(places))
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in values)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    labels = [label for _, label in scale.ticks]
    assert len(set(labels)) == len(labels)


@given(st.just(0.0) | st.floats(1e-3, 1e9))
def test_a_linear_axis_begins_at_nothing(greatest: float) -> None:
    scale = chart.linear("x (s)", greatest)
    check(scale, 0.0, greatest)
    assert scale.ticks[0] == (0.0, "0")
    assert 4 <= len(scale.ticks) <= 12


@given(positive, positive)
def test_a_logarithmic_axis_holds_its_values(one: float, other: float) -> None:
    scale = chart.logarithmic("x (ms)", min(one, other), max(one, other))
    check(scale, one, other)
    assert len(scale.ticks) <= 13


@given(st.integers(1, 10**8))
def test_an_axis_of_percentiles_ends_where_answers_end(answers: int) -> None:
    scale = chart.percentiles("percentile (%)", answers)
    check(scale, 0.0, 100 * (1 - 1 / answers), 100.0)
    assert [label for _, label in scale.ticks[:3]] == ["0", "50", "90"]


@given(st.lists(positive, min_size=2, max_size=12, unique_by=lambda value: f"{value:,.10g}").map(sorted))
def test_an_axis_of_steps_has_them_all(values: list[float]) -> None:
    check(chart.steps("users", values), *values)


def plot() -> Plot:
    return Plot("a label", 400, 200, chart.linear("time (s)", 10), chart.linear("rate (1/s)", 5))


def test_a_line_goes_where_its_dots_are() -> None:
    drawn = plot()
    drawn.line([Dot(0, 0, "a <b>"), Dot(10, 5, "c")], 1)
    svg = ElementTree.fromstring(drawn.svg())  # noqa: S314  # our own
    (path,) = svg.iter("path")
    marks = [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in svg.iter("circle")]
    assert path.get("d") == "M" + "L".join(f"{across:.1f} {up:.1f}" for across, up in marks)
    (left, bottom), (right, top) = marks
    assert right - left > 300
    assert bottom - top > 100
    assert [one.get("data-tip") for one in svg.iter("circle")] == ["a <b>", "c"]


def test_a_lone_dot_is_seen() -> None:
    drawn = plot()
    drawn.line([Dot(4, 2, "")], 0)
    (path,) = ElementTree.fromstring(drawn.svg()).iter("path")  # noqa: S314
    assert (path.get("d") or "").endswith("h0")


def test_ticks_that_would_touch_go_without_text() -> None:
    def told(width: int) -> list[str]:
        labels = chart.linear("x (s)", 100_000)
        svg = ElementTree.fromstring(Plot("", width, 200, labels, labels).svg())  # noqa: S314
        return [one.text or "" for one in svg.iter("text") if one.get("text-anchor") == "middle"]

    assert len(told(900)) == 6
    assert 2 <= len(told(200)) < 6
    assert told(200)[0] == "100,000", "the last is always there"


def test_bars_are_as_long_as_they_are_much() -> None:
    given = [Bar("a", 10, "10", 0), Bar("b", 40, "40", 1)]
    svg = ElementTree.fromstring(chart.bars("bars", 600, chart.linear("rows (rows/s)", 40), given))  # noqa: S314
    short, long = (float(one.get("width", "")) for one in svg.iter("rect"))
    assert abs(long / short - 4) < 0.01
