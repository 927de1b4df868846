"""What a service is held to: what can be asked, what is refused, and what is kept."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.errors import SloMissedError, UsageError
from scorewright.loadtests.measurements import Bulk, Histogram, ScenarioName
from scorewright.loadtests.slo import Slo, enforce
from tests.loadtests.runs import bulk, mixed, nothing, ramped, run, scenario

FIGURES = ["p50<9s", "mean<9s", "max<9s", "p99.9<=9s", "errors<=100%", "rps>0", "rows/s>=0"]

BASE = scenario()

scenarios = st.sampled_from(["", *(f"{name}." for name in get_args(ScenarioName))])
numbers = st.one_of(st.integers(0, 10**6).map(str), st.floats(0, 1e6).map(lambda value: f"{value:.3f}"), st.just("1e5"))
times = st.tuples(
    st.sampled_from(["p50", "p90", "p95", "p99.9", "p1", "max", "mean", "P99"]),
    st.sampled_from(["<", "<="]),
    numbers,
    st.sampled_from(["us", "µs", "ms", "s", " ms"]),
)
speeds = st.tuples(st.sampled_from(["rps", "rows/s"]), st.sampled_from([">", ">="]), numbers, st.just(""))


@given(scenarios, st.one_of(times, speeds))
def test_what_can_be_asked_is_understood(prefix: str, asked: tuple[str, str, str, str]) -> None:
    figure, comparison, value, unit = asked
    if prefix == "bulk." and figure == "rps":
        return
    (clause,) = Slo.parse(prefix + "".join(asked)).clauses
    assert (clause.figure, clause.comparison) == (figure.lower(), comparison)
    assert clause.scenario == (prefix.rstrip(".") or None)
    factor = {"us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3, "": 1}[unit.strip()]
    assert math.isclose(clause.limit, float(value) * factor, abs_tol=1e-12)


@given(st.text(alphabet="p95<>=.,%msrows/ebulk-1 µ", max_size=14) | st.text(max_size=8))
def test_a_text_is_understood_or_refused_with_its_place(text: str) -> None:
    try:
        slo = Slo.parse(text)
    except UsageError as error:
        assert f"--slo {text!r}, at character " in error.message
        assert "For example" in error.hint
    else:
        assert len(slo.clauses) == text.count(",") + 1
        assert all(math.isfinite(clause.limit) for clause in slo.clauses)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at character 1: a clause is empty"),
        ("p99<5ms,", "at character 9: a clause is empty"),
        ("p99<5ms, p98", "at character 10: 'p98' is not a figure"),
        ("p99<5", "p99 is a time, and it has no unit; write 5ms"),
        ("p99<5min", "p99 is a time, and 'min' is no unit of it; write 5ms"),
        ("p99=5ms", "'p99=5ms' is not a figure, then one of < <= > >="),
        ("p100<5ms", "there is no figure 'p100'"),
        ("p0<5ms", "there is no figure 'p0'"),
        ("speed>5", "there is no figure 'speed'"),
        ("errors<1", "errors are a share of the requests; write 1%"),
        ("errors<101%", "never more than 100 %"),
        ("rps>5ms", "rps has no unit; write it without 'ms'"),
        ("p99>5ms", "p99 is the better the smaller it is; write p99<5ms"),
        ("rps<=500", "rps is the better the greater it is; write rps>=500"),
        ("fast.p99<5ms", "there is no scenario 'fast'"),
        ("bulk.rps>5", "ask for bulk.rows/s"),
        ("p99<1e999ms", "is not a figure"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Slo.parse(text)
    assert said in caught.value.message
    assert "realtime, client-batch, bulk, mixed" in caught.value.hint


@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=60), st.floats(0.01, 1e5))
def test_a_percentile_is_kept_or_not_as_it_was_measured(latencies: list[float], limit: float) -> None:
    of = replace(BASE, requests=len(latencies), latency=Histogram.of(latencies))
    for percent in (50, 99):
        (verdict,) = Slo.parse(f"p{percent}<={limit:.6f}ms").judge(run(of))
        found = of.latency.percentile(percent)
        assert verdict.value == found
        assert found is not None
        assert verdict.met == (found <= float(f"{limit:.6f}"))


@pytest.mark.parametrize("clause", FIGURES)
def test_nothing_is_kept_without_requests(clause: str) -> None:
    (verdict,) = Slo.parse(clause).judge(run(nothing()))
    assert not verdict.met
    assert verdict.found == "no requests"
    (verdict,) = Slo.parse(f"bulk.{clause}" if clause != "rps>0" else clause).judge(run(nothing("bulk")))
    assert not verdict.met


@pytest.mark.parametrize(
    ("clause", "value", "words", "found"),
    [
        ("p99<50ms", 50.04, "p99 < 50 ms", "50.04 ms"),
        ("p99<1.2345s", 1300.0, "p99 < 1.2345 s", "1.3 s"),
        ("p50<500us", 0.4, "p50 < 0.5 ms", "0.4 ms"),
        ("mean<=50ms", 50.0, "mean <= 50 ms", "50 ms"),
    ],
)
def test_what_was_wanted_and_found_are_told_apart(clause: str, value: float, words: str, found: str) -> None:
    of = scenario(requests=100, latency=Histogram.of([value] * 100))
    (verdict,) = Slo.parse(clause).judge(run(of))
    assert (verdict.wanted, verdict.found) == (words, found)


def test_a_small_share_of_errors_is_told_as_it_was_asked() -> None:
    (verdict,) = Slo.parse("errors<0.005%").judge(run(scenario()))
    assert (verdict.wanted, verdict.found, verdict.met) == ("errors < 0.005 %", "0 %", True)


def test_a_clause_about_what_was_not_measured_is_not_kept() -> None:
    verdicts = Slo.parse("bulk.rows/s>1,rps>1").judge(run(scenario()))
    assert [(one.scenario, one.found, one.met) for one in verdicts] == [
        ("", "not measured in this run", False),
        ("real-time", "929 requests/s", True),
    ]


def test_a_latency_is_not_kept_without_a_right_answer() -> None:
    failed = scenario(requests=10, failures={"HTTP 500": 10}, latency=Histogram())
    (p99, errors) = Slo.parse("p99<1s,errors<100%").judge(run(failed))
    assert (p99.found, p99.met) == ("no right answer", False)
    assert (errors.found, errors.met) == ("100 %", False)


def test_who_is_held_to_what() -> None:
    verdicts = Slo.parse("p99<1s,errors<1%,rows/s>1,client-batch.p50<1s,bulk.max<2s").judge(
        run(scenario(), scenario("client-batch", 10), scenario("client-batch", 100), bulk(), mixed())
    )
    batched = ["client-batched, 10 rows a request", "client-batched, 100 rows a request"]
    asked = ["real-time", *batched, "real-time beside bulk"]
    everyone = ["real-time", *batched, "bulk", "real-time beside bulk"]
    assert [one.scenario for one in verdicts] == [*asked, *everyone, *everyone, *batched, "bulk"]
    assert verdicts[-1].value == 1530.0


def test_rows_that_failed_are_a_bulk_jobs_errors() -> None:
    job = Bulk(job_id="1", rows=1000, failed_rows=20, seconds=1.0, fetch_seconds=0.0)
    (verdict,) = Slo.parse("errors<1%").judge(run(scenario("bulk", 1000, requests=1, failures={}, bulk=job)))
    assert (verdict.found, verdict.met) == ("2 %", False)


def test_a_ramp_is_judged_where_it_last_keeps_all() -> None:
    of = ramped()
    slo = Slo.parse("p99<10ms,rps>2000")
    step = slo.held_step(of)
    assert step is not None
    assert step.users == 16
    assert [one.found.partition(" at ")[2] for one in slo.judge(run(of))] == ["16 users", "16 users"]
    assert all(one.met for one in slo.judge(run(of)))


def test_a_ramp_that_never_keeps_all_is_judged_where_it_first_keeps_most() -> None:
    of = ramped()
    assert [one.found.partition(" at ")[2] for one in Slo.parse("p99<1us").judge(run(of))] == ["1 user"]
    slo = Slo.parse("p99<1us,rps>6000")
    assert slo.held_step(of) is None
    assert [(one.found.partition(" at ")[2], one.met) for one in slo.judge(run(of))] == [
        ("32 users", False),
        ("32 users", True),
    ]


def test_what_is_missed_is_an_error_that_names_it() -> None:
    enforce(Slo.parse("p99<1s").judge(run(scenario())))
    with pytest.raises(
        SloMissedError, match=r"1 of 2 demands .* real-time: wanted p50 < 0\.001 ms, found 2\."
    ) as error:
        enforce(Slo.parse("p99<1s,p50<1us").judge(run(scenario())))
    assert error.value.exit_code == 14
