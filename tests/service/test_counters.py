"""What is counted in memory that processes share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from scorewright.service.counters import (
    GONE,
    IN_FLIGHT,
    PID,
    Counters,
    Ended,
    FrontCounters,
    Kind,
    MainCounters,
)
from scorewright.service.histogram import SECONDS, Histogram, size


def test_a_value_is_in_the_first_bucket_whose_bound_it_does_not_pass() -> None:
    bounds = (1.0, 2.5, 5.0)
    histogram = Histogram(bounds, memoryview(bytearray(size(bounds))))
    for value in (0.0, 1.0, 1.1, 2.5, 5.0, 5.1, 100.0):
        histogram.observe(value)
    counts, total = histogram.read()
    assert counts == [2, 4, 5, 7]
    assert total == pytest.approx(114.7)


def test_everything_a_front_counts_has_a_place_of_its_own() -> None:
    counters = FrontCounters.alone()
    for kind in Kind:
        counters.answered(kind, 200 + kind)
        counters.answered(kind, 599)
    for number, histogram in enumerate(
        [*counters.latency, counters.queue_wait, counters.run_time, counters.batch_size], 1
    ):
        for _ in range(number):
            histogram.observe(1e9)
    counters.words[GONE] = 7
    for kind in Kind:
        counted = {status: count for status, count in enumerate(counters.statuses(kind)) if count}
        assert counted == {200 + kind: 1, 599: 1}
    assert [histogram.read() for histogram in counters.latency] == [
        ([0] * len(SECONDS) + [1], 1e9),
        ([0] * len(SECONDS) + [2], 2e9),
    ]
    assert [histogram.read()[1] for histogram in (counters.queue_wait, counters.run_time, counters.batch_size)] == [
        3e9,
        4e9,
        5e9,
    ]
    assert counters.words.tolist().count(7) == 1


def test_another_process_counts_on_and_its_end_takes_back_only_what_was_of_a_moment() -> None:
    counters = Counters.create(2)
    count = (
        "import sys; from scorewright.service.counters import *; own = Counters(int(sys.argv[1]), 2).fronts[1]\n"
        "own.begin(); own.words[IN_FLIGHT] = 3; own.words[GONE] += 1\n"
        "[own.answered(Kind.SCORE, 200, 0.001) for _ in range(100)]\n"
    )
    words = [sys.executable, "-c", count, str(counters.descriptor)]
    front = counters.fronts[1]
    for times in (1, 2):
        with subprocess.Popen(words, pass_fds=[counters.descriptor]) as process:
            assert process.wait() == 0
        assert (front.words[PID], front.words[IN_FLIGHT]) == (process.pid, 3)
        front.end()
        assert (front.words[PID], front.words[IN_FLIGHT], front.words[GONE]) == (0, 0, times)
        assert (front.statuses(Kind.SCORE)[200], front.latency[Kind.SCORE].read()[0][-1]) == (100 * times, 100 * times)
    assert counters.fronts[0].statuses(Kind.SCORE)[200] == 0
    os.close(counters.descriptor)


def test_the_main_process_tells_which_scorers_there_are() -> None:
    counters = MainCounters.alone()
    for known in ([5, 6], [5, 6, 7], [7], []):
        counters.scorers_are(known)
        assert counters.scorers == known
    counters.scorer_replaced(Ended.KILLED)
    assert [how for how in Ended if counters.scorers_replaced(how)] == [Ended.KILLED]
    assert counters.fronts_replaced == counters.ready == 0


@pytest.mark.parametrize(
    ("code", "overdue", "how"),
    [
        (0, False, Ended.EXITED),
        (3, False, Ended.EXITED),
        (-signal.SIGKILL, False, Ended.KILLED),
        (-signal.SIGKILL, True, Ended.OVERDUE),
        (-signal.SIGSEGV, False, Ended.CRASHED),
    ],
)
def test_how_a_scorer_ended_is_told_from_its_code(code: int, overdue: bool, how: Ended) -> None:
    assert Ended.of(code, overdue=overdue) is how
