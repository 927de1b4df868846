"""What is learned of a scikit-learn model from real-life samples: the traps of types, gaps and names."""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from scorewright.errors import ModelImportError, NotFittedError, SampleError, UnsupportedModelError
from scorewright.score.parts import objects, places
from scorewright.score.sample import read_sample
from scorewright.score.sklearn_model import inspect
from scorewright.score.spec import LoadedModel, ModelSpec
from tests.score.own import user_functions

if TYPE_CHECKING:
    from pathlib import Path

X = np.random.RandomState(0).rand(30, 3)
Y = (X[:, 0] > 0.5).astype(int)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


def look(model: Any, sample: Any = None) -> ModelSpec:
    """The outcome of looking into a model, with a sample as a user gives it."""
    rows = None if sample is None else read_sample(sample)
    return inspect(LoadedModel(model, "scikit-learn", "joblib", None), rows, None)


def dtypes(spec: ModelSpec) -> list[str]:
    return [column.dtype for column in spec.signature.inputs]


def encoded(column: Any, **how: Any) -> tuple[Any, pd.DataFrame]:
    """A model with a one-hot encoded column `k` beside a number `x`."""
    frame = pd.DataFrame({"k": column, "x": X[:, 0]})
    encoder = make_column_transformer((OneHotEncoder(**how), ["k"]), remainder="passthrough")
    return make_pipeline(encoder, LogisticRegression()).fit(frame, Y), frame


def test_the_target_or_an_index_in_the_sample_is_named(tmp_path: Path) -> None:
    model = LogisticRegression().fit(FRAME, Y)
    FRAME.assign(target=Y).to_csv(tmp_path / "all.csv")
    with pytest.raises(SampleError, match="not known to the model Unnamed: 0, target") as refused:
        look(model, tmp_path / "all.csv")
    assert "Leave the target and index columns out" in refused.value.hint
    with pytest.raises(SampleError, match=r"4 columns, the model takes 3 .*target"):
        look(LogisticRegression().fit(X, Y), FRAME.assign(target=Y))


def test_columns_are_brought_into_the_order_of_the_model() -> None:
    spec = look(LogisticRegression().fit(FRAME, Y), FRAME[["c", "a", "b"]])
    assert spec.signature.features == ("a", "b", "c")
    assert spec.sample_data == X[:3].tolist()


def test_columns_named_by_numbers_are_taken_by_position() -> None:
    spec = look(LogisticRegression().fit(pd.DataFrame(X), Y), pd.DataFrame(X))
    assert (spec.signature.layout, spec.signature.features) == ("array", ("0", "1", "2"))


def test_whole_numbers_of_a_sample_do_not_make_the_column_whole() -> None:
    frame = FRAME.round().astype("int64")
    assert dtypes(look(HistGradientBoostingClassifier().fit(frame, Y), frame)) == ["float64"]


@pytest.mark.parametrize("kind", ["float32", "object", "Float64", "Int64", "int8"])
def test_numbers_of_every_pandas_type(kind: Any) -> None:
    frame = FRAME.astype(kind) if kind not in ("Int64", "int8") else FRAME.round().astype(kind)
    assert set(dtypes(look(LinearRegression().fit(frame, Y), frame))) <= {"float64", "float32"}


def test_nullable_columns_with_gaps() -> None:
    frame = pd.DataFrame({"f": pd.array([True, None] * 15, "boolean"), "i": pd.array([1, None] * 15, "Int64")})
    spec = look(HistGradientBoostingClassifier().fit(frame, Y), frame)
    assert [(column.dtype, column.missing) for column in spec.signature.inputs] == [("bool", True), ("float64", True)]
    assert spec.frame_types == {"f": "boolean"}


def test_texts_that_look_like_numbers_or_gaps_in_a_csv_file(tmp_path: Path) -> None:
    model, frame = encoded(["01234", "NA", "None"] * 10)
    frame.to_csv(tmp_path / "sample.csv", index=False)
    spec = look(model, tmp_path / "sample.csv")
    assert spec.signature.inputs[0].categories == ("01234", "NA", "None")
    assert [row["k"] for row in json.loads(json.dumps(spec.sample_data))] == ["01234", "NA", "None"]


