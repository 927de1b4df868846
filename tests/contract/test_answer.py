"""What run() returns, as an HTTP answer."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.contract.answer import Answer, answer
from tests.aml import AMLResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_nothing_is_an_empty_object() -> None:
    assert answer(None).body == b"{}"


@given(JSON.filter(lambda value: value is not None))
def test_what_json_carries_is_dumped_as_azure_does(value: object) -> None:
    encoded = answer(value)
    assert encoded == Answer(200, json.dumps(value).encode(), [("Content-Type", "application/json")], failed=False)


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (np.float32(0.5), "0.5"),
        (np.arange(3), "[0, 1, 2]"),
        ({"a": np.array([[1.5]])}, '{"a": [[1.5]]}'),
        (pd.Series([1, 2]), "[1, 2]"),
        (pd.DataFrame({"a": [1], "b": ["x"]}), '[{"a": 1, "b": "x"}]'),
        (datetime.date(2026, 11, 21), '"2026-11-21"'),
        (pd.Timestamp("2026-11-21T08:30"), '"2026-11-21T08:30:00"'),
        ('{"already": "json"}', '"{\\"already\\": \\"json\\"}"'),
    ],
)
def test_what_azure_cannot_dump_is_better_here(value: object, body: str) -> None:
    assert answer(value).body.decode() == body


def test_what_nothing_can_carry_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match=r"run\(\) returned a object, which JSON cannot carry: return lists"):
        answer({"a": object()})


def test_a_response_passes_through() -> None:
    encoded = answer(AMLResponse("teapot", 418, {"X-Tea": "green, black", "Content-Type": "text/x"}))
    assert encoded == Answer(
        418, b"teapot", [("X-Tea", "green"), ("X-Tea", "black"), ("Content-Type", "text/x")], False
    )


def test_a_response_of_json() -> None:
    assert answer(AMLResponse({"a": 1}, 400, json_str=True)) == Answer(400, b'{"a": 1}')
    assert answer(AMLResponse(None, 200)) == Answer(200, b"{}")
    failed = answer(AMLResponse("no", 500, run_function_failed=True))
    assert (failed.failed, failed.headers) == (True, [("Content-Type", "text/html; charset=utf-8")])


def test_a_response_made_piece_by_piece_is_not_made_before_it_is_sent() -> None:
    made = []

    def pieces() -> Iterator[str]:
        for piece in ("a", "é"):
            made.append(piece)
            yield piece

    encoded = answer(AMLResponse(pieces(), 200, {"Content-Length": "3"}))
    assert (encoded.body, made) == (b"", [])
    assert ("Content-Length", "3") in encoded.headers
    assert list(encoded.pieces or ()) == [b"a", "é".encode()]


def test_what_a_script_sets_on_its_response_afterwards_counts() -> None:
    response = AMLResponse("a,b", 200)
    response.mimetype = "text/csv"
    response.status_code = 202
    closed = []
    response.call_on_close(lambda: closed.append(True))
    assert answer(response) == Answer(202, b"a,b", [("Content-Type", "text/csv; charset=utf-8")])
    assert closed == [True]
