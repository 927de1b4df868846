"""Keras models: each is generated, checked, and its script's answers held against the model's own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scorewright.difference import difference
from scorewright.errors import ModelError, NotFittedError, SampleError, UnsupportedModelError
from scorewright.score.check import check
from scorewright.score.generator import generate
from tests.keras_models import MODELS
from tests.scripts import Script, loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scorewright.bundle import Bundle

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning"),
]

FORMATS = {
    "tabular": "h5",
    "image": "h5",
    "late_built": "keras",
    "functional": "keras",
    "several": "keras",
    "dicts": "object",
    "sequence": "keras",
    "normalised": "object",
    "texts": "keras",
}


def saved(model: Any, form: str, folder: Path) -> object:
    """The model as the generator is given it."""
    if form == "object":
        return model
    if form == "savedmodel":
        model.export(str(folder / "exported"), verbose=False)
        return folder / "exported"
    path = folder / f"net.{form}"
    model.save(path)
    return path


def values(bundle: Bundle, rows: int, seed: int = 0) -> dict[str, Any]:
    """Random rows for the bundle's inputs."""
    random = np.random.default_rng(seed)
    if bundle.manifest.signature.inputs[0].dtype == "string":
        texts = random.choice(["good", "bad good", "fine", "unknown words"], (rows, 1)).astype(object)
        return {"text": texts, "flag": random.random((rows, 1)) > 0.5}
    return {
        spec.name: random.integers(0, 10, (rows, *(size or 5 for size in spec.shape[1:])))
        if spec.dtype.startswith("int")
        else random.normal(size=(rows, *(size or 5 for size in spec.shape[1:]))).astype("float32")
        for spec in bundle.manifest.signature.inputs
    }


def direct(model: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    """What the model itself says, by output."""
    import keras
    import tensorflow as tf

    arrays = {name: tf.constant(array) for name, array in arrays.items()}
    inputs: Any = arrays
    if not isinstance(getattr(model, "_inputs_struct", None), dict):
        inputs = list(arrays.values()) if len(arrays) > 1 else next(iter(arrays.values()))
    results = model(inputs, training=False)
    if isinstance(results, dict):
        return {name: keras.ops.convert_to_numpy(result) for name, result in results.items()}
    results = results if isinstance(results, list) else [results]
    names = model.output_names if len(results) > 1 else ["predict"]
    return {name: keras.ops.convert_to_numpy(result) for name, result in zip(names, results, strict=True)}


def same(expected: dict[str, Any], answer: Any) -> None:
    """Assert that an answer holds these arrays."""
    found = answer["predict"] if len(expected) > 1 else {next(iter(expected)): answer["predict"]}
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(np.array(found[name]), array, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "form"), [*FORMATS.items(), ("image", "savedmodel"), ("dicts", "savedmodel"), ("sequence", "savedmodel")]
)
def test_the_script_answers_as_the_model(kind: str, form: str, tmp_path: Path) -> None:
    model = MODELS[kind]()
    bundle = generate(saved(model, form, tmp_path), name="net", out=tmp_path / "net")
    assert [step.name for step in check(bundle.root)] == ["hashes", "versions", "init", "run", "run_many", "batch"]
    arrays = values(bundle, 7)
    expected = direct(model, arrays)
    data: Any = {name: array.tolist() for name, array in arrays.items()}
    rows = [{name: array[row].tolist() for name, array in arrays.items()} for row in range(7)]
    with loaded(bundle) as script:
        one_input = len(arrays) == 1
        if one_input:
            same(expected, script.run(json.dumps({"data": next(iter(data.values()))})))
        same(expected, script.run(json.dumps({"data": data})))
        if not one_input:
            same(expected, script.run(json.dumps({"data": rows})))
        requests = [json.dumps({"data": row if not one_input else next(iter(row.values()))}) for row in rows]
        assert script.run_many is not None
        answers = script.run_many([*requests[:3], "not json", *requests[3:]])
        refused = answers.pop(3)
        assert (refused.status_code, json.loads(refused.get_data())["message"][:27]) == (
            400,
            "the request is not JSON: Ex",
        )
        for row, answer in enumerate(answers):
            same({name: array[row : row + 1] for name, array in expected.items()}, answer)


def test_sequences_of_different_lengths_are_answered_together(tmp_path: Path) -> None:
    model = MODELS["sequence"]()
    bundle = generate(model, name="net", out=tmp_path / "net")
    lengths = [2, 5, 2, 9]
    arrays = [np.random.default_rng(length).normal(size=(1, length, 3)).astype("float32") for length in lengths]
    with loaded(bundle) as script:
        assert script.run_many is not None
        answers = script.run_many([json.dumps({"data": array.tolist()}) for array in arrays])
    for array, answer in zip(arrays, answers, strict=True):
        same({"predict": np.array(model(array))}, answer)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    """Generated bundles by the model's name, each made once."""
    made: dict[str, Bundle] = {}

    def bundle(kind: str) -> Bundle:
        if kind not in made:
            sample = None
            if kind == "tabular":
                import pandas as pd

                sample = pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=["a", "b", "c", "d"])
            folder = tmp_path_factory.mktemp(kind)
            made[kind] = generate(MODELS[kind](), sample, name=kind, out=folder / kind)
        return made[kind]

    return bundle