@pytest.mark.parametrize("sample", [["a", None, "b"], ["a", float("nan"), "b"]], ids=["None", "NaN"])
def test_a_model_that_knows_none_is_given_none(sample: list[Any]) -> None:
    model, _ = encoded(pd.Series(["a", None, "b"] * 10, dtype=object))
    spec = look(model, pd.DataFrame({"k": sample, "x": [0.1, 0.2, 0.3]}))
    assert spec.none_columns == ("k",)
    assert spec.signature.inputs[0].missing


def test_a_model_that_knows_nan_is_given_nan() -> None:
    model, frame = encoded(pd.Series(["a", float("nan"), "b"] * 10, dtype=object))
    spec = look(model, frame)
    assert spec.none_columns == ()
    assert spec.signature.inputs[0].missing


def test_flags_with_gaps() -> None:
    model, frame = encoded(pd.Series([True, None, False] * 10, dtype=object))
    column = look(model, frame).signature.inputs[0]
    assert (column.dtype, column.missing, column.categories) == ("bool", True, (False, True))


def test_categories_of_numbers_are_known_by_position_and_by_mask() -> None:
    frame = FRAME.assign(k=[1, 2, 7] * 10)
    mask = [False, False, False, True]
    encoder = make_column_transformer((OneHotEncoder(), mask), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, Y)
    assert [column.categories for column in look(model, frame).signature.inputs] == [None, None, None, (1, 2, 7)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [("b", [1]), (2, [2]), (["c", "a"], [2, 0]), ([False, True, True], [1, 2]), (slice(1, None), [1, 2]),
     (slice("a", "b"), [0, 1]), (slice(None, "b"), [0, 1]), (np.array([0, 2]), [0, 2]), ([-1], [-1])],
)  # fmt: skip
def test_the_columns_of_a_transformer(columns: Any, expected: list[int]) -> None:
    assert places(columns, 3, ["a", "b", "c"]) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.to_timedelta(range(30), unit="D"), "'k' holds values of type Timedelta"),
        ([[1]] * 30, "'k' holds values of type list"),
        ([1, "a", 2.5] * 10, "'k' holds values of type float, int, str"),
        (pd.Categorical([1, "a", 2] * 10), "'k' has categories of several types"),
        (pd.Categorical(pd.to_datetime(["2020-01-01"] * 30)), "'k' has categories of type datetime64"),
    ],
)
def test_a_column_of_no_one_type_is_named(values: Any, message: str) -> None:
    frame = pd.DataFrame({"k": values, "x": X[:, 0]})
    model = make_pipeline(make_column_transformer(("passthrough", ["x"])), LogisticRegression()).fit(frame, Y)
    with pytest.raises(SampleError, match=message) as refused:
        look(model, frame)
    assert "Give every column one type" in refused.value.hint


@pytest.mark.parametrize("unit", ["ns", "us", "s"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_dates_keep_their_unit_and_time_zone(unit: Any, zone: str | None) -> None:
    days = pd.date_range("2020-01-01", periods=30, tz=zone, unit=unit)
    frame = pd.DataFrame({"d": days, "x": X[:, 0]})
    model = make_pipeline(make_column_transformer(("passthrough", ["x"])), LogisticRegression()).fit(frame, Y)
    assert look(model, frame).frame_types == {"d": f"datetime64[{unit}{', ' + zone if zone else ''}]"}


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1, "b": 2, "c": 3}]',
        '{"data": {"a": 1, "b": 2, "c": 3}}',
        '{"a": [1], "b": [2], "c": [3]}',
        '{"input_data": [[1, 2, 3]]}',
        '{"input_data": {"columns": ["c", "b", "a"], "index": [0], "data": [[3, 2, 1]]}, "method": "predict"}',
        '{"columns": ["c", "b", "a"], "data": [[3, 2, 1]]}',
        "[1, 2, 3]",
    ],
)
def test_every_form_of_a_sample_in_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text(text)
    assert look(LogisticRegression().fit(FRAME, Y), tmp_path / "sample.json").sample_data == [[1.0, 2.0, 3.0]]


