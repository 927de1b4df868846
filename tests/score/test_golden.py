"""The generated scripts, whole, as a reader sees them. `SCOREWRIGHT_UPDATE_GOLDEN=1 pytest` writes them anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from scorewright.score.generator import generate
from tests.keras_models import MODELS

if TYPE_CHECKING:
    from scorewright.bundle import Bundle

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("array", "columns", "text", "array_onnx", "columns_onnx", "network", "image", "several", "several_onnx")
KERAS = ("network", "image", "several", "several_onnx")
SCRIPTS = ("score.py", "batch_score.py")


def array() -> tuple[Any, Any]:
    X = pd.DataFrame({"petal length": [1.4, 4.7, 6.0], "petal width": [0.2, 1.4, 2.5]})
    return DecisionTreeClassifier(random_state=0).fit(X, ["setosa", "versicolor", "virginica"]), X


def columns() -> tuple[Any, Any]:
    X = pd.DataFrame(
        {
            "age": [31, 45, 27, 60],
            "city": ["Bonn", "Köln", "Bonn", "Köln"],
            "since": pd.to_datetime(["2020-01-01", "2021-06-30", "2019-03-01", "2024-12-31"]),
            "member": [True, False, True, True],
        }
    )
    transformer = make_column_transformer(
        (SimpleImputer(), ["age"]), (OneHotEncoder(), ["city", "member"]), remainder="drop"
    )
    return make_pipeline(transformer, LogisticRegression()).fit(X, ["no", "yes", "no", "yes"]), X


def text() -> tuple[Any, Any]:
    texts = ["good", "very good", "bad", "very bad"]
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 1, 0, 0]), texts


def array_onnx() -> tuple[Any, Any]:
    return array()


def columns_onnx() -> tuple[Any, Any]:
    """Without what ONNX has no type for, and with gaps among numbers and texts."""
    X = pd.DataFrame(
        {
            "age": [31, 45, 27, 60],
            "income": [1e3, None, 2e3, 3e3],
            "city": ["Bonn", "Köln", None, "Köln"],
            "member": [True, False, True, True],
        }
    )
    transformer = make_column_transformer(
        (SimpleImputer(), ["age", "income"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ("passthrough", ["member"]),
    )
    return make_pipeline(transformer, LogisticRegression()).fit(X, ["no", "yes", "no", "yes"]), X


def network() -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    return MODELS["tabular"](), pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=["a", "b", "c", "d"])


def image() -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    import keras

    # No convolution: how those add up differs from run to run, and with it the rows that a call is padded to.
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential(layers), None


def several_onnx() -> tuple[Any, Any]:
    return several()


def several() -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    return MODELS["several"](), None


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.keras] if name in KERAS else []) for name in NAMES],
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Bundle]:
    """A bundle of each layout."""
    name = request.param
    model, sample = globals()[name]()
    folder = tmp_path_factory.mktemp("golden") / "bundle"
    return name, generate(model, sample, name=name, out=folder, runtime="onnx" if name.endswith("_onnx") else "native")


def normal(script: str) -> str:
    """Without what differs from machine to machine: releases, and the last digits of answers in the docstring."""
    script = re.sub(r"^VERSIONS = \{.*?\}$", "VERSIONS = {...}", script, flags=re.MULTILINE)
    script = re.sub(r"^Made by scorewright \S+ ", "Made by scorewright VERSION. ", script, flags=re.MULTILINE)
    return re.sub(r"^    answer   .*$", "    answer   ...", script, flags=re.MULTILINE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_is_as_agreed(case: tuple[str, Bundle], name: str) -> None:
    kind, bundle = case
    golden = GOLDEN / kind / name
    script = normal((bundle.root / name).read_text("utf-8"))
    if os.environ.get("SCOREWRIGHT_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(script, "utf-8")
    assert script == golden.read_text("utf-8")


def test_the_scripts_stand_on_their_own(case: tuple[str, Bundle]) -> None:
    for name in SCRIPTS:
        assert not re.search(r"^\s*(import|from) scorewright", (case[1].root / name).read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    "words",
    [
        ["ruff", "format", "--isolated", "--line-length=120", "--check"],
        ["ruff", "check", "--isolated", "--line-length=120", "--select=E,W,F,I,UP,B,SIM,RET,PTH"],
        # tensorflow has no types: its decorator makes what it decorates untyped.
        ["mypy", "--config-file=", "--strict", "--allow-untyped-decorators", "--ignore-missing-imports"],
    ],
    ids=["format", "lint", "types"],
)
def test_the_scripts_are_clean(case: tuple[str, Bundle], words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words, *SCRIPTS], cwd=case[1].root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
