"""What is redacted, in the forms that requests have."""

from __future__ import annotations

from typing import Any

import pytest

from scorewright.service.redaction import REDACTED as X
from scorewright.service.redaction import Redaction

FEATURES = ("age", "name", "income")


@pytest.mark.parametrize(
    ("request_", "kept"),
    [
        ({"data": [{"age": 1, "name": "n", "income": 2}]}, {"data": [{"age": 1, "name": X, "income": 2}]}),
        ({"data": [[1, "n", 2], [3, "m", 4]]}, {"data": [[1, X, 2], [3, X, 4]]}),
        ({"data": [1, "n", 2]}, {"data": [1, X, 2]}),
        (
            {"input_data": {"columns": ["name", "age"], "index": [0], "data": [["n", 1]]}},
            {"input_data": {"columns": ["name", "age"], "index": [0], "data": [[X, 1]]}},
        ),
        (
            {
                "inputs": [
                    {"name": "name", "shape": [2], "data": ["n", "m"]},
                    {"name": "age", "shape": [2], "data": [1, 2]},
                ]
            },
            {"inputs": [{"name": "name", "shape": [2], "data": X}, {"name": "age", "shape": [2], "data": [1, 2]}]},
        ),
        (
            {"inputs": [{"name": "data", "shape": [2, 3], "data": [1, "n", 2, 3, "m", 4]}]},
            {"inputs": [{"name": "data", "shape": [2, 3], "data": [1, X, 2, 3, X, 4]}]},
        ),
        ({"deep": [{"er": {"name": {"first": 1}}}]}, {"deep": [{"er": {"name": X}}]}),
        ([["n"], {"age": None}], [X, {"age": None}]),
        ({"data": [[1, "n", 2, "more"], [1, "n"], [1, "n", [2]], [1, "n", 2]]}, {"data": [X, X, X, [1, X, 2]]}),
        ({"data": [1, "n"]}, {"data": X}),
        ({"columns": ["name", "age"], "data": ["n", 1]}, {"columns": ["name", "age"], "data": [X, X]}),
        ({"columns": ["name", "age"], "data": [["n", 1, 2]]}, {"columns": ["name", "age"], "data": [X]}),
        (
            {"inputs": [{"name": "data", "shape": [1, 4], "data": [1, "n", 2, 3]}]},
            {"inputs": [{"name": "data", "shape": [1, 4], "data": X}]},
        ),
        (
            {"inputs": [{"name": "data", "shape": [1, 4], "data": [[1, "n", 2, 3]]}]},
            {"inputs": [{"name": "data", "shape": [1, 4], "data": [X]}]},
        ),
        (
            {"inputs": [{"name": "income", "shape": [3], "data": [1, 2, 3]}]},
            {"inputs": [{"name": "income", "shape": [3], "data": [1, 2, 3]}]},
        ),
        ("name", "name"),
    ],
)
def test_a_name_is_found_wherever_it_is(request_: Any, kept: Any) -> None:
    assert Redaction(["name"], FEATURES).of_request(request_) == kept


def test_a_path_is_from_the_top_and_lists_do_not_count() -> None:
    redaction = Redaction(["people.*.phone", "sepal.length"])
    content = {"people": [{"a": {"phone": 1, "id": 2}}], "phone": 3, "sepal.length": 4, "sepal": {"length": 5}}
    assert redaction.of_answer(content) == {
        "people": [{"a": {"phone": X, "id": 2}}],
        "phone": 3,
        "sepal.length": X,
        "sepal": {"length": X},
    }


def test_an_answer_has_no_features_by_position() -> None:
    assert Redaction(["name"], FEATURES).of_answer({"predict_proba": [[0.1, 0.2, 0.7]]}) == {
        "predict_proba": [[0.1, 0.2, 0.7]]
    }
    tensor = {"name": "predict_proba", "shape": [1, 3], "data": [0.1, 0.2, 0.7]}
    assert Redaction(["name"], FEATURES).of_answer({"outputs": [tensor]}) == {"outputs": [tensor]}


def test_what_is_given_is_left_as_it_is() -> None:
    content = {"name": 1, "rows": [[1, 2, 3]]}
    Redaction(["name"], FEATURES).of_request(content)
    assert content == {"name": 1, "rows": [[1, 2, 3]]}