ROW = [1.0, 2.0, 3.0, 4.0]
RECORD = {"a": 1, "b": 2, "c": 3, "d": 4}


@pytest.mark.parametrize(
    "request_",
    [
        {"data": ROW},
        {"data": [ROW]},
        {"data": [1, 2, 3, 4]},
        {"data": RECORD},
        {"data": [dict(reversed(RECORD.items()))]},
        {"data": {"rows": [ROW]}},
        {"data": [RECORD]},
        {"input_data": {"columns": ["d", "c", "b", "a"], "index": [0], "data": [[4, 3, 2, 1]]}},
        {"input_data": {"data": [ROW]}},
        {"input_data": [ROW], "method": "predict"},
    ],
)
def test_every_form_of_a_request_is_the_same_row(bundles: Callable[[str], Bundle], request_: Any) -> None:
    with loaded(bundles("tabular")) as script:
        assert script.run(json.dumps(request_)) == script.run(json.dumps({"data": [ROW]}))


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("tabular", '{"data": [1, 2, 3]}', "data has the shape 3; a row has the shape 4, rows are a list of such"),
        ("tabular", '{"data": [[1, 2, 3, 4], [1, 2, 3]]}', "data[1] has 3 values, data[0] has 4 values"),
        ("tabular", '{"data": [[1, 2, 3, "x"]]}', "data[0][3] is 'x', it must be a number"),
        ("tabular", '{"data": [[1, 2, 3, null]]}', "data[0][3] is null, it must be a number"),
        ("tabular", '{"data": [[1, 2, 3, NaN]]}', "data holds null, NaN or an infinity, which the model does not take"),
        (
            "tabular",
            '{"data": [[1, 2, 3, 1e300]]}',
            "data holds a number that does not fit float32 (-3.4028234663852886e+38 to 3.4028234663852886e+38)",
        ),
        ("tabular", '{"data": []}', "data is empty"),
        ("tabular", '{"data": [[1, 2, true, 4]]}', "data[0][2] is true, it must be a number"),
        ("tabular", '{"data": [[false, false, false, false]]}', "data[0][3] is false, it must be a number"),
        (
            "tabular",
            '{"input_data": {"columns": ["a"], "data": [[1]]}}',
            "input_data.columns is a; the model takes a, b, c, d",
        ),
        ("tabular", '{"input_data": {"rows": [[1]]}}', "input_data has 'rows'; it takes columns, index and data"),
        ("texts", '{"data": {"text": [["a"]], "flag": [[1]]}}', "data.flag[0][0] is 1, it must be true or false"),
        ("texts", '{"data": {"text": [[true]], "flag": [[true]]}}', "data.text[0][0] is true, it must be a text"),
        (
            "several",
            '{"data": {"numbers": [1, 2, 3], "ids": [1, 10]}}',
            "the model refuses the data: indices[0,1] = 10 is not in [0, 10)",
        ),
        ("tabular", '{"data": {"a": 1, "b": 2, "c": 3}}', "data has no 'd'; the model takes a, b, c, d"),
        (
            "tabular",
            '{"data": [{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}]}',
            "data[0] has 'e', which the model does not know; it takes a, b, c, d",
        ),
        (
            "tabular",
            '{"data": [1, 2, 3, 4], "method": "predict_proba"}',
            "method is 'predict_proba', the model has predict",
        ),
        ("tabular", '{"rows": [1]}', "the request has 'rows'; it takes data or input_data, and method"),
        ("tabular", "{}", 'the request must have "data" or "input_data", one of them'),
        ("tabular", "[1]", 'the request is a list, it must be an object: {"data": ...}'),
        ("tabular", "[" * 100_000, "the request is nested too deeply"),
        ("tabular", '{"data": ' + "[" * 500 + "1" + "]" * 500 + "}", "data is nested too deeply"),
        (
            "image",
            '{"data": [[[1, 2, 3]]]}',
            "data has the shape 1 x 1 x 3; a row has the shape 32 x 32 x 3, rows are a list of such",
        ),
        ("several", '{"data": {"numbers": [[1, 2, 3]]}}', "data has no 'ids'; the model takes numbers, ids"),
        (
            "several",
            '{"data": {"numbers": [[1, 2, 3]], "ids": [[1, 2], [3, 4]]}}',
            "data has different numbers of rows: {'numbers': 1, 'ids': 2}",
        ),
        (
            "several",
            '{"data": {"numbers": [1, 2, 3], "ids": [1, 2.5]}}',
            "data.ids holds fractions, the model takes whole numbers",
        ),
        ("several", '{"data": [[1, 2, 3]]}', "data[0] is a list, it must have numbers, ids"),
        (
            "several",
            '{"data": [{"numbers": [1, 2, 3], "ids": [[1, 2], [1, 2]]}]}',
            "data[0].ids holds 2 rows, a record holds one",
        ),
    ],
)
def test_a_bad_request_is_refused_with_the_place(
    bundles: Callable[[str], Bundle], kind: str, body: str, message: str
) -> None:
    with loaded(bundles(kind)) as script:
        refused = script.run(body)
        assert (refused.status_code, json.loads(refused.get_data())) == (400, {"message": message})


