"""`generate --runtime`: what is written, said and refused, and that the onnx script answers as the native one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import joblib
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
from sklearn.tree import DecisionTreeClassifier

from scorewright.bundle import Bundle, Method, TensorSpec
from scorewright.difference import difference
from scorewright.errors import ConversionError
from scorewright.score import runtime
from scorewright.score.check import check
from scorewright.score.generator import generate
from tests.keras_models import MODELS
from tests.score.estimators import CASES, fit
from tests.score.scripts import ask, ask_many, loaded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.command import Command

STEPS = ["hashes", "versions", "init", "run", "run_many", "batch"]
BAD_VALUES: list[Any] = [None, "x", True, [], {}, 1e300, -1e300, float("inf"), float("nan"), 10**400, "\ud800", 2.5, ""]
BAD: list[Any] = [
    "",
    "not JSON",
    "[]",
    {"data": []},
    {"data": {}},
    {"data": [[]]},
    {"data": 1},
    {"input_data": 1},
    {"input_data": {"columns": ["a"], "data": [[1]]}},
    {"data": [[1, 2]], "extra": 1},
]


def forest() -> tuple[Any, Any]:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0))
    return model.fit(X, y), X


def named_tree() -> tuple[Any, Any]:
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [10.0, 20.0, 30.0, 40.0], "ü": [0.0, 0.0, 1.0, 1.0]})
    return DecisionTreeClassifier(random_state=0).fit(X, ["no", "no", "yes", "yes"]), X


def table() -> tuple[Any, Any]:
    X = pd.DataFrame(
        {
            "age": [31, 45, 27, 60] * 6,
            "income": [1e3, np.nan, 2e3, 3e3] * 6,
            "city": ["Bonn", "Köln", "Ulm", "Köln"] * 6,
            "street": ["a", "b", None, "a"] * 6,
            "member": [True, False, True, True] * 6,
            "size": pd.Categorical(["S", "M", "S", "L"] * 6),
        }
    )
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
        (OneHotEncoder(), ["city"]),
        (OneHotEncoder(handle_unknown="ignore"), ["street", "size"]),
        ("passthrough", ["member"]),
    )
    return make_pipeline(encode, LogisticRegression()).fit(X, ["no", "yes", "no", "yes"] * 6), X


def by_position() -> tuple[Any, Any]:
    return fit(CASES["columns by position"])


def several() -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    return MODELS["several"](), None


def image() -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    return MODELS["image"](), None


def requests_like(sample: dict[str, Any], methods: list[str], count: int = 250) -> list[Any]:
    """Requests of every form made of a sample request: most of them good, the others wrong in one place."""
    chance = random.Random(1)  # noqa: S311
    made: list[Any] = list(BAD)
    data = sample["data"]
    rows = data if isinstance(data, list) else [{name: rows[0] for name, rows in data.items()}]
    for _ in range(count):
        chosen = json.loads(json.dumps([chance.choice(rows) for _ in range(chance.randint(1, 5))]))
        for row in chosen:
            move(row, chance)
        if chance.random() < 0.5:
            spoil(chosen, chance)
        request: dict[str, Any] = {"data": chosen[0] if len(chosen) == 1 and chance.random() < 0.5 else chosen}
        if chance.random() < 0.7:
            request["method"] = chance.choice(methods)
        made.append(request)
    return made


def move(value: Any, chance: random.Random) -> None:
    """Change the numbers inside a little."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            move(item, chance)
        elif isinstance(item, float):
            value[key] = item * chance.uniform(0.5, 2)


def spoil(value: Any, chance: random.Random) -> None:
    """Put something wrong, or at least odd, in one place inside."""
    while True:
        key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if not isinstance(value[key], dict | list) or not value[key] or chance.random() < 0.1:
            break
        value = value[key]
    if chance.random() < 0.15:
        del value[key]
    elif chance.random() < 0.15 and isinstance(value, dict):
        value["unknown"] = 1
    else:
        value[key] = chance.choice(BAD_VALUES)


@pytest.mark.parametrize(
    "build",
    [
        forest,
        named_tree,
        table,
        by_position,
        pytest.param(several, marks=pytest.mark.keras),
        pytest.param(image, marks=pytest.mark.keras),
    ],
)
def test_the_onnx_script_answers_as_the_native_one(build: Callable[[], tuple[Any, Any]], tmp_path: Path) -> None:
    model, sample = build()
    bundles = [generate(model, sample, out=tmp_path / name, runtime=name) for name in ("native", "onnx")]
    methods = list(bundles[1].manifest.signature.methods)
    requests = requests_like(json.loads((bundles[0].root / "sample_request.json").read_text()), methods)
    answers = []
    for bundle in bundles:
        with loaded(bundle) as script:
            answers.append([ask(script, request) for request in requests])
            assert ask_many(script, requests) == answers[-1]
    good = 0
    for request, (status, native), (found, onnx) in zip(requests, *answers, strict=True):
        if not (status == found == 400 and "model refuses" in str(native)):  # the frameworks' own words
            if status != found:
                assert status == 400, request
                assert "the model refuses the data" in native["message"], (request, native, onnx)
            elif status == 400:
                assert onnx == native, request
            else:
                good += 1
                assert not difference(native, onnx), request
    assert good > 80


