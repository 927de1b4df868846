"""What a generated script says to every form of request: an answer, or a 400 that says where and why."""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.score.scripts import Scripts, ask, ask_many, message
from tests.score.small_models import (
    boosted_categories,
    line_without_names,
    positive_only,
    table_of_everything,
    tree_with_names,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.contract.script import EntryScript

DEEP = "[" * 100_000 + "]" * 100_000


BUILDERS = (tree_with_names, line_without_names, table_of_everything, boosted_categories, words, positive_only)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    return Scripts(tmp_path_factory.mktemp("scripts"))


@pytest.fixture
def tree(scripts: Scripts) -> Iterator[EntryScript]:
    with scripts(tree_with_names) as script:
        yield script


@pytest.fixture
def line(scripts: Scripts) -> Iterator[EntryScript]:
    with scripts(line_without_names) as script:
        yield script


@pytest.fixture
def table(scripts: Scripts) -> Iterator[EntryScript]:
    with scripts(table_of_everything) as script:
        yield script


@pytest.fixture
def boosted(scripts: Scripts) -> Iterator[EntryScript]:
    with scripts(boosted_categories) as script:
        yield script


@pytest.fixture
def text(scripts: Scripts) -> Iterator[EntryScript]:
    with scripts(words) as script:
        yield script


@pytest.mark.parametrize(
    "request_",
    [
        {"data": [4, 40, 1]},
        {"data": [[4.0, 40.0, 1.0]]},
        {"data": {"b": 40, "ü": 1, "a": 4}},
        {"data": [{"b": 40, "ü": 1, "a": 4}]},
        {"input_data": [[4, 40, 1]]},
        {"input_data": {"data": [[4, 40, 1]]}},
        {"input_data": {"columns": ["ü", "b", "a"], "index": [7], "data": [[1, 40, 4]]}},
        {"input_data": {"columns": ["a", "b", "ü"], "index": ["x"], "data": [[4, 40, 1]]}},
        {"input_data": {"columns": ["b", "a", "ü"], "data": [{"a": 4, "b": 40, "ü": 1}]}},
        {"data": [4, 40, 1], "method": "predict"},
        '{"data": [1, 2, 3], "data": [4, 40, 1], "method": "predict"}',
        '{"data": [4e0, 40.000, 1E+0]}',
        '{"data": {"a": 4, "b": 40, "\\u00fc": 1}}',
    ],
)
def test_every_form_of_one_row(tree: EntryScript, request_: Any) -> None:
    method = "predict" if "predict" in str(request_) else "predict_proba"
    expected = {"predict": [1]} if method == "predict" else {"predict_proba": [[0.0, 1.0]]}
    assert ask(tree, request_) == (200, expected)
    assert ask_many(tree, [request_, request_]) == [(200, expected)] * 2


def test_rows_lists_and_records_may_be_mixed(tree: EntryScript) -> None:
    request = {"data": [[1, 10, 0], {"ü": 1, "a": 4, "b": 40}, [2, 20, 0]], "method": "predict"}
    assert ask(tree, request) == (200, {"predict": [0, 1, 0]})


def test_missing_values_are_taken_where_the_model_takes_them(tree: EntryScript) -> None:
    for gap in ("null", "NaN"):
        assert ask(tree, f'{{"data": [4, {gap}, 1], "method": "predict"}}')[0] == 200


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("", 'the request is empty, it must be an object: {"data": ...}'),
        ("{", "the request is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("null", 'the request is null, it must be an object: {"data": ...}'),
        ("true", 'the request is true, it must be an object: {"data": ...}'),
        ("3", 'the request is 3, it must be an object: {"data": ...}'),
        ('"text"', "the request is 'text', it must be an object: {\"data\": ...}"),
        ("[[1, 2, 3]]", 'the request is a list, it must be an object: {"data": ...}'),
        ({}, 'the request must have "data" or "input_data", one of them'),
        ({"data": [], "input_data": []}, 'the request must have "data" or "input_data", one of them'),
        ({"Data": [1, 2, 3]}, "the request has 'Data'; it takes data or input_data, and method"),
        ({"data": [1, 2, 3], "x" * 90: 0}, f"the request has '{'x' * 40}…'; it takes data or input_data, and method"),
        ({"data": []}, "data is empty, it must be a row or a list of rows"),
        ({"data": None}, "data is null, it must be a row or a list of rows"),
        ({"data": "1,2,3"}, "data is '1,2,3', it must be a row or a list of rows"),
        ({"data": {}}, "data has no 'a'; the model takes a, b, ü"),
        ({"data": [{}]}, "data[0] has no 'a'; the model takes a, b, ü"),
        ({"data": [[]]}, "data[0] has 0 values, the model takes 3 (a, b, ü)"),
        ({"data": [1, 2]}, "data has 2 values, the model takes 3 (a, b, ü)"),
        ({"data": [[1, 2, 3], [1, 2]]}, "data[1] has 2 values, the model takes 3 (a, b, ü)"),
        ({"data": [[1, 2, 3], 4]}, "data[1] is 4, it must be a row of 3 values"),
        ({"data": [1, 2, [3]]}, "data[2] (ü) is a list, it must be a number"),
        ({"data": [1, 2, {"ü": 3}]}, "data[2] (ü) is an object, it must be a number"),
        ({"data": [1, "2", 3]}, "data[1] (b) is '2', it must be a number"),
        ({"data": [[1, 2, 3], [1, True, 3]]}, "data[1][1] (b) is true, it must be a number"),
        ({"data": [{"a": 1, "b": 2, "ü": 3, "z": 4}]},
         "data[0] has 'z', which the model does not know; it takes a, b, ü"),
        ({"data": [{"a": 1, "b": 2, "u": 3}]}, "data[0] has no 'ü'; the model takes a, b, ü"),
        ('{"data": [1, Infinity, 3]}', "data[1] (b) is infinite, the model takes finite numbers"),
        ('{"data": [1, 1e400, 3]}', "data[1] (b) is infinite, the model takes finite numbers"),
        ('{"data": [1, 1e39, 3]}', "data[1] (b) is 1e+39, the model takes numbers up to 3.4028234e+38"),
        (f'{{"data": [1, {"9" * 400}, 3]}}', "data holds a number too large for a float64"),
        ({"data": [1, 2, 3], "method": "fit"},
         "method is 'fit', the model has predict, predict_proba, predict_log_proba"),
        ({"data": [1, 2, 3], "method": None},
         "method is null, the model has predict, predict_proba, predict_log_proba"),
        ({"data": [1, 2, 3], "method": ["predict"]},
         "method is a list, the model has predict, predict_proba, predict_log_proba"),
        ({"input_data": {"columns": ["a"]}}, "input_data has no data; it takes columns, index and data"),
        ({"input_data": {"colums": ["a"], "data": [1]}},
         "input_data has 'colums'; it takes columns, index and data"),
        ({"input_data": {"columns": ["a", "b"], "data": [[1, 2]]}},
         "input_data.columns has 2 names, the model takes 3 (a, b, ü)"),
        ({"input_data": {"columns": "abc", "data": [[1, 2, 3]]}},
         "input_data.columns is 'abc', the model takes 3 (a, b, ü)"),
        ({"input_data": {"columns": ["a", "b", "b"], "data": [[1, 2, 3]]}},
         "input_data.columns has no 'ü'; the model takes a, b, ü"),
        ({"input_data": {"columns": ["a", "b", ["ü"]], "data": [[1, 2, 3]]}},
         "input_data.columns has no 'ü'; the model takes a, b, ü"),
        ({"input_data": {"columns": ["b", "a", "ü"], "data": [[1, 2]]}},
         "input_data.data[0] has 2 values, the model takes 3 (a, b, ü)"),
        ({"input_data": "x"}, "input_data is 'x', it must be a row or a list of rows"),
        (f'{{"data": {DEEP}}}', "the request is nested too deeply"),
        (f'{{"data": {DEEP[:250]}{DEEP[-250:]}}}', "data[0] has 1 values, the model takes 3 (a, b, ü)"),
        (DEEP[:500], "the request is not JSON: Expecting value: line 1 column 501 (char 500)"),
    ],
)  # fmt: skip
def test_a_bad_request_is_told_where_and_why(tree: EntryScript, request_: Any, expected: str) -> None:
    assert message(tree, request_) == expected
    good = {"data": [4, 40, 1], "method": "predict"}
    answers = ask_many(tree, [good, request_, good])
    assert answers == [(200, {"predict": [1]}), (400, {"message": expected}), (200, {"predict": [1]})]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ('{"data": [1, NaN]}', "data[1] is NaN, the model takes no missing values"),
        ('{"data": [[1, 2], [null, 2]]}', "data[1][0] is null, the model takes no missing values"),
        ('{"data": [-Infinity, 2]}', "data[0] is infinite, the model takes finite numbers"),
        ('{"data": {"x0": 1, "x1": 2}}',
         "data is an object; the model was fitted without names: send a list of 2 values"),
        ('{"data": [1, 2, 3]}', "data has 3 values, the model takes 2"),
    ],
)  # fmt: skip
def test_a_model_without_names_or_missing_values(line: EntryScript, request_: str, expected: str) -> None:
    assert message(line, request_) == expected