def test_nulls_and_texts_of_a_json_sample_keep_their_types(tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text("[[1, null, 3], [1, 2, 3]]")
    assert look(HistGradientBoostingClassifier().fit(X, Y), tmp_path / "sample.json").sample_data[0] == [1.0, None, 3.0]  # type: ignore[index]
    encoder = make_column_transformer((OneHotEncoder(), [1]), remainder="passthrough")
    mixed = np.array([[1.5, "a"], [2, "b"]] * 15, dtype=object)
    spec = look(make_pipeline(encoder, LogisticRegression()).fit(mixed, Y), [[1.5, "a"], [2, "b"]])
    assert (dtypes(spec), spec.sample_data) == (["float64", "string"], [[1.5, "a"], [2, "b"]])


def test_a_method_that_mixes_rows_is_left_out() -> None:
    centred = make_pipeline(FunctionTransformer(user_functions.centred), LinearRegression()).fit(X, Y)
    with pytest.raises(SampleError, match="answers a row differently when others come with it"):
        look(centred, X)


def test_a_part_that_was_not_fitted_is_named() -> None:
    last = LogisticRegression().fit(X, Y)
    with pytest.raises(NotFittedError, match="not been fitted throughout: This StandardScaler instance"):
        look(make_pipeline(StandardScaler(), last), X)


class Threshold(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A user's estimator that keeps what it learned under a name without the underscore."""

    def fit(self, X: Any, y: Any = None) -> Threshold:
        self.mean = X.mean()
        return self

    def transform(self, X: Any) -> Any:
        return np.greater(X, self.mean).astype(float)


def test_an_estimator_of_ones_own_need_not_mark_that_it_is_fitted() -> None:
    assert list(look(Threshold().fit(X), X).signature.methods) == ["transform"]
    with pytest.raises(NotFittedError):
        look(Threshold().fit(X))


@pytest.mark.parametrize("names", [["a", "a", "c"], ["a", "", "c"]])
def test_columns_that_no_request_can_tell_apart_are_refused(names: list[str]) -> None:
    model = LogisticRegression().fit(FRAME, Y)
    model.feature_names_in_ = np.array(names, dtype=object)
    with pytest.raises(UnsupportedModelError, match=r"two columns named 'a'|a column without a name"):
        look(model)


def test_what_a_users_module_imports_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sw_prices.py").write_text("import sw_taxes\n\n\ndef gross(X):\n    return X * sw_taxes.RATE\n")
    (tmp_path / "sw_taxes.py").write_text("from sw_laws.tax import RATE\n")
    (tmp_path / "sw_laws").mkdir()
    (tmp_path / "sw_laws" / "tax.py").write_text("RATE = 1.19\n")
    monkeypatch.syspath_prepend(tmp_path)
    gross = importlib.import_module("sw_prices").gross
    try:
        spec = look(make_pipeline(FunctionTransformer(gross), LinearRegression()).fit(X, Y), X)
    finally:
        for name in ("sw_prices", "sw_taxes", "sw_laws", "sw_laws.tax"):
            sys.modules.pop(name)
    assert {path.name for path in spec.helpers} == {"sw_prices.py", "sw_taxes.py"}


def test_a_users_module_cannot_be_called_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "batch_score.py").write_text("def same(X):\n    return X\n")
    monkeypatch.syspath_prepend(tmp_path)
    same = importlib.import_module("batch_score").same
    try:
        with pytest.raises(ModelImportError, match="whose name the bundle needs"):
            look(make_pipeline(FunctionTransformer(same), LinearRegression()).fit(X, Y), X)
    finally:
        sys.modules.pop("batch_score")


def test_libraries_that_only_the_answer_needs_are_recorded() -> None:
    assert "pandas" not in look(LogisticRegression().fit(X, Y), X).versions
    to_pandas = StandardScaler().set_output(transform="pandas")
    assert "pandas" in look(make_pipeline(to_pandas, LogisticRegression()).fit(X, Y), X).versions


def test_a_large_vocabulary_hides_nothing() -> None:
    words = TfidfVectorizer().fit([" ".join(f"w{number}" for number in range(30_000))])
    model = make_pipeline(make_pipeline(words), make_pipeline(make_pipeline(FunctionTransformer(user_functions.lower))))
    assert any(part is user_functions.lower for part in objects(model))


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_threads_are_only_kept_from_starting_where_there_would_be_some(n_jobs: int | None) -> None:
    forest = RandomForestClassifier(3, n_jobs=n_jobs).fit(X, Y)
    model = make_pipeline(SimpleImputer().fit(X), forest)
    assert ("jobs" in look(model, X).traits) == (n_jobs == 2)
