"""Which Keras models ONNX answers as they do themselves, and why the others are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scorewright.errors import ConversionError
from scorewright.score import keras_model, onnx_graph, onnx_keras, parity
from scorewright.score.loader import load_model
from scorewright.score.onnx_session import session
from tests.keras_models import MODELS

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.score.spec import ModelSpec

pytestmark = pytest.mark.keras


def looked_into(name: str) -> ModelSpec:
    import keras

    keras.utils.set_random_seed(0)
    return keras_model.inspect(load_model(MODELS[name]()), None, None)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "texts"])
def test_these_are_answered_equally(name: str) -> None:
    spec = looked_into(name)
    found = onnx_keras.convert(spec)
    outputs = [output.name for output in spec.signature.methods["predict"].outputs]
    assert list(found.parity.methods) == outputs
    assert all(parity.same(measured) for measured in found.parity.methods.values())
    assert found.parity.rows > 500
    running = session(found.content)
    assert [given.name for given in running.get_inputs()] == [
        onnx_graph.GIVEN + tensor.name for tensor in spec.signature.inputs
    ]
    for rows in (1, 3):  # the batch is free
        feeds = {
            onnx_graph.GIVEN + name: np.repeat(array[:1], rows, axis=0) for name, array in spec.whole_sample.items()
        }
        assert [len(answer) for answer in running.run(None, feeds)] == [rows] * len(outputs)


def test_what_onnx_has_no_operator_for_is_named() -> None:
    with pytest.raises(ConversionError, match=r"onnxruntime cannot run the converted model: .*StaticRegexReplace"):
        onnx_keras.convert(looked_into("texts"))


def test_a_savedmodel_is_refused_with_the_way_out(tmp_path: Path) -> None:
    MODELS["tabular"]().export(tmp_path / "saved", verbose=False)
    spec = keras_model.inspect(load_model(tmp_path / "saved"), None, None)
    with pytest.raises(ConversionError, match="A SavedModel is not converted") as refusal:
        onnx_keras.convert(spec)
    assert ".keras" in refusal.value.hint


def test_a_model_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = looked_into("tabular")
    other: Any = MODELS["tabular"]()
    other(np.zeros((1, 4), dtype="float32"))
    monkeypatch.setattr(spec.model.value, "export", other.export)
    with pytest.raises(ConversionError, match=r"does not answer as the model itself does: predict differs by up to \d"):
        onnx_keras.convert(spec)