def test_without_names_the_columns_of_a_request_are_only_counted(line: EntryScript) -> None:
    plain = ask(line, {"data": [1, 2]})
    assert plain[0] == 200
    assert ask(line, {"input_data": {"columns": ["p", "q"], "data": [[1, 2]]}}) == plain
    assert ask(line, {"input_data": {"columns": [0, 1], "data": [[1, 2]]}}) == plain


ROW = {"age": 31, "city": "Bonn", "street": "a", "since": "2020-01-01", "member": True, "size": "S", "rooms": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"age": 37.5},
        {"age": None},
        {"age": math.nan},
        {"street": "never seen"},
        {"street": None},
        {"street": ""},
        {"street": "x" * 100_000},
        {"since": None},
        {"since": "2020-01-01T08:30:00.5"},
        {"since": "20200101"},
        {"size": "never seen"},
        {"size": None},
        {"rooms": 2.0},
    ],
    ids=str,
)
def test_a_value_that_its_column_takes(table: EntryScript, change: dict[str, Any]) -> None:
    status, body = ask(table, {"data": ROW | change})
    assert status == 200, body


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"age": "31"}, "data[0] (age) is '31', it must be a number"),
        ({"age": True}, "data[0] (age) is true, it must be a number"),
        ({"age": math.inf}, "data[0] (age) is inf, which is larger than the model takes"),
        ({"age": 10**400}, f"data[0] (age) is 1{'0' * 39}, which is larger than the model takes"),
        ({"city": "Ulm"}, "data[1] (city) is 'Ulm', the model knows Bonn, Köln"),
        ({"city": 7}, "data[1] (city) is 7, it must be a text"),
        ({"city": None}, "data[1] (city) is null, the model takes no missing values there"),
        ({"city": "Z" * 100_000}, f"data[1] (city) is '{'Z' * 40}…', the model knows Bonn, Köln"),
        ({"street": "\ud800"}, "data[2] (street) is '\\ud800', it must be a text"),
        ({"since": "now"}, "data[3] (since) is 'now', it must be a date like 2026-11-21 or 2026-11-21T08:30:00"),
        ({"since": ""}, "data[3] (since) is '', it must be a date like 2026-11-21 or 2026-11-21T08:30:00"),
        ({"since": "31.12.2020"},
         "data[3] (since) is '31.12.2020', it must be a date like 2026-11-21 or 2026-11-21T08:30:00"),
        ({"since": "2020-01-01T00:00:00+02:00"},
         "data[3] (since) is '2020-01-01T00:00:00+02:00', it must be a date without a time zone"),
        ({"since": 20200101},
         "data[3] (since) is 20200101, it must be a date like 2026-11-21 or 2026-11-21T08:30:00"),
        ({"member": 1}, "data[4] (member) is 1, it must be true or false"),
        ({"member": None}, "data[4] (member) is null, the model takes no missing values there"),
        ({"size": 5}, "data[5] (size) is 5, it must be like 'L'"),
        ({"rooms": 9}, "data[6] (rooms) is 9, the model knows 1, 2, 3"),
        ({"rooms": 2.5}, "data[6] (rooms) is 2.5, the model knows 1, 2, 3"),
        ({"rooms": [1]}, "data[6] (rooms) is a list, it must be a number"),
    ],
)  # fmt: skip
def test_a_value_that_its_column_refuses(table: EntryScript, change: dict[str, Any], expected: str) -> None:
    assert message(table, {"data": ROW | change}) == expected
    assert ask_many(table, [{"data": ROW}, {"data": ROW | change}])[1] == (400, {"message": expected})


