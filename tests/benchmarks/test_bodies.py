"""Requests and answers in each server's form."""

from __future__ import annotations

import json

import pytest

from benchmarks.bodies import answered, bodies
from benchmarks.cases import Rows

RECORD = {"age": 40, "charge": 1.5, "contract": "monthly"}


def test_azures_form_is_one_row_a_request() -> None:
    asked = bodies(Rows(rows=[[1.5, 2.0], RECORD], answers={}), "azure", "predict")
    assert [json.loads(body) for body in asked] == [{"data": [[1.5, 2.0]]}, {"data": [RECORD]}]


def test_v2_has_a_tensor_of_one_row() -> None:
    (asked,) = bodies(Rows(rows=[[1.5, 2.0]], answers={}), "v2", "predict_proba")
    assert json.loads(asked) == {
        "inputs": [{"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": [1.5, 2.0]}],
        "outputs": [{"name": "predict_proba"}],
    }


def test_v2_has_a_tensor_for_each_column_of_a_record() -> None:
    (asked,) = bodies(Rows(rows=[RECORD], answers={}), "v2", "predict")
    request = json.loads(asked)
    assert request["parameters"] == {"content_type": "pd"}
    assert [(column["name"], column["datatype"], column["data"]) for column in request["inputs"]] == [
        ("age", "INT64", [40]),
        ("charge", "FP64", [1.5]),
        ("contract", "BYTES", ["monthly"]),
    ]


def test_a_body_is_one_line() -> None:
    rows = Rows(rows=[{"text": "two\nlines"}], answers={})
    assert all("\n" not in body for form in ("azure", "v2") for body in bodies(rows, form, "predict"))


@pytest.mark.parametrize(
    ("answer", "method", "row"),
    [
        ({"predict_proba": [[0.25, 0.75]]}, "predict_proba", [0.25, 0.75]),
        ([[0.25, 0.75]], "predict_proba", [0.25, 0.75]),
        ([2], "predict", 2),
        ({"outputs": [{"shape": [1, 2], "data": [0.25, 0.75]}]}, "predict_proba", [0.25, 0.75]),
        ({"outputs": [{"shape": [1, 1], "data": [2]}]}, "predict", 2),
    ],
)
def test_every_form_of_answer_is_read(answer: object, method: str, row: object) -> None:
    assert answered(json.dumps(answer).encode(), method) == row


@pytest.mark.parametrize("answer", [[], [1, 2], {"message": "no"}, {"predict": [1]}, 5, None])
def test_what_is_no_answer_to_one_row_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="not the answer to one row"):
        answered(json.dumps(answer).encode(), "predict_proba")
