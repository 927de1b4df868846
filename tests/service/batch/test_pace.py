"""How quickly a job goes on, by a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass

from scorewright.service.batch.pace import Pace
from scorewright.service.batch.progress import Progress


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def scoring(done: int, items: int, failed: int = 0) -> Progress:
    return Progress("scoring", mini_batches_total=10, mini_batches_done=done, items_done=items, items_failed=failed)


def test_before_anything_is_scored_nothing_is_known() -> None:
    clock = Clock()
    pace = Pace(clock)
    for progress in (Progress(), scoring(0, 0)):
        pace.see(progress)
        clock.now += 5
        assert (pace.rows_per_second, pace.seconds_left) == (None, None)


def test_the_rate_is_that_of_all_rows_since_scoring_began() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.see(Progress())
    clock.now += 60
    pace.see(scoring(0, 0))
    clock.now += 10
    pace.see(scoring(4, 390, failed=10))
    assert (pace.rows_per_second, pace.seconds_left) == (40.0, 15.0)


def test_what_an_earlier_run_scored_does_not_count() -> None:
    clock = Clock()
    pace = Pace(clock)
    for done in range(7):
        pace.see(scoring(done, done * 100))
    clock.now += 10
    pace.see(scoring(8, 800))
    assert (pace.rows_per_second, pace.seconds_left) == (20.0, 10.0)
