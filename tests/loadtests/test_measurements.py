from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.errors import LoadTestError
from scorewright.loadtests.measurements import (
    Bulk,
    Environment,
    Generator,
    Histogram,
    Point,
    Run,
    Scenario,
    Step,
)

LATENCIES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200)


@given(LATENCIES, st.sampled_from([1, 50, 90, 95, 99, 99.9, 100]))
def test_a_percentile_is_within_one_percent_of_the_latency_of_its_rank(values: list[float], percent: float) -> None:
    exact = sorted(values)[max(1, math.ceil(percent / 100 * len(values) - 1e-9)) - 1]
    assert Histogram.of(values).percentile(percent) == pytest.approx(exact, rel=0.0101)


@given(LATENCIES, LATENCIES)
def test_merged_is_the_histogram_of_all(some: list[float], others: list[float]) -> None:
    merged = Histogram.merged([Histogram.of(some), Histogram(), Histogram.of(others)])
    at_once = Histogram.of(some + others)
    assert merged.counts == at_once.counts
    assert (merged.least_ms, merged.greatest_ms) == (at_once.least_ms, at_once.greatest_ms)
    assert merged.sum_ms == pytest.approx(at_once.sum_ms)


def test_nothing_has_no_percentile() -> None:
    empty = Histogram.merged([])
    assert (empty.total, empty.percentile(99), empty.mean_ms) == (0, None, None)


def test_a_run_survives_json() -> None:
    run = _run()
    assert Run.from_json(run.to_json(), where="measurements.json") == run


def test_other_json_is_refused_with_its_place() -> None:
    with pytest.raises(LoadTestError, match=r"old\.json holds no measurements of a load test: schema_version"):
        Run.from_json(_run().to_json().replace('"schema_version": 1', '"schema_version": 9'), where="old.json")
    with pytest.raises(LoadTestError, match=r"x\.json holds no measurements"):
        Run.from_json("{", where="x.json")


def test_rates_are_of_right_answers_and_no_request_is_all_errors() -> None:
    scenario = _run().scenarios[0]
    assert (scenario.failed, scenario.rows) == (25, 750)
    assert scenario.requests_per_second == 70 / 2  # five of the 75 came too late
    assert scenario.rows_per_second == 350
    assert scenario.error_share == 0.25
    nothing = Scenario(
        "realtime", "", 1, "closed", 1, None, 0.0, 0, {}, 0, 0, Histogram(), 0, 0, (), Generator(1, 0, 0, False, "")
    )
    assert (nothing.error_share, nothing.rows_per_second, nothing.cost_to_p99) == (1.0, 0.0, None)


def _run() -> Run:
    generator = Generator(1, 0.25, 0.0, False, "")
    latency = Histogram.of([float(n) for n in range(1, 76)])
    scenario = Scenario(
        name="mixed",
        label="10 rows a request",
        rows_per_request=10,
        loop="closed",
        users=4,
        rate=None,
        seconds=2.0,
        requests=100,
        failures={"HTTP 503": 20, "wrong answer": 5},
        wrong_answers=5,
        answered=70,
        latency=latency,
        bytes_sent=1000,
        bytes_received=2000,
        timeline=(Point(0, 60, 20, 30, 1.0, 2.0, 3.0), Point(1, 40, 5, 40, None, None, None)),
        generator=generator,
        ramp=(Step(4, None, 2.0, 100, 25, 70, latency, generator),),
        bulk=Bulk("j1", 1000, 10, 3.0, 0.3),
        idle_latency=latency,
    )
    return Run(
        url="http://127.0.0.1:5001/score",
        started="2026-11-21T16:00:00+00:00",
        seconds=5.0,
        environment=Environment({"locust": "2"}, {"cores": "2"}, {"server": "x"}),
        settings={"users": 4, "rate": None, "slo": "p99<50ms"},
        scenarios=(scenario,),
    )
