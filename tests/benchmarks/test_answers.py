"""Whether wrong answers are found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.answers import check, equal
from benchmarks.errors import ContenderError
from tests.benchmarks.servers import answering

BODIES = [json.dumps({"data": [[number]]}) for number in range(40)]
RIGHT = [[number / 100, 1 - number / 100] for number in range(40)]


def probabilities(row: Any) -> tuple[int, Any]:
    return 200, [[row[0] / 100, 1 - row[0] / 100]]


@pytest.mark.parametrize("at_once", [1, 32])
def test_every_body_is_asked_once(at_once: int) -> None:
    with answering(probabilities) as asked:
        check(asked.url, BODIES, RIGHT, "predict_proba", at_once=at_once)
    assert sorted(asked) == sorted(BODIES)


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (200, [[0.5, 0.5]], r"row 7 is answered \[0\.5, 0\.5\], the model itself answers \[0\.07, 0\.9"),
        (500, {"message": "oh"}, 'row 7 is answered 500: {"message": "oh"}'),
        (200, {"message": "oh"}, "row 7 is answered with what cannot be read"),
        (200, [[0.07, None]], "row 7 is answered"),
        (200, [[0.07]], "row 7 is answered"),
    ],
)
def test_one_wrong_answer_is_found(status: int, content: Any, message: str) -> None:
    def answer(row: Any) -> tuple[int, Any]:
        return (status, content) if row == [7] else probabilities(row)

    with answering(answer) as asked, pytest.raises(ContenderError, match=message):
        check(asked.url, BODIES, RIGHT, "predict_proba", at_once=8)


def test_a_server_that_is_gone_is_told() -> None:
    with answering(probabilities) as asked:
        pass
    with pytest.raises(ContenderError, match="cannot be asked"):
        check(asked.url, BODIES, RIGHT, "predict_proba", at_once=1)


def test_labels_are_equal_or_not() -> None:
    assert equal(1, 1)
    assert not equal(1, 2)
    assert not equal([1], 1)


def test_probabilities_may_differ_by_a_millionth_if_the_class_is_the_same() -> None:
    assert equal([0.25 + 9e-7, 0.75 - 9e-7], [0.25, 0.75])
    assert not equal([0.25 + 2e-6, 0.75 - 2e-6], [0.25, 0.75])
    assert not equal([0.4999999, 0.5000001], [0.5000001, 0.4999999])
