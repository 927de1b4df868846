"""run_many() answers each request byte for byte as run() does, whatever comes with it."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scorewright.contract.answer import answer
from scorewright.score.columns import plain_rows
from scorewright.score.generator import generate
from tests.keras_models import MODELS
from tests.score.scripts import loaded
from tests.score.small_models import boosted_categories, table_of_everything, words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.contract.script import EntryScript

BAD = ["not JSON", '{"data": []}', '{"data": {}}', '{"data": [[]]}', '{"data": [1e999]}', '{"data": 1, "method": "x"}']
ROWS = 40


def digits(model: Any) -> Callable[[], tuple[Any, Any]]:
    """The model, fitted on rows of 64 numbers with ten labels."""

    def build() -> tuple[Any, Any]:
        random = np.random.default_rng(0)
        X = random.normal(size=(300, 64))
        return model.fit(X, (X @ random.normal(size=(64, 10))).argmax(axis=1)), X

    return build


BUILDERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "logistic": digits(make_pipeline(StandardScaler(), LogisticRegression(max_iter=20))),
    "network": digits(MLPClassifier((50, 20), max_iter=3)),
    "components": digits(PCA(20)),
    "process": digits(GaussianProcessRegressor()),
    "neighbours": digits(KNeighborsClassifier()),
    "boosting": digits(HistGradientBoostingClassifier(max_iter=2)),
    "adaboost": digits(AdaBoostClassifier(n_estimators=3)),
    "table": table_of_everything,
    "categories": boosted_categories,
    "words": words,
}


def rows_like(sample: Any) -> list[Any]:
    """Rows of a request, made from a sample's."""
    if isinstance(sample, list):
        return [" ".join(np.random.default_rng(seed).choice(sample, seed % 4 + 1)) for seed in range(ROWS)]
    if hasattr(sample, "columns"):
        return [dict(zip(sample.columns, row, strict=True)) for row in plain_rows(sample)]
    changes = np.random.default_rng(1).uniform(0.5, 2, size=(ROWS, sample.shape[1]))
    return list((sample[:ROWS] * changes).tolist())


def requests_of(rows: list[Any], methods: list[str]) -> st.SearchStrategy[list[str]]:
    """Batches of requests of different size, method and form, bad ones among them."""
    several = st.lists(st.sampled_from(rows), min_size=1, max_size=40)
    data = st.one_of(st.sampled_from(rows), several.filter(lambda chosen: len(chosen) < 5), several)
    good = st.fixed_dictionaries({"data": data}, optional={"method": st.sampled_from(methods)})
    framed = data.filter(lambda chosen: isinstance(chosen, list)).map(lambda chosen: {"input_data": {"data": chosen}})
    return st.lists(st.one_of(good.map(json.dumps), framed.map(json.dumps), st.sampled_from(BAD)), max_size=20)


def told(value: Any) -> tuple[int, bytes]:
    encoded = answer(value)
    return encoded.status, encoded.body


def require_equal(script: EntryScript, requests: list[str]) -> None:
    assert script.run_many is not None
    assert [told(value) for value in script.run_many(requests)] == [told(script.run(raw)) for raw in requests]


@pytest.mark.parametrize("kind", BUILDERS)
def test_answers_do_not_depend_on_the_company(kind: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a fit of three rounds has not converged
        model, sample = BUILDERS[kind]()
    bundle = generate(model, sample, name="model", out=tmp_path / "bundle")
    assert bundle.manifest.block is not None

    with loaded(bundle) as script:

        @given(requests_of(rows_like(sample), list(bundle.manifest.signature.methods)))
        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        def holds(requests: list[str]) -> None:
            require_equal(script, requests)

        holds()


def network_rows(bundle: Bundle) -> list[Any]:
    """Rows for a network's inputs, of several shapes where it takes any; a row of several inputs is an object."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(24):
        row = {}
        for spec in bundle.manifest.signature.inputs:
            shape = [size or 2 + number % 3 for size in spec.shape[1:]]
            values: Any = random.normal(size=shape).round(3)
            if spec.dtype.startswith("int"):
                values = random.integers(0, 10, shape)
            elif spec.dtype in ("string", "bool"):
                values = random.choice(["good", "bad fine"] if spec.dtype == "string" else [True, False], shape)
            row[spec.name] = values.tolist()
        rows.append(row if len(row) > 1 else next(iter(row.values())))
    return rows


@pytest.mark.keras
@pytest.mark.parametrize("kind", MODELS)
def test_answers_of_networks_do_not_depend_on_the_company(kind: str, tmp_path: Path) -> None:
    bundle = generate(MODELS[kind](), name="net", out=tmp_path / "bundle")
    assert bundle.manifest.block is not None

    with loaded(bundle) as script:

        @given(requests_of(network_rows(bundle), ["predict"]))
        @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
        def holds(requests: list[str]) -> None:
            require_equal(script, requests)

        holds()
