"""Medians and ratios."""

from __future__ import annotations

import pytest

from benchmarks.results import Phase, Spread
from tests.benchmarks.results import row, tree


def test_the_median_and_its_neighbours() -> None:
    assert Spread.of([5, 1, 2]) == Spread(median=2, low=1, high=5)
    assert Spread.of([4, 1, 2, 8]) == Spread(median=3, low=1, high=8)
    assert Spread.of([]) is None


def test_a_ratio_is_taken_within_a_round() -> None:
    # The machine is twice as slow in the second round and thrice in the third: the ratio does not see it.
    case = tree(row("scorewright", (128, [900, 450, 330])), row("azmlinfsrv", (128, [90, 45, 30])))
    ratio = case.ratio("scorewright", "azmlinfsrv", 128)
    assert ratio is not None
    assert (ratio.median, ratio.low) == (10, 10)
    assert ratio.high == pytest.approx(11)


def test_a_round_that_does_not_count_is_in_no_ratio() -> None:
    case = tree(row("scorewright", (128, [900, 100])), row("azmlinfsrv", (128, [90, 1])))
    case.rows[1].phases[1] = Phase(round=1, connections=128, fault="wrong")
    assert case.values("azmlinfsrv", 128, "requests_per_second") == {0: 90}
    assert case.ratio("scorewright", "azmlinfsrv", 128) == Spread(median=10, low=10, high=10)


def test_who_did_not_take_part_has_no_ratio() -> None:
    case = tree(row("scorewright", (128, [900])))
    assert case.ratio("scorewright", "mlserver", 128) is None
    assert case.ratio("scorewright", "scorewright", 32) is None
