from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.loadtests.locust_process import Recorded
from scorewright.loadtests.measurements import Bulk, Histogram
from scorewright.loadtests.outcome import generator, load_scenario, mixed_scenario
from scorewright.loadtests.recorder import Cell, Recorder
from scorewright.loadtests.settings import Load

ENDED = st.tuples(
    st.integers(-2, 3),
    st.floats(0.001, 1e5),
    st.sampled_from(["", "", "HTTP 503", "wrong answer"]),
    st.integers(0, 999),
    st.integers(0, 999),
)


@given(st.lists(st.lists(ENDED, max_size=20), max_size=4))
def test_what_processes_deliver_adds_up(processes: list[list[tuple[int, float, str, int, int]]]) -> None:
    total, at_once = Recorder(), Recorder()
    for ended in processes:
        one = Recorder()
        for second, latency, failure, sent, received in ended:
            one.add(second, latency, failure, sent, received, f"{failure}!")
            at_once.add(second, latency, failure, sent, received, f"{failure}!")
        total.merge(Recorder.from_wire(json.loads(json.dumps(one.to_wire()))))
    right = [latency for ended in processes for second, latency, failure, _, _ in ended if second >= 0 and not failure]
    counted = total.counted()
    assert counted.latency.counts == Histogram.of(right).counts
    assert counted.latency.sum_ms == pytest.approx(sum(right))
    assert (counted.requests, counted.failures) == (at_once.counted().requests, at_once.counted().failures)
    assert (counted.sent, counted.received) == (at_once.counted().sent, at_once.counted().received)
    assert total.examples == {kind: f"{kind}!" for kind in counted.failures}


def recorded(*, seconds: int = 1, cpu: float = 0.2, late: int = 0, lost: int = 0, zero: float = 100.0) -> Recorded:
    recorder = Recorder(cpu_share=cpu, late=late, behind_seconds=0.05 if late else 0.0)
    for second in range(seconds):
        for _ in range(100):
            recorder.add(second, 1.0 + second, "", 10, 20)
    return Recorded(zero, recorder, lost)


@pytest.mark.parametrize(
    ("given_recorded", "load", "words"),
    [
        (recorded(), Load(8), ""),
        (recorded(), Load(8, 100.0), ""),
        (recorded(late=1), Load(8, 100.0), ""),
        (recorded(cpu=0.95), Load(8), "Its busiest process used 95 % of a core."),
        (recorded(cpu=0.4), Load(1), "Its own work took 40 % of each user's time, so that the endpoint was asked less"),
        (recorded(cpu=0.4), Load(1, 100.0), ""),
        (recorded(late=5), Load(8, 100.0), "5 % of the requests were sent more than 10 ms late, the latest 50 ms"),
        (recorded(lost=1), Load(8), "1 of its 2 processes died"),
    ],
)
def test_the_generator_says_when_it_is_the_limit(given_recorded: Recorded, load: Load, words: str) -> None:
    found = generator(given_recorded, load, 2 if given_recorded.lost else 1)
    assert found.limited == bool(words)
    assert found.words.startswith(words)


def test_a_ramp_is_put_on_one_line_of_time() -> None:
    steps = [(Load(1), recorded(seconds=2)), (Load(2), recorded(seconds=2))]
    scenario = load_scenario("realtime", 1, 2.0, steps, processes=1)
    assert [point.second for point in scenario.timeline] == [0, 1, 2, 3]
    assert [step.users for step in scenario.ramp] == [1, 2]
    assert (scenario.requests, scenario.seconds, scenario.users) == (400, 4.0, 2)


def test_mixed_counts_whole_seconds_before_and_beside_the_job() -> None:
    bulk = Bulk("j", 10, 0, 3.0, 0.1)
    found = mixed_scenario(Load(2), recorded(seconds=8, zero=50.0), bulk, idle=3, began=53.2, ended=56.9, processes=1)
    assert found is not None
    assert (found.requests, found.seconds) == (200, 2.0)  # the seconds 4 and 5
    assert found.latency.greatest_ms == 6.0
    assert found.idle_latency is not None
    assert (found.idle_latency.total, found.idle_latency.greatest_ms) == (300, 3.0)


def test_a_wrong_answer_before_the_job_is_none_the_less_wrong() -> None:
    bulk = Bulk("j", 10, 0, 3.0, 0.1)
    given_recorded = recorded(seconds=8, zero=50.0)
    given_recorded.recorder.add(1, 1.0, "wrong answer", 10, 20, "predict[0] is 2, not 1")
    found = mixed_scenario(Load(2), given_recorded, bulk, idle=3, began=53.2, ended=56.9, processes=1)
    assert found is not None
    assert (found.requests, found.failures, found.wrong_answers) == (201, {"wrong answer": 1}, 1)


def test_a_job_that_is_over_at_once_shows_nothing() -> None:
    bulk = Bulk("j", 10, 0, 0.4, 0.1)
    none = mixed_scenario(Load(2), recorded(seconds=8, zero=50.0), bulk, idle=3, began=53.2, ended=53.6, processes=1)
    assert none is None


def test_a_second_without_a_right_answer_has_no_latency() -> None:
    cell = Cell()
    cell.add(5.0, "HTTP 503", 1, 1)
    point = cell.point(3)
    assert (point.second, point.requests, point.failures, point.p50_ms) == (3, 1, 1, None)
