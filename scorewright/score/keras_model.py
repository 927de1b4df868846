"""Looking into a Keras model or SavedModel: what it takes, what it answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scorewright.bundle import Method, ModelInfo, Signature, TensorSpec
from scorewright.errors import ModelError, NotFittedError, SampleError, UnsupportedModelError
from scorewright.score.block import ALONE
from scorewright.score.json_form import json_form
from scorewright.score.keras_block import block_of
from scorewright.score.spec import LoadedModel, ModelSpec
from scorewright.versions import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

METHOD = "predict"
SAMPLE_VALUES = 20_000
"""How many values a sample request may hold: one image, or three rows of a table."""

COMPARED_ROWS = 256
"""How many rows of a sample a converted model is compared on."""

ANY_SIZE = 8
"""The size a made sample has where the model takes any."""


def inspect(model: LoadedModel, sample: Any, method: str | None) -> ModelSpec:
    """Learn the signature of a Keras model from itself and, where there is one, a sample.

    Raises ModelError, NotFittedError, UnsupportedModelError, SampleError.
    """
    if method not in (None, METHOD):
        raise ModelError(f"A Keras model has no method {method!r}.", hint="It has: predict.")
    inputs, traits = _saved_inputs(model.value) if model.format == "savedmodel" else _keras_inputs(model.value)
    features = _feature_names(inputs, sample)
    whole = _arrays(inputs, sample)
    arrays = _few(whole)
    results = _call(network_of(model, traits), inputs, arrays)
    outputs = tuple(
        TensorSpec(name=name, dtype=_dtype(array.dtype), shape=(None, *array.shape[1:]))
        for name, array in results.items()
    )
    if any(len(array) != len(next(iter(arrays.values()))) for array in results.values() if array.ndim) or not all(
        array.ndim for array in results.values()
    ):
        raise UnsupportedModelError("The model does not answer one item a row, so its answers cannot be told apart.")
    notes: tuple[str, ...] = (
        ("The sample was made from the model alone; give --sample for real values.",) if sample is None else ()
    )
    compiled = _compiled(model, network_of(model, traits), inputs)
    block = block_of(lambda rows: _results(compiled, inputs, rows), inputs, arrays)
    if block is None:
        notes += (ALONE,)
    kinds = ["tensorflow", "numpy"] if model.format == "savedmodel" else ["keras", "tensorflow", "numpy"]
    signature = Signature(
        layout="tensors",
        inputs=inputs,
        features=features,
        methods={METHOD: Method(outputs=outputs)},
        default_method=METHOD,
    )
    return ModelSpec(
        model=model,
        info=ModelInfo(path=_path(model), format=model.format, kind=_kind(model)),
        signature=signature,
        versions=installed(kinds),
        sample_data=_request(inputs, arrays),
        sample_input=results,
        sample_rows=len(next(iter(arrays.values()))),
        sample_made=sample is None,
        notes=notes,
        traits=traits,
        block=block,
        whole_sample={name: array[:COMPARED_ROWS] for name, array in whole.items()},
    )


def answers(spec: ModelSpec) -> dict[str, Any]:
    """What the model itself answered to the sample, in the form the script must answer."""
    results: dict[str, Any] = spec.sample_input  # type: ignore[assignment]
    plain = {name: json_form(_texts(array).tolist()) for name, array in results.items()}
    return {METHOD: plain if len(plain) > 1 else next(iter(plain.values()))}


def _texts(array: Any) -> Any:
    import numpy as np

    if array.dtype.kind != "O":
        return array
    return np.vectorize(lambda value: value.decode() if isinstance(value, bytes) else value, otypes="O")(array)


def _path(model: LoadedModel) -> str:
    return {"keras": "model/model.keras", "h5": "model/model.h5", "savedmodel": "model/saved_model"}[model.format]


def _kind(model: LoadedModel) -> str:
    return "SavedModel" if model.format == "savedmodel" else f"Keras {type(model.value).__name__} model"


def _keras_inputs(model: Any) -> tuple[tuple[TensorSpec, ...], frozenset[str]]:
    import keras

    if not model.built or not getattr(model, "inputs", None):
        if isinstance(model, keras.Sequential) or not model.built:
            raise NotFittedError(
                "The Keras model has no inputs yet.",
                hint="Give it an Input layer, or call it once on data, and save it.",
            )
        raise UnsupportedModelError(
            "The model is a subclass of keras.Model and does not say what it takes.",
            hint="export() it as a SavedModel, which records its signature.",
        )
    if any(tensor.shape[0] is not None for tensor in model.inputs) and not _takes_other_batches(model):
        raise UnsupportedModelError(
            f"The model takes batches of exactly {model.inputs[0].shape[0]} rows.",
            hint="Build it with Input(shape=...) instead of batch_shape or batch_size.",
        )
    structure = getattr(model, "_inputs_struct", None)
    names = list(structure) if isinstance(structure, dict) else [tensor.name for tensor in model.inputs]
    tensors = [structure[name] for name in names] if isinstance(structure, dict) else model.inputs
    specs = tuple(
        TensorSpec(name=_plain_name(name), dtype=_dtype(tensor.dtype), shape=(None, *tensor.shape[1:]))
        for name, tensor in zip(names, tensors, strict=True)
    )
    traits = set()
    if isinstance(structure, dict):
        traits.add("dict-inputs")
    if isinstance(getattr(model, "_outputs_struct", None), dict):
        traits.add("dict-outputs")
    return specs, frozenset(traits)


def _takes_other_batches(model: Any) -> bool:
    """Whether a batch size is fixed in name only: a model built by its first call records that call's."""
    import numpy as np

    sizes = [tensor.shape[0] or ANY_SIZE for tensor in model.inputs]
    tensors = [
        np.zeros((max(sizes) + 1, *(size or ANY_SIZE for size in tensor.shape[1:])), dtype=str(tensor.dtype))
        for tensor in model.inputs
    ]
    try:
        result = model(tensors if len(tensors) > 1 else tensors[0], training=False)
    except Exception:  # whatever it raises, it does not take another batch size
        return False
    return not hasattr(result, "shape") or bool(result.shape[0] == max(sizes) + 1)


