"""Which scikit-learn models ONNX answers as they do themselves, and why the others are refused."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from scorewright.errors import ConversionError
from scorewright.score import onnx_graph, onnx_sklearn, parity, sklearn_model
from scorewright.score.loader import load_model
from scorewright.score.onnx_session import session
from tests.score.estimators import CASES, fit

if TYPE_CHECKING:
    from scorewright.score.spec import Converted, ModelSpec

REFUSED = {
    "tree, dates": "Label types must be all integers or all strings",
    "tree, two texts": "skl2onnx cannot convert the model",
    "forest, two outputs": r"does not answer as the model itself does: predict_proba differs by up to \d",
    "hist boosting": "Unable to create node 'TreeEnsembleClassifier'",
    "hist boosting, gaps": "Unable to create node 'TreeEnsembleRegressor'",
    "hist boosting, categories": "The column 'zone' holds categories that are not texts",
    "isolation forest": "skl2onnx cannot convert the model",
    "embedding": "sparse outputs",
    "voting, hard": "flatten_transform==True is not implemented",
    "voting, soft": "flatten_transform==True is not implemented",
    "ridge classifier": "not supported with double. In float32: .* gives another label to",
    "linear svc": "not supported with double. In float32: .* gives another label to",
    "one-class svm": "In float32: .* gives another label to",
    "radius": "index is out of range",
    "density": "no converter for KernelDensity",
    "mean shift": "no converter for MeanShift",
    "affinity": "no converter for AffinityPropagation",
    "birch": "no converter for Birch",
    "envelope": "no converter for EllipticEnvelope",
    "boltzmann": "no converter for BernoulliRBM",
    "nmf": "no converter for NMF",
    "ordinal of a frame": "answers a number where the model answers NaN",
    "bins": "does not support sparse tensors",
    "imputer": "no converter for IterativeImputer",
    "projection": "no converter for SparseRandomProjection",
    "kernel": "no converter for Nystroem",
    "union": "onnxruntime cannot run the converted model",
    "transformed target": "no converter for TransformedTargetRegressor",
    "classifier chain": "no converter for ClassifierChain",
    "regressor chain": "no converter for RegressorChain",
    "output code": "no converter for OutputCodeClassifier",
    "self-training": "no converter for SelfTrainingClassifier",
    "label spreading": "no converter for LabelSpreading",
    "isotonic": "no converter for IsotonicRegression",
    "dummy": "no converter for DummyClassifier",
    "dummy, random": "no converter for DummyRegressor",
    "everything": "The column 'since' holds dates",
    "everything from parquet": "The column 'since' holds dates",
    "own function": "FunctionTransformer is not supported",
    "tf-idf": "predict_proba differs by up to",
    "tf-idf, no sample": "skl2onnx cannot convert the model",
    "hashing": "no converter for HashingVectorizer",
    "own cleaning of texts": "FunctionTransformer is not supported",
    "words in a table": "predict_proba differs by up to",
}


def looked_into(model: Any, X: Any, method: str | None = None) -> ModelSpec:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sklearn_model.inspect(load_model(model), X, method)


def converted(model: Any, X: Any) -> Converted:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # skl2onnx's, of numpy
        return onnx_sklearn.convert(looked_into(model, X))


def asked(found: Converted, method: str, X: Any) -> Any:
    (answer,) = session(found.content).run([onnx_graph.ANSWER + method], {onnx_graph.GIVEN + "X": X})
    return answer


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_these_are_answered_equally(name: str) -> None:
    model, X = fit(CASES[name])
    spec = looked_into(model, X)
    found = converted(model, X)
    assert spec.signature.default_method in found.parity.methods
    assert found.parity.rows >= 1000
    assert all(parity.same(measured) for measured in found.parity.methods.values())
    assert {*found.parity.methods, *found.left_out} == set(spec.signature.methods)


@pytest.mark.parametrize("name", REFUSED)
def test_these_are_refused_with_the_reason(name: str) -> None:
    model, X = fit(CASES[name])
    with pytest.raises(ConversionError, match=REFUSED[name]) as refusal:
        converted(model, X)
    assert "--runtime native" in refusal.value.hint


def test_a_forest_behind_a_scaler_keeps_every_label_of_20_000_rows() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(100, random_state=0)).fit(X, y)
    found = converted(model, X)
    random = np.random.default_rng(1)
    rows = X[random.integers(0, len(X), 20_000)] * random.normal(1, 0.05, (20_000, X.shape[1]))
    assert (asked(found, "predict", rows) != model.predict(rows)).sum() == 0
    probabilities = asked(found, "predict_proba", rows)
    assert parity.same(parity.compared(model.predict_proba(rows), probabilities))
    assert probabilities.min() == 0  # not a rounding below it
    assert probabilities.max() == 1
    assert found.parity.precision == "float64"
    assert found.block == 1


def test_of_two_equally_probable_classes_the_first_is_the_label() -> None:
    """20 trees are divided into 10 and 10 often, and a twentieth is no float32."""
    X, y = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(20, random_state=0).fit(X, y)
    random = np.random.default_rng(1)
    rows = X[random.integers(0, len(X), 20_000)] * random.normal(1, 0.05, (20_000, X.shape[1]))
    assert (model.predict_proba(rows)[:, 0] == 0.5).sum() > 10
    assert (asked(converted(model, X), "predict", rows) != model.predict(rows)).sum() == 0


def test_a_number_goes_where_float32_puts_it() -> None:
    """What is 1.5 as float32 goes left at the threshold 1.5, although it is more."""
    X = np.array([[1.0], [2.0]])
    model = DecisionTreeClassifier().fit(X, [0, 1])
    rows = np.array([[1.5], [np.nextafter(1.5, 2)], [1.5 + 1e-8], [1.5 + 1e-6]])
    assert model.predict(rows).tolist() == [0, 0, 0, 1]
    assert asked(converted(model, X), "predict", rows).tolist() == [0, 0, 0, 1]


def test_a_missing_value_goes_where_the_tree_learned_it() -> None:
    X = np.array([[1.0], [2.0], [np.nan], [4.0], [np.nan], [6.0]] * 5)
    for y in ([0, 0, 1, 0, 1, 0], [0, 0, 0, 1, 0, 1]):  # apart from all numbers; with the small ones
        model = DecisionTreeRegressor().fit(X, y * 5)
        assert np.array_equal(asked(converted(model, X), "predict", X), model.predict(X))


def test_a_model_keeps_its_thresholds() -> None:
    """What is changed for the converter is a copy."""
    X = np.array([[1.0], [2.0], [np.nan]] * 10)
    model = DecisionTreeClassifier().fit(X, [0, 0, 1] * 10)
    before = model.tree_.threshold.copy()
    assert np.isinf(before).any()
    converted(model, X)
    assert np.array_equal(model.tree_.threshold, before)


def test_gaps_are_filled_with_doubles() -> None:
    X = np.array([[0.1, 1.0], [np.nan, 2.0], [0.3, np.nan], [0.7, 3.1]] * 10)
    model = make_pipeline(SimpleImputer(), StandardScaler()).fit(X)
    found = converted(model, X)
    assert found.parity.precision == "float64"
    assert found.parity.methods["transform"].relative < 1e-14


def test_columns_may_be_called_like_answers_and_inputs() -> None:
    frame = pd.DataFrame({"predict": [1.0, 2.0, 3.0] * 9, "X": ["a", None, "b"] * 9, "label": [True, False, True] * 9})
    encode = make_column_transformer(
        (StandardScaler(), ["predict"]), (OneHotEncoder(handle_unknown="ignore"), ["X"]), ("passthrough", ["label"])
    )
    model = make_pipeline(encode, LogisticRegression()).fit(frame, [0, 1, 1] * 9)
    assert {"predict", "predict_proba"} <= set(converted(model, frame).parity.methods)


def test_another_method_may_be_refused_as_the_default() -> None:
    model, X = fit(CASES["logistic"])
    with pytest.raises(ConversionError, match="nothing is decision_function"):
        onnx_sklearn.convert(looked_into(model, X, "decision_function"))


def test_what_is_left_out_is_said_of_each_method() -> None:
    model, X = fit(CASES["one against rest"])
    left_out = converted(model, X).left_out
    assert re.fullmatch(r"predict gives another label to \d+ of \d+ rows", left_out["predict"])
    assert left_out["decision_function"] == "nothing is decision_function"
