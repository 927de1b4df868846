from __future__ import annotations

import pytest

from scorewright.service.batch.lanes import Lanes
from scorewright.service.batch.mini_batch import MiniBatch


def numbers(lanes: Lanes, *workers: str) -> list[int | None]:
    given = [lanes.next(worker) for worker in workers]
    return [None if batch is None else batch.number for batch in given]


@pytest.fixture
def lanes() -> Lanes:
    return Lanes([MiniBatch(number, 1) for number in range(8)])


def test_one_worker_has_them_in_their_order(lanes: Lanes) -> None:
    assert numbers(lanes, *"aaaaaaaaa") == [*range(8), None]


def test_the_second_worker_begins_in_the_middle_and_both_read_on(lanes: Lanes) -> None:
    assert numbers(lanes, "a", "b", "a", "b", "a", "b") == [0, 4, 1, 5, 2, 6]


def test_who_has_nothing_left_takes_half_of_the_longest(lanes: Lanes) -> None:
    assert numbers(lanes, "a", "b") == [0, 4]
    assert numbers(lanes, *"bbb") == [5, 6, 7]
    assert numbers(lanes, *"bb") == [2, 3]
    assert numbers(lanes, "b", "a", "b", "a") == [1, None, None, None]


def test_what_a_lost_worker_had_left_goes_to_the_others(lanes: Lanes) -> None:
    assert numbers(lanes, "a", "b") == [0, 4]
    assert numbers(lanes, *"bbbbbbb") == [5, 6, 7, 2, 3, 1, None]


def test_every_mini_batch_is_given_out_once_whoever_asks(lanes: Lanes) -> None:
    given = numbers(lanes, *"abcabcdacb")
    assert sorted(number for number in given if number is not None) == list(range(8))
    assert given[8:] == [None, None]