def _saved_inputs(model: Any) -> tuple[tuple[TensorSpec, ...], frozenset[str]]:
    function = model.signatures["serving_default"]
    _, by_name = function.structured_input_signature
    specs = []
    for name, tensor in by_name.items():
        if tensor.shape.rank is None or tensor.shape.rank == 0 or tensor.shape[0] is not None:
            raise UnsupportedModelError(
                f"The SavedModel's input {name} has the shape {tensor.shape}.",
                hint="Export it with a first dimension of None, the batch.",
            )
        specs.append(TensorSpec(name=name, dtype=_dtype(tensor.dtype.name), shape=(None, *tensor.shape[1:])))
    return tuple(specs), frozenset()


def _plain_name(name: str) -> str:
    """Keras names an unnamed Input by a count of the process: keras_tensor_17 would differ from run to run."""
    return re.sub(r"^(keras_tensor|input_layer|input)(_\d+)+$", r"\1", name)


def _dtype(dtype: Any) -> str:
    name = str(dtype)
    return "string" if name in ("string", "object") or name.startswith(("<U", "|S")) else name


def _feature_names(inputs: Sequence[TensorSpec], sample: Any) -> tuple[str, ...] | None:
    if not hasattr(sample, "columns") or len(inputs) != 1 or len(inputs[0].shape) != 2:
        return None
    return tuple(str(name) for name in sample.columns)


def _arrays(inputs: Sequence[TensorSpec], sample: Any) -> dict[str, Any]:
    """The sample as one array an input. Raises SampleError."""
    import numpy as np

    if sample is None:
        return {spec.name: _made(spec) for spec in inputs}
    if hasattr(sample, "columns"):
        sample = _of_frame(inputs, sample)
    if not isinstance(sample, dict):
        if len(inputs) != 1:
            names = ", ".join(spec.name for spec in inputs)
            raise SampleError(
                f"The model has {len(inputs)} inputs ({names}), the sample is one array.",
                hint="Give a .npz file or a dict with an array an input.",
            )
        sample = {inputs[0].name: sample}
    if sample.keys() != {spec.name for spec in inputs}:
        raise SampleError(
            f"The sample has the arrays {', '.join(sample)}; the model takes {', '.join(s.name for s in inputs)}."
        )
    arrays = {spec.name: _shaped(spec, np.asarray(sample[spec.name])) for spec in inputs}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise SampleError(f"The sample's arrays have different numbers of rows: {counts}.")
    return arrays


