"""What counts as the same answer, and how rows that a model refuses are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.score.parity import answered, compared, joined, same, summed, taken, told


def floats(*values: float) -> Any:
    return np.array(values, dtype="float64").reshape(-1, 1)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (np.array([1, 2]), np.array([1, 2])),
        (np.array(["a", "ü"], dtype=object), np.array(["a", "ü"], dtype=object)),
        (floats(1.0, 2.0), floats(1.000009, 2.0)),
        (floats(1.0, 1e-9), floats(1.0, 0.0)),  # near 0 there are no digits
        (floats(np.nan, np.inf, -np.inf), floats(np.nan, np.inf, -np.inf)),
        (floats(0.0, 0.0), floats(1e-14, 0.0)),
    ],
)
def test_these_are_the_same(expected: Any, found: Any) -> None:
    assert same(compared(expected, found))


@pytest.mark.parametrize(
    ("expected", "found", "words"),
    [
        (np.array([1, 2, 3]), np.array([1, 3, 2]), "p gives another label to 2 of 3 rows"),
        (np.array(["a"], dtype=object), np.array(["b"], dtype=object), "p gives another label to 1 of 1 rows"),
        (floats(1.0, 2.0), floats(1.0, 2.0002), "p differs by up to 0.0001 relative (0.0002 absolute) in 2 rows"),
        (floats(np.nan, 1.0), floats(0.0, 1.0), "p answers a number where the model answers NaN"),
        (floats(np.inf), floats(-np.inf), "p answers a number where the model answers NaN or an infinity"),
    ],
)
def test_these_are_not(expected: Any, found: Any, words: str) -> None:
    measured = compared(expected, found)
    assert not same(measured)
    assert told("p", measured).startswith(words)


def test_each_column_has_a_scale_of_its_own() -> None:
    expected = np.array([[1e6, 1e-6], [2e6, 2e-6]])
    assert not same(compared(expected, expected + np.array([0, 1e-9])))
    assert same(compared(expected, expected + np.array([1e-9, 0])))


def test_comparisons_are_summed_up() -> None:
    two = summed([compared(floats(1.0), floats(1.1)), compared(floats(2.0, 4.0), floats(2.0, 4.0))])
    assert (two.rows, two.labels) == (3, 0)
    assert two.absolute == pytest.approx(0.1)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60))
def test_rows_that_are_refused_are_left_out(values: list[int]) -> None:
    def ask(rows: Any) -> dict[str, Any]:
        if (rows < 0).any():
            raise ValueError("negative")
        return {"double": rows * 2}

    rows = np.array(values)
    kept, answers, refused = answered(ask, rows)
    assert refused == (rows < 0).sum()
    if (rows >= 0).any():
        assert answers is not None
        assert kept.tolist() == rows[rows >= 0].tolist()
        assert answers["double"].tolist() == (kept * 2).tolist()
    else:
        assert (kept, answers) == (None, None)


@pytest.mark.parametrize(
    "rows",
    [
        np.arange(5),
        list("abcde"),
        pd.DataFrame({"a": range(5)}),
        {"a": np.arange(5), "b": np.zeros((5, 2))},
    ],
    ids=["array", "list", "frame", "dict"],
)
def test_what_is_taken_apart_can_be_joined_again(rows: Any) -> None:
    again = joined([taken(rows, slice(2)), taken(rows, slice(2, None))])
    assert str(again) == str(rows)
