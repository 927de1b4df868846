"""Forests whose trees the script adds up itself: the answers are the forest's own, to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from scorewright.score.forest import forest_of
from scorewright.score.generator import generate
from scorewright.score.spec import Forest
from tests.score.scripts import ask, loaded

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 6))
LABELS = np.array(["a", "b", "ü"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])]
NUMBERS = X @ RANDOM.normal(size=6)

MODELS = {
    "random forest": lambda: RandomForestClassifier(30, n_jobs=2, random_state=0).fit(X, LABELS),
    "extra trees": lambda: ExtraTreesClassifier(30, random_state=0).fit(X, LABELS),
    "regressor": lambda: RandomForestRegressor(30, random_state=0).fit(X, NUMBERS),
    "extra regressor": lambda: ExtraTreesRegressor(30, random_state=0).fit(X, NUMBERS),
    "pipeline": lambda: make_pipeline(StandardScaler(), RandomForestClassifier(30, random_state=0)).fit(X, LABELS),
    "search": lambda: GridSearchCV(
        make_pipeline(StandardScaler(), RandomForestRegressor(10, random_state=0)),
        {"randomforestregressor__max_depth": [2, 4]},
        cv=2,
    ).fit(X, NUMBERS),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_answers_are_the_forests_own(kind: str, tmp_path: Path) -> None:
    model: Any = MODELS[kind]()
    bundle = generate(model, X, name="forest", out=tmp_path / "forest")
    with loaded(bundle) as script:
        for method in bundle.manifest.signature.methods:
            expected = getattr(model, method)(X)
            named = (
                np.where(np.isneginf(expected), "-Infinity", expected.astype(object))
                if expected.dtype == float
                else expected
            )
            assert ask(script, {"data": X.tolist(), "method": method}) == (200, {method: named.tolist()})
            assert ask(script, {"data": X[0].tolist(), "method": method}) == (200, {method: named[:1].tolist()})


def test_a_forest_on_counted_words_is_added_up_too(tmp_path: Path) -> None:
    lines = ["good film", "bad film", "good plot", "awful"] * 5
    model = make_pipeline(CountVectorizer(), RandomForestClassifier(10, random_state=0)).fit(lines, [1, 0, 1, 0] * 5)
    with loaded(generate(model, lines, name="words", out=tmp_path / "words")) as script:
        assert ask(script, {"data": lines}) == (200, {"predict_proba": model.predict_proba(lines).tolist()})


def test_forests_are_found_where_they_decide() -> None:
    assert forest_of(MODELS["search"](), ["predict"]) == Forest(".best_estimator_.steps[-1][1]", "predict")
    assert forest_of(MODELS["extra trees"](), ["predict", "predict_proba"]) == Forest("", "predict_proba")
    assert forest_of(MODELS["extra trees"](), ["predict"]) is None
    assert forest_of(DecisionTreeClassifier().fit(X, LABELS), ["predict_proba"]) is None
    two = RandomForestRegressor(2).fit(X, X[:, :2])
    assert forest_of(two, ["predict"]) is None
