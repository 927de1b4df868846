"""How deep and how long a request may be: held against what a parser finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.bundle import Method, Signature, TensorSpec
from scorewright.errors import RequestError
from scorewright.service.protocols.bounds import Bounds

VALUE = TensorSpec(name="data", dtype="float64", shape=(None, 2))
SIGNATURE = Signature(
    layout="array", inputs=(VALUE,), methods={"predict": Method(outputs=(VALUE,))}, default_method="predict"
)

trees = st.recursive(
    st.none() | st.integers() | st.text('[]{}",\\a', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\b', max_size=3), inner, max_size=3),
    max_leaves=30,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(tree=trees, most=st.integers(1, 6))
def test_depth_is_what_a_parser_finds(tree: Any, most: int) -> None:
    data = json.dumps(tree).encode()
    if depth(tree) <= most:
        Bounds(most).check_depth(data)
    else:
        with pytest.raises(RequestError, match=f"more than {most} lists and objects") as refused:
            Bounds(most).check_depth(data)
        assert refused.value.status == 400


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 70 + b"1" + b"}" * 70])
def test_what_is_too_deep_is_refused_where_it_ends_or_not(data: bytes) -> None:
    with pytest.raises(RequestError, match="nested too deep: more than 64"):
        Bounds(64).check_depth(data)


@pytest.mark.parametrize("data", [b"]" * 100_000, b"{" * 100_000, b"[{" * 50, b'{"a":' * 70])
def test_what_is_no_json_is_left_to_who_parses_it(data: bytes) -> None:
    Bounds(64).check_depth(data)


@pytest.mark.parametrize(
    ("request_", "rows"),
    [
        ({"data": [[1, 2], [3, 4], [5, 6]]}, 3),
        ({"data": [1, 2]}, 1),
        ({"data": [{"a": 1, "b": 2}] * 3, "method": "a,b,c"}, 3),
        ({"input_data": {"columns": ["a", "b"], "index": [1, 2], "data": [[1, 2], [3, 4]]}}, 2),
    ],
)
def test_rows_are_counted_where_there_may_be_too_many(request_: Any, rows: int) -> None:
    text = json.dumps(request_)
    Bounds(64, rows).check(text, lambda: SIGNATURE)
    if rows > 1:
        with pytest.raises(RequestError, match=f"has {rows} rows, more than {rows - 1}") as refused:
            Bounds(64, rows - 1).check(text, lambda: SIGNATURE)
        assert refused.value.status == 413


@pytest.mark.parametrize("text", ["", "[1,2,3]", '{"data": 1, "a": ",,,,"}', '{"input_data": [1,2,3]}', ",,,,"])
def test_what_is_no_request_is_left_to_the_script(text: str) -> None:
    Bounds(64, 1).check(text, lambda: SIGNATURE)