def _few(arrays: dict[str, Any]) -> dict[str, Any]:
    """The first rows: a request of an image holds one."""
    values = sum(array[0].size for array in arrays.values())
    keep = max(1, min(3, SAMPLE_VALUES // max(values, 1) if values < 1000 else 1))
    return {name: array[:keep] for name, array in arrays.items()}


def _of_frame(inputs: Sequence[TensorSpec], frame: Any) -> Any:
    import numpy as np

    if len(inputs) == 1:
        return frame.to_numpy()
    missing = [spec.name for spec in inputs if spec.name not in frame.columns]
    if missing:
        raise SampleError(f"The sample has no column for the model's inputs {', '.join(missing)}.")
    return {spec.name: np.asarray(frame[spec.name]).reshape(-1, *[1] * (len(spec.shape) - 1)) for spec in inputs}


def _shaped(spec: TensorSpec, array: Any) -> Any:
    shape = spec.shape[1:]
    if array.ndim == len(shape):
        array = array[None]
    fits = array.ndim == len(shape) + 1 and all(
        want in (None, have) for want, have in zip(shape, array.shape[1:], strict=False)
    )
    if not fits:
        raise SampleError(
            f"The sample for {spec.name} has the shape {array.shape}; the model takes rows of the shape {shape}.",
            hint="The first dimension counts rows; leave labels out.",
        )
    if spec.dtype == "string":
        return array.astype(object)
    try:
        return array.astype(spec.dtype)
    except (TypeError, ValueError):
        raise SampleError(f"The sample for {spec.name} holds values that are no {spec.dtype}.") from None


def _made(spec: TensorSpec) -> Any:
    """A row of the right shape: numbers from 0 to 1, as a scaled image has; ones for whole numbers; a text."""
    import numpy as np

    shape = (1, *(size or ANY_SIZE for size in spec.shape[1:]))
    if spec.dtype == "string":
        return np.full(shape, "some text", dtype=object)
    if spec.dtype.startswith(("int", "uint", "bool")):
        return np.ones(shape, dtype=spec.dtype)
    return np.linspace(0, 1, num=int(np.prod(shape))).round(4).reshape(shape).astype(spec.dtype)


def as_served(spec: ModelSpec) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The model as the native script calls it: a function of one array an input to one array an output."""
    inputs = spec.signature.inputs
    compiled = _compiled(spec.model, network_of(spec.model, spec.traits), inputs)
    return lambda arrays: _results(compiled, inputs, arrays)


def network_of(model: LoadedModel, traits: frozenset[str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The model as a function from tensors by input to tensors by output."""
    value: Any = model.value

    def call(tensors: dict[str, Any]) -> dict[str, Any]:
        if model.format == "savedmodel":
            return dict(value.signatures["serving_default"](**tensors))
        alone = next(iter(tensors.values())) if len(tensors) == 1 else list(tensors.values())
        results = value(tensors if "dict-inputs" in traits else alone, training=False)
        if isinstance(results, dict):
            return dict(results)
        many = isinstance(results, list | tuple)
        return dict(zip(value.output_names if many else [METHOD], results if many else [results], strict=True))

    return call


def _compiled(model: LoadedModel, network: Any, inputs: Sequence[TensorSpec]) -> Any:
    """The network as the script compiles it; a SavedModel is compiled already."""
    import tensorflow as tf

    shapes = {spec.name: tf.TensorSpec(spec.shape, spec.dtype) for spec in inputs}
    return network if model.format == "savedmodel" else tf.function(network, input_signature=[shapes])


def _results(network: Any, inputs: Sequence[TensorSpec], arrays: dict[str, Any]) -> dict[str, Any]:
    import tensorflow as tf

    results = network({spec.name: tf.constant(arrays[spec.name], dtype=spec.dtype) for spec in inputs})
    return {name: result.numpy() for name, result in results.items()}


def _call(network: Any, inputs: Sequence[TensorSpec], arrays: dict[str, Any]) -> Any:
    """The model's own answers, by output. Raises SampleError if it cannot take the sample."""
    try:
        return _results(network, inputs, arrays)
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SampleError(
            f"The model raises on the sample: {first}", hint="Give a --sample it was trained on."
        ) from None


def _request(inputs: Sequence[TensorSpec], arrays: dict[str, Any]) -> Any:
    """The sample as a request's "data": float32 values in the shortest form that reads back the same."""
    plain = {spec.name: _shortest(arrays[spec.name]) for spec in inputs}
    return plain if len(plain) > 1 else next(iter(plain.values()))


def _shortest(array: Any) -> Any:
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        return _each(array.tolist(), lambda value: float(str(array.dtype.type(value))))
    return array.tolist()


def _each(value: Any, change: Any) -> Any:
    return [_each(item, change) for item in value] if isinstance(value, list) else change(value)