def test_a_category_not_seen_in_training_is_taken_as_the_model_takes_it(boosted: EntryScript) -> None:
    model, _ = boosted_categories()
    known = ["L", "M", "S"]
    frame = pd.DataFrame(
        {
            "size": pd.Categorical(["XL", "S"], categories=[*known, "XL"]),
            "zone": pd.Categorical([1, 9], [1, 2, 3, 4, 9]),
        }
    )
    request = {"data": [["XL", 1], ["S", 9]]}
    assert ask(boosted, request) == (200, {"predict_proba": model.predict_proba(frame).tolist()})
    assert message(boosted, {"data": ["XL", "1"]}) == "data[1] (zone) is '1', it must be like 1"
    assert message(boosted, {"data": ["XL", True]}) == "data[1] (zone) is true, it must be like 1"


@pytest.mark.parametrize(
    "request_",
    [
        {"data": "very good"},
        {"data": ["very good"]},
        {"input_data": ["very good"]},
        {"input_data": {"columns": ["text"], "index": [0], "data": [["very good"]]}},
    ],
)
def test_every_form_of_a_text(text: EntryScript, request_: Any) -> None:
    assert ask(text, request_ | {"method": "predict"}) == (200, {"predict": [1]})


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"data": []}, "data is empty, it must be a text or a list of texts"),
        ({"data": 5}, "data is 5, it must be a text or a list of texts"),
        ({"data": ["good", None]}, "data[1] is null, it must be a text"),
        ({"data": [["good"]]}, "data[0] is a list, it must be a text"),
        ({"data": "\udfff"}, "data is '\\udfff', it must be a text"),
        ({"input_data": {"data": [["good", "bad"]]}}, "input_data.data[0] is a list, it must be a text"),
    ],
)
def test_what_is_no_text(text: EntryScript, request_: Any, expected: str) -> None:
    assert message(text, request_) == expected


