"""The runtime a model is scored by: its own framework, or onnxruntime where that was shown to answer the same."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from scorewright.bundle import ModelInfo
from scorewright.errors import ConversionError
from scorewright.score.block import ALONE
from scorewright.versions import installed

if TYPE_CHECKING:
    from collections.abc import Collection

    from scorewright.bundle import Signature
    from scorewright.score.spec import Converted, ModelSpec

Runtime = Literal["native", "onnx", "auto"]

MODEL_PATH = "model/model.onnx"
CONVERTERS = {"scikit-learn": ("skl2onnx", "onnx", "onnxruntime"), "keras": ("tf2onnx", "onnx", "onnxruntime")}
NATIVE_TRAITS = ("list:", "sparse:", "jobs", "objects", "fitted-on-names")
"""What only the model's own framework has: in ONNX an answer is one dense array, whatever it was before."""


def with_runtime(spec: ModelSpec, runtime: Runtime) -> ModelSpec:
    """The spec for the runtime asked for; `auto` is onnx where the model can be shown to answer the same by it.

    Raises ConversionError if onnx is asked for and the model cannot be converted, or its default method is answered
    otherwise then. Other methods that are answered otherwise are left out, and a note says so.
    """
    if runtime == "native":
        return spec
    try:
        return _by_onnx(spec, _converted(spec))
    except ConversionError as error:
        if runtime == "onnx":
            raise
        return replace(spec, notes=(*spec.notes, f"It is scored by its own framework, not by ONNX: {error.message}"))


def _converted(spec: ModelSpec) -> Converted:
    missing = [module for module in CONVERTERS[spec.model.framework] if find_spec(module) is None]
    if missing:
        raise ConversionError(
            f"The module {missing[0]} is not installed here, which --runtime onnx needs.",
            hint="pip install 'scorewright[onnx]'",
        )
    # What the converters log is for their makers: what matters of it is raised.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        if spec.model.framework == "keras":
            from scorewright.score import onnx_keras

            return onnx_keras.convert(spec)
        from scorewright.score import onnx_sklearn

        return onnx_sklearn.convert(spec)
    finally:
        logging.disable(before)


def _by_onnx(spec: ModelSpec, converted: Converted) -> ModelSpec:
    signature = spec.signature
    left_out = converted.left_out
    notes = [note for note in spec.notes if note != ALONE]
    notes += [f"{method} is not offered: in ONNX {words}." for method, words in left_out.items()]
    return replace(
        spec,
        info=ModelInfo(path=MODEL_PATH, format="onnx", kind=spec.info.kind),
        signature=_without(signature, left_out),
        versions=installed(("onnxruntime", "numpy")),
        notes=(*notes, *([ALONE] if converted.block is None else ())),
        block=converted.block,
        helpers=(),
        frame_types={},
        none_columns=(),
        column_types=_column_types(signature),
        traits=frozenset(trait for trait in spec.traits if not trait.startswith(NATIVE_TRAITS)),
        converted=converted,
    )


def _column_types(signature: Signature) -> dict[str, str]:
    if signature.layout != "columns":
        return {}
    from scorewright.score.onnx_estimator import column_type

    return {column.name: column_type(column) for column in signature.inputs}


def _without(signature: Signature, left_out: Collection[str]) -> Signature:
    kept = {name: method for name, method in signature.methods.items() if name not in left_out}
    return signature.model_copy(update={"methods": kept})