def test_the_bundle_says_what_it_is_and_what_was_measured(tmp_path: Path) -> None:
    model, X = forest()
    bundle = generate(model, X, out=tmp_path / "forest", runtime="onnx")
    manifest = bundle.manifest
    assert (manifest.runtime, manifest.framework, manifest.model.format) == ("onnx", "scikit-learn", "onnx")
    assert manifest.model.path == "model/model.onnx"
    assert list((bundle.root / "model").iterdir()) == [bundle.root / "model" / "model.onnx"]
    assert "model/model.onnx" in manifest.files
    assert set(manifest.versions) == {"python", "onnxruntime", "numpy"}
    lines = (bundle.root / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in lines] == ["onnxruntime", "numpy"]
    assert manifest.parity is not None
    assert manifest.parity.rows > 4000
    assert {"predict", "predict_proba"} <= set(manifest.parity.methods)
    assert set(manifest.parity.methods) == set(manifest.signature.methods)
    assert manifest.parity.methods["predict"].labels == 0
    assert {"scikit-learn", "skl2onnx"} <= set(manifest.parity.converted_with)
    assert [step.name for step in check(bundle.root)] == STEPS
    assert Bundle.load(bundle.root).manifest == manifest


def test_clients_see_the_same_api(tmp_path: Path) -> None:
    model, X = named_tree()
    native, onnx = (generate(model, X, name="tree", out=tmp_path / name, runtime=name) for name in ("native", "onnx"))
    assert onnx.manifest.signature == native.manifest.signature
    documents = [json.loads((bundle.root / "openapi.json").read_text()) for bundle in (native, onnx)]
    assert documents[0] == documents[1]


@pytest.mark.parametrize("build", [table, pytest.param(several, marks=pytest.mark.keras)])
def test_the_script_imports_neither_framework_nor_pandas(build: Callable[[], tuple[Any, Any]], tmp_path: Path) -> None:
    model, sample = build()
    bundle = generate(model, sample, out=tmp_path / "bundle", runtime="onnx")
    code = (
        "import sys, score; score.init(); print(score.run(open('sample_request.json').read()));"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=bundle.root, capture_output=True, text=True, check=True)
    answer, modules = done.stdout.splitlines()
    assert answer.startswith("{'predict")
    imported = set(json.loads(modules.replace("'", '"')))
    assert {"numpy", "onnxruntime"} <= imported
    assert imported.isdisjoint({"pandas", "sklearn", "scipy", "joblib", "keras", "tensorflow", "onnx", "scorewright"})


def test_another_onnxruntime_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    model, X = named_tree()
    bundle = generate(model, X, out=tmp_path / "tree", runtime="onnx")
    monkeypatch.setattr(onnxruntime, "__version__", "1.0.0")
    with (
        pytest.raises(Exception, match=r"onnxruntime 1\.\d+\.\d+ made the model, 1\.0\.0 is installed"),
        loaded(bundle),
    ):
        pass


def test_what_cannot_be_shown_equal_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model, X = fit(CASES["forest, two outputs"])
    with pytest.raises(ConversionError, match="predict_proba differs by up to") as refusal:
        generate(model, X, out=tmp_path / "deep" / "bundle", runtime="onnx")
    assert "--runtime native" in refusal.value.hint
    assert list(tmp_path.iterdir()) == []


def test_auto_takes_onnx_where_it_can(tmp_path: Path) -> None:
    model, X = named_tree()
    assert generate(model, X, out=tmp_path / "tree", runtime="auto").manifest.runtime == "onnx"


def test_auto_is_native_elsewhere_and_says_why(tmp_path: Path) -> None:
    model, X = fit(CASES["density"])
    manifest = generate(model, X, out=tmp_path / "density", runtime="auto").manifest
    assert (manifest.runtime, manifest.parity, manifest.model.format) == ("native", None, "joblib")
    assert any("not by ONNX: skl2onnx cannot convert the model: it has no converter" in note for note in manifest.notes)


def test_native_is_the_default(tmp_path: Path) -> None:
    model, X = named_tree()
    manifest = generate(model, X, out=tmp_path / "tree").manifest
    assert (manifest.runtime, manifest.parity) == ("native", None)


def test_methods_left_out_are_noted(tmp_path: Path) -> None:
    model, X = fit(CASES["logistic"])
    manifest = generate(model, X, out=tmp_path / "logistic", runtime="onnx").manifest
    assert "decision_function" not in manifest.signature.methods
    assert "decision_function is not offered: in ONNX nothing is decision_function." in manifest.notes
    outputs = manifest.signature.methods["predict_proba"]
    assert outputs == Method(outputs=(TensorSpec(name="predict_proba", dtype="float64", shape=(None, 3)),))


def test_without_the_extra_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setattr(runtime, "find_spec", lambda _: None)
    model, _ = named_tree()
    joblib.dump(model, tmp_path / "tree.joblib")
    monkeypatch.chdir(tmp_path)
    ran = command("generate", "tree.joblib", "--runtime", "onnx")
    assert ran.exit_code == ConversionError.exit_code
    assert "The module skl2onnx is not installed here, which --runtime onnx needs." in ran.err
    assert "pip install 'scorewright[onnx]'" in ran.err
    assert not (tmp_path / "tree").exists()
    ran = command("generate", "tree.joblib", "--runtime", "auto")
    assert ran.exit_code == 0
    assert "note: It is scored by its own framework, not by ONNX: The module skl2onnx is not installed" in ran.out


def test_the_command_prints_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    model, X = forest()
    joblib.dump(model, tmp_path / "forest.joblib")
    X.head(50).to_csv(tmp_path / "sample.csv", index=False)
    monkeypatch.chdir(tmp_path)
    ran = command("generate", "forest.joblib", "--sample", "sample.csv", "--runtime", "onnx")
    assert ran.exit_code == 0, ran.err
    assert "onnx: predict answers " in ran.out
    assert "onnx: predict_proba differs by up to " in ran.out
    assert "model/model.onnx" in ran.out
