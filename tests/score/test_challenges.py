"""The rows that a model and its conversion are both asked about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from scorewright.bundle import Method, Signature, TensorSpec
from scorewright.score import challenges
from scorewright.score.columns import is_gap

METHODS: dict[str, Any] = {"methods": {"predict": Method(outputs=())}, "default_method": "predict"}
NUMBERS = Signature(layout="array", inputs=(TensorSpec(name="data", dtype="float64", shape=(None, 2)),), **METHODS)
TABLE = Signature(
    layout="columns",
    dataframe=True,
    inputs=(
        TensorSpec(name="age", dtype="int64", shape=(None,)),
        TensorSpec(name="income", dtype="float64", shape=(None,), missing=True),
        TensorSpec(name="city", dtype="string", shape=(None,), categories=("Bonn", "Ulm")),
        TensorSpec(name="street", dtype="string", shape=(None,), missing=True),
        TensorSpec(name="member", dtype="bool", shape=(None,)),
    ),
    **METHODS,
)
FRAME = pd.DataFrame(
    {"age": [30, 40], "income": [1.5, 2.5], "city": ["Bonn", "Ulm"], "street": ["a", "b"], "member": [True, False]}
)


def test_some_thousand_rows_of_numbers_hold_every_threshold_and_no_gap() -> None:
    X = np.array([[1.0, 10.0], [2.0, 20.0]])
    rows = np.concatenate(challenges.of_table(NUMBERS, X, [[1.25, 1.75], []], ()))
    assert len(rows) >= 3900
    assert np.isfinite(rows).all()
    assert {1.25, 1.75} <= set(rows[:, 0])
    assert rows.min(axis=0).tolist() < X.min(axis=0).tolist()
    assert rows.max(axis=0).tolist() > X.max(axis=0).tolist()


def test_a_table_keeps_its_types_its_categories_and_where_gaps_may_be() -> None:
    blocks = challenges.of_table(TABLE, FRAME, [[]] * 5, ("street",))
    assert all((block.dtypes == FRAME.dtypes).all() for block in blocks)
    rows = pd.concat(blocks)
    assert set(rows["city"]) == {"Bonn", "Ulm"}
    assert {"a", "b", ""} < set(rows["street"].dropna())
    assert set(rows["member"]) == {True, False}
    gaps = [any(map(is_gap, rows[name])) for name in rows]
    assert gaps == [False, True, False, True, False]


def test_wide_tables_have_fewer_rows() -> None:
    wide = Signature(
        layout="array", inputs=(TensorSpec(name="data", dtype="float64", shape=(None, 20_000)),), **METHODS
    )
    blocks = challenges.of_table(wide, np.ones((2, 20_000)), [[]] * 20_000, ())
    assert sum(map(len, blocks)) == challenges.FEWEST


def test_borders_are_found_from_both_sides() -> None:
    X = np.array([[0.0, 0.0], [1.0, 1.0]])
    rows = challenges.between(NUMBERS, X, lambda rows: rows[:, 0] > 0.3)
    near = np.abs(rows[:, 0] - 0.3) < 1e-5
    assert near.sum() > 50
    assert (rows[near, 0] > 0.3).any()
    assert (rows[near, 0] <= 0.3).any()


def test_texts_hold_the_words_and_what_tokenisers_differ_in() -> None:
    texts = challenges.of_texts(["good day"], ["vocabulary"])
    words = {word for text in texts for word in text.lower().split()}
    assert {"good", "day", "vocabulary", "a", "e-mail"} <= words
    assert "" in texts


def test_tensors_are_of_the_samples_types_and_of_other_sizes_where_these_are_free() -> None:
    inputs = (
        TensorSpec(name="steps", dtype="float32", shape=(None, None, 3)),
        TensorSpec(name="ids", dtype="int32", shape=(None, 2)),
    )
    sample = {"steps": np.ones((1, 4, 3), dtype="float32"), "ids": np.array([[1, 7]], dtype="int32")}
    blocks = challenges.of_tensors(inputs, sample)
    assert {block["steps"].shape[1] for block in blocks} == {1, 2, 4, 5, 17}
    for block in blocks:
        assert (block["steps"].dtype, block["ids"].dtype) == ("float32", "int32")
        assert len(block["steps"]) == len(block["ids"])
        assert block["ids"].min() >= 1
        assert block["ids"].max() <= 7
