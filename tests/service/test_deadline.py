"""The soft deadline: run() is interrupted where it is, and only run()."""

from __future__ import annotations

import signal
import time

import pytest

from scorewright.service.deadline import Deadline, ScoringTimeoutError


def test_what_takes_too_long_is_interrupted() -> None:
    with pytest.raises(ScoringTimeoutError), Deadline(0.02):
        time.sleep(30)


def test_a_script_may_catch_it_as_a_timeout_and_go_on() -> None:
    with Deadline(0.02):
        try:
            time.sleep(30)
        except TimeoutError:
            caught = True
    assert caught


def test_nothing_is_left_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with Deadline(60):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_alarm_that_comes_late_is_nobodys() -> None:
    with Deadline(60) as deadline:
        handler = signal.getsignal(signal.SIGALRM)
    assert callable(handler)
    handler(signal.SIGALRM, None)
    assert deadline is not None
