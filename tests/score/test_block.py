"""The block: how many rows a call needs for each row to have one answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.decomposition import NMF
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from scorewright.score import sklearn_model
from scorewright.score.block import ALONE, BLOCKS, padded, smallest_block
from scorewright.score.generator import generate
from scorewright.score.sklearn_model import inspect
from scorewright.score.spec import LoadedModel
from tests.score.scripts import ask, ask_many, loaded

if TYPE_CHECKING:
    from pathlib import Path


def answering(steady_from: int) -> Any:
    """A model whose last digit is another where a call has no multiple of so many rows."""
    return lambda places: [np.array([place + (1e-15 if len(places) % steady_from else 0.0) for place in places])]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_smallest_block_is_found(block: int) -> None:
    assert smallest_block(answering(block), 5) == block


def test_no_block_helps_a_model_that_looks_at_the_others() -> None:
    assert smallest_block(lambda places: [np.array([sum(places)] * len(places))], 5) is None
    assert smallest_block(lambda places: [np.arange(len(places))], 5) is None


@pytest.mark.parametrize("values", [["a", "ü"], [None, 1.5], [np.nan, -0.0], ["2020-01-01", "NaT"]])
def test_every_kind_of_answer_is_compared(values: list[Any]) -> None:
    array = np.array(values, dtype="datetime64[s]" if "NaT" in values else None)
    assert smallest_block(lambda places: [array[places], array[places]], 2) == 1
    assert smallest_block(lambda places: [array[np.roll(places, 1)]], 2, (1,)) is None


def test_zero_and_minus_zero_are_written_differently() -> None:
    assert smallest_block(lambda places: [np.array([0.0 if len(places) % 4 else -0.0] * len(places))], 1) == 4


def test_the_last_row_fills_up() -> None:
    assert padded([3, 1], 4) == [3, 1, 1, 1]
    assert padded([3, 1], 2) == padded([3, 1], 1) == [3, 1]


def block_of(model: Any, X: Any) -> tuple[int | None, tuple[str, ...]]:
    spec = inspect(LoadedModel(model, "scikit-learn", "joblib", None), X, None)
    return spec.block, spec.notes


def test_models_are_given_the_block_they_need() -> None:
    X = np.random.default_rng(0).normal(size=(400, 30))
    y = (X[:, 0] > 0).astype(int)
    assert block_of(RandomForestClassifier(5).fit(X, y), X) == (1, ())
    assert block_of(LogisticRegression().fit(X, y), X) == (16, ())
    many = np.random.default_rng(0).normal(size=(4000, 100))
    dear = SVC(gamma=1.0).fit(many, np.arange(4000) % 2)  # thousands of support vectors for each row
    assert block_of(dear, many[:5]) == (1, ())


def test_a_model_that_no_block_helps_scores_each_request_by_itself(tmp_path: Path) -> None:
    X = abs(np.random.default_rng(0).normal(size=(100, 40)))
    model = NMF(3, max_iter=1000, tol=1e-7, random_state=0).fit(X)
    bundle = generate(model, X, name="nmf", out=tmp_path / "nmf")
    assert bundle.manifest.block is None
    assert ALONE in bundle.manifest.notes
    requests: list[object] = [{"data": [row]} for row in X[:20].tolist()]
    with loaded(bundle) as script:
        assert ask_many(script, [*requests, "not JSON"])[:-1] == [ask(script, request) for request in requests]


def test_a_script_that_differs_nevertheless_scores_each_request_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sklearn_model, "block_of", lambda *_: 1)
    X = np.random.default_rng(0).normal(size=(100, 30))
    bundle = generate(LogisticRegression().fit(X, X[:, 0] > 0), X, name="line", out=tmp_path / "line")
    assert bundle.manifest.block is None
    assert ALONE in bundle.manifest.notes
    assert json.loads((bundle.root / "bundle.json").read_text())["block"] is None
