from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.loadtests.answers import difference, differs, joined

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(JSON)
def test_an_answer_is_itself_however_it_is_spaced(answer: Any) -> None:
    assert difference(json.dumps(answer).encode(), json.dumps(answer, indent=3).encode()) == ""


@given(st.lists(st.integers(), min_size=2, max_size=6, unique=True), st.data())
def test_rows_in_another_order_are_another_answer(rows: list[int], data: st.DataObject) -> None:
    other = data.draw(st.permutations(rows).filter(lambda order: order != rows))
    assert differs({"predict": rows}, {"predict": other}) != ""


@pytest.mark.parametrize(
    ("wanted", "found", "words"),
    [
        ({"predict": [1]}, {"predict": [1.000001]}, ""),
        ({"predict": [1]}, {"predict": [1.001]}, "predict[0] is 1.001, not 1"),
        ({"predict": [200001]}, {"predict": [200002]}, "predict[0] is 200002, not 200001"),
        ({"predict": [200001]}, {"predict": [200001.0]}, ""),
        ({"predict": [math.nan, 1]}, {"predict": [math.nan, 1.0]}, ""),
        ({"predict": [math.nan]}, {"predict": [1.0]}, "predict[0] is 1.0, not NaN"),
        ({"predict": [0]}, {"predict": [False]}, "predict[0] is false, not 0"),
        ({"predict": ["a"]}, {"predict": ["b"]}, 'predict[0] is "b", not "a"'),
        ({"predict": [1, 2]}, {"predict": [1]}, "predict has 1 items, not 2"),
        ({"predict": [1]}, {"message": "no"}, "the answer has the keys message, not predict"),
        ({"p": {"a": [[1, 2]]}}, {"p": {"a": [[1, 3]]}}, "p.a[0][1] is 3, not 2"),
        ([1], {"predict": [1]}, 'the answer is {"predict": [1]}, not [1]'),
        ("x" * 99, "y", f'the answer is "y", not "{"x" * 59}…'),
    ],
)
def test_the_first_difference_is_named(wanted: Any, found: Any, words: str) -> None:
    assert difference(json.dumps(wanted).encode(), json.dumps(found).encode()) == words


def test_what_is_not_json_is_no_answer() -> None:
    assert difference(b'{"predict": [1]}', b"<html>") == "the answer is not JSON: <html>"


def test_answers_to_rows_make_the_answer_to_all() -> None:
    assert joined([{"predict": [1]}, {"predict": [2]}]) == {"predict": [1, 2]}
    assert joined([{"p": {"a": [1], "b": [[2]]}}, {"p": {"a": [3], "b": [[4]]}}]) == {
        "p": {"a": [1, 3], "b": [[2], [4]]}
    }
    assert joined([[1], [2]]) == [1, 2]
    assert joined([{"mean": 1}, {"mean": 2}]) is None
    assert joined([{"predict": [1]}, {"other": [2]}]) is None