def test_calls_of_any_size_trace_the_model_once(bundles: Callable[[str], Bundle]) -> None:
    with loaded(bundles("tabular")) as script:
        for rows in range(1, 40):
            script.run(json.dumps({"data": [ROW] * rows}))
        assert script.module.model.experimental_get_tracing_count() == 1


def test_bad_models_are_refused(tmp_path: Path) -> None:
    import keras

    with pytest.raises(NotFittedError, match="has no inputs yet"):
        generate(keras.Sequential([keras.layers.Dense(1)]), out=tmp_path / "out")
    fixed = keras.Sequential([keras.Input(batch_shape=(2, 5, 3)), keras.layers.LSTM(4, stateful=True)])
    with pytest.raises(UnsupportedModelError, match="batches of exactly 2 rows"):
        generate(fixed, out=tmp_path / "out")
    with pytest.raises(ModelError, match="no method 'transform'"):
        generate(MODELS["tabular"](), method="transform", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (np.zeros((2, 5)), r"has the shape \(2, 5\); the model takes rows of the shape \(4,\)"),
        (np.array([["a", "b", "c", "d"]]), "holds values that are no float32"),
        ({"other": np.zeros((2, 4))}, "has the arrays other; the model takes rows"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(sample: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=words):
        generate(MODELS["tabular"](), sample, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_layers_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    """A custom layer and a Lambda, saved by a program that has their code and read by one that has not."""
    program = """
import keras, sys
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
for name, layer in (("custom", Twice()), ("lambda", keras.layers.Lambda(lambda x: 2 * x))):
    for form in ("keras", "h5"):
        keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1)]).save(f"{sys.argv[1]}/{name}.{form}")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(tmp_path)], check=True, capture_output=True)
    for form in ("keras", "h5"):
        with pytest.raises(UnsupportedModelError, match=r"has the layer 'Twice', which Keras does not know"):
            generate(tmp_path / f"custom.{form}", out=tmp_path / "out")
        with pytest.raises(UnsupportedModelError, match="has a Lambda layer"):
            generate(tmp_path / f"lambda.{form}", out=tmp_path / "out")


def test_a_file_of_weights_is_no_model(tmp_path: Path) -> None:
    MODELS["tabular"]().save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ModelError, match="holds weights only"):
        generate(tmp_path / "net.weights.h5", out=tmp_path / "out")


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abcd") | st.text(max_size=2), inner),
    max_leaves=12,
)
BODIES = st.one_of(
    NESTED.map(lambda data: json.dumps({"data": data})),
    NESTED.map(lambda data: json.dumps({"input_data": {"columns": ["a", "b", "c", "d"], "data": data}})),
    st.lists(st.lists(st.integers(-(10**40), 10**40) | st.floats(), min_size=4, max_size=4), max_size=3).map(
        lambda rows: json.dumps({"data": rows})
    ),
    NESTED.map(json.dumps),
    st.text(),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(BODIES, min_size=1, max_size=4))
def test_any_request_is_answered_or_refused_alone_as_in_company(bodies: list[str], script: Script) -> None:
    def outcome(value: Any) -> tuple[int, Any]:
        if isinstance(value, dict):
            return 200, value["predict"]
        return value.status_code, json.loads(value.get_data())

    assert script.run_many is not None
    alone = [outcome(script.run(body)) for body in bodies]
    together = [outcome(value) for value in script.run_many(bodies)]
    assert [status for status, _ in together] == [status for status, _ in alone]
    assert not difference([answer for _, answer in alone], [answer for _, answer in together])
    assert {status for status, _ in alone} <= {200, 400}
    assert all(answer["message"] for status, answer in alone if status == 400)


@pytest.fixture(scope="module")
def script(bundles: Callable[[str], Bundle]) -> Iterator[Script]:
    """The tabular model's script, loaded once."""
    with loaded(bundles("tabular")) as ready:
        yield ready