def test_what_the_model_itself_refuses_is_a_bad_request_and_spoils_no_neighbour(scripts: Scripts) -> None:
    with scripts(positive_only) as script:
        expected = (
            "the model refuses the data: The Box-Cox transformation can only be applied to strictly positive data"
        )
        assert message(script, {"data": [[1, 2], [-1, 2]]}).startswith(expected)
        alone = ask(script, {"data": [[1, 2]]})
        assert alone[0] == 200
        answers = ask_many(script, [{"data": [1, 2]}, {"data": [-1, 2]}, {"data": [1, 2]}, {"data": []}])
        assert [status for status, _ in answers] == [200, 400, 200, 400]
        assert answers[0] == answers[2] == alone


NAMES = st.sampled_from(["a", "b", "ü", "age", "city", "street", "since", "member", "size", "rooms", "data", "zone"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["Bonn", "S", "2020-01-01", "good", "\ud800", 10**400, 1e39, 2**63])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=7) | st.dictionaries(NAMES, inner, max_size=7), max_leaves=20
)
KEYS = st.sampled_from(["data", "input_data", "method", "columns", "index", "x"])
METHODS = st.sampled_from(["predict", "predict_proba", "transform", "fit"])
ROWS = st.lists(SCALARS, min_size=2, max_size=7)
REQUESTS = (
    st.dictionaries(KEYS, VALUES, max_size=3)
    | st.fixed_dictionaries({"data": VALUES}, optional={"method": METHODS | VALUES})
    | st.fixed_dictionaries({"data": st.lists(ROWS, min_size=1, max_size=3) | ROWS}, optional={"method": METHODS})
    | st.fixed_dictionaries({"input_data": st.fixed_dictionaries({"columns": VALUES, "data": st.lists(ROWS)})})
    | VALUES
)
BODIES = REQUESTS.map(json.dumps) | st.text(max_size=20)


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_whatever_comes_is_answered_or_refused(build: Any, scripts: Scripts) -> None:
    with scripts(build) as script:

        @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(BODIES, min_size=1, max_size=4))
        def holds(bodies: list[str]) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of a sum of very large numbers
                alone = [ask(script, body) for body in bodies]
                together = ask_many(script, list(bodies))
            assert {status for status, _ in alone} <= {200, 400}
            assert [status for status, _ in together] == [status for status, _ in alone]
            assert [body for status, body in together if status == 400] == [
                body for status, body in alone if status == 400
            ]

        holds()
