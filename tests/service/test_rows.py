"""Rows counted without parsing: right for numbers, never too few for texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.bundle import Method, Signature, TensorSpec
from scorewright.service import rows
from scorewright.service.frames import Outgoing

if TYPE_CHECKING:
    from typing import Literal


def signature(layout: Literal["array", "columns", "text", "tensors"], *shapes: tuple[int | None, ...]) -> Signature:
    inputs = tuple(
        TensorSpec(name=f"x{place}", dtype="float64", shape=(None, *shape)) for place, shape in enumerate(shapes)
    )
    return Signature(layout=layout, inputs=inputs, methods={"predict": Method(outputs=())}, default_method="predict")


def sent(body: bytes, head: bytes = b"") -> Outgoing:
    return Outgoing(b"id", head, body)


def nested(shape: tuple[int, ...]) -> object:
    return [nested(shape[1:]) for _ in range(shape[0])] if shape else 1.5


@pytest.mark.parametrize(
    ("of", "row"),
    [
        (signature("array", (4,)), [1, 2.5, -3e9, 4]),
        (signature("array", (1,)), [1]),
        (signature("columns", (), (), ()), {"x0": 1, "x1": None, "x2": "text"}),
        (signature("columns", (), (), ()), [1, None, "text"]),
        (signature("tensors", (8, 8, 3)), nested((8, 8, 3))),
        (signature("tensors", (None,)), [1, 2, 3, 4, 5]),
        (signature("tensors", (5, None)), nested((5, 7))),
        (signature("tensors", (4,), (2, 2)), {"x0": nested((4,)), "x1": nested((2, 2))}),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_the_rows_of_a_plain_request(of: Signature, row: object, count: int) -> None:
    counted = rows.counter(of)(sent(json.dumps({"data": [row] * count}).encode()))
    assert count <= counted <= count + 1


@given(st.lists(st.text(), min_size=1, max_size=20))
def test_texts_are_never_fewer_than_there_are(texts: list[str]) -> None:
    assert rows.counter(signature("text", ()))(sent(json.dumps({"data": texts}).encode())) >= len(texts)


@given(st.binary(max_size=100))
def test_whatever_is_no_request_has_a_row(body: bytes) -> None:
    assert rows.counter(signature("array", (4,)))(sent(body)) >= 1
    assert rows.one(sent(body)) == 1


def test_binary_tensors_are_counted_by_their_bytes_and_what_is_compressed_may_have_any_number() -> None:
    count = rows.counter(signature("array", (30,)))
    assert count(sent(bytes(1000 * 30 * 8), b'{"protocol":"v2","inference-header-content-length":"90"}')) >= 1000
    assert count(sent(b"small", b'{"protocol":"v2","content-encoding":"gzip"}')) == rows.UNKNOWN
