"""A Keras model as an ONNX graph that answers its outputs."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.bundle import MethodParity, Parity
from scorewright.errors import ConversionError
from scorewright.score import challenges, keras_model, onnx_graph, parity
from scorewright.score.keras_block import block_of
from scorewright.score.onnx_session import first_line, session
from scorewright.score.spec import Converted
from scorewright.versions import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scorewright.score.spec import ModelSpec

    Ask = Callable[[dict[str, Any]], parity.Answers]

SHORT = 0.001
"""A call that takes one thread less, in seconds, is not made shorter by threads that must be woken for it."""

ALONE_ROWS = 48
"""How many rows of a kind are also scored alone, to know how far the model differs from itself."""

MOST_ROWS = 16
"""How many rows are asked about in one call: images are large."""


def convert(spec: ModelSpec) -> Converted:
    """The network as ONNX, shown to answer each of its outputs equally.

    Raises ConversionError if it cannot be converted or answers something else.
    """
    if spec.model.format == "savedmodel":
        raise ConversionError(
            "A SavedModel is not converted: Keras exports its own models only.",
            hint="Give the .keras file it was exported from, or score it by --runtime native.",
        )
    graph = _exported(spec)
    running = session(graph.SerializeToString())
    network = keras_model.as_served(spec)
    blocks = [spec.whole_sample, *challenges.of_tensors(spec.signature.inputs, spec.whole_sample)]
    asked = [parity.answered(lambda rows: _in_parts(network, rows), block) for block in blocks]
    results = [(rows, answers) for rows, answers, _ in asked if answers is not None]
    rows, answers = results[0]
    found = dict(zip([o.name for o in running.get_outputs()], _run(running, None, rows), strict=True))
    sources = {name: _source(name, answer, found) for name, answer in answers.items()}
    onnx_graph.answer_with(graph.graph, sources)
    content = graph.SerializeToString()
    running = session(content)
    measured = [_measured(network, lambda rows: _answers(running, sources, rows), *result) for result in results]
    methods = {name: parity.summed([one[name] for one in measured]) for name in sources}
    for name, one in methods.items():
        if not parity.same(one):
            raise ConversionError(
                f"The converted model does not answer as the model itself does: {parity.told(name, one)}."
            )
    releases = installed(("keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime"))
    return Converted(
        content,
        Parity(
            rows=sum(len(parity.first(answers)) for _, answers in results),
            refused=sum(count for _, _, count in asked),
            precision="float32",
            converted_with={name: release for name, release in releases.items() if name != "python"},
            methods=methods,
        ),
        block=block_of(lambda rows: _answers(running, sources, rows), spec.signature.inputs, spec.whole_sample),
        one_thread=_seconds(running, parity.taken(spec.whole_sample, slice(1))) < SHORT,
    )


def _exported(spec: ModelSpec) -> Any:
    """What Keras exports, with the signature's inputs and no others."""
    import onnx

    model: Any = spec.model.value
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "model.onnx"
        try:
            model.export(path, format="onnx", verbose=False)
            graph = onnx.load(path)
            session(graph.SerializeToString())  # it exports what it does not know, too
            names = [tensor.name for tensor in spec.signature.inputs]
            onnx_graph.name_inputs(graph.graph, names, _constants(spec))
        except ConversionError:
            raise
        except Exception as error:
            raise ConversionError(f"Keras cannot export the model to ONNX: {first_line(error)}.") from None
    return graph


def _constants(spec: ModelSpec) -> list[Any]:
    """The tensors, not variables, that the network's function holds: tf2onnx makes inputs of them, in this order.

    Normalization has its mean and variance so.
    """
    import numpy as np
    import tensorflow as tf

    shapes = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in spec.signature.inputs}
    function = tf.function(keras_model.network_of(spec.model, spec.traits))
    captured = function.get_concrete_function(shapes).graph.captures
    return [np.asarray(outer.numpy()) for outer, _ in captured if outer.dtype not in (tf.resource, tf.variant)]


def _in_parts(ask: Ask, rows: dict[str, Any]) -> parity.Answers:
    starts = range(0, len(parity.first(rows)), MOST_ROWS)
    answers: parity.Answers = parity.joined([ask(parity.taken(rows, slice(at, at + MOST_ROWS))) for at in starts])
    return answers


def _measured(network: Ask, conversion: Ask, rows: dict[str, Any], expected: parity.Answers) -> dict[str, MethodParity]:
    """The differences of each output: of the conversion from the network, and of the network from itself alone."""
    import numpy as np

    found = _in_parts(conversion, rows)
    chosen = np.unique(np.linspace(0, len(parity.first(rows)) - 1, ALONE_ROWS).astype(int))
    lone = parity.joined([network(parity.taken(rows, slice(row, row + 1))) for row in chosen.tolist()])
    measured = {}
    for name, answer in expected.items():
        alone = answer.copy()
        alone[chosen] = lone[name]
        one = parity.compared(answer, found[name])
        labels = one.labels + (_other_classes(answer, found[name]) if parity.are_probabilities(answer) else 0)
        itself = parity.compared(answer, alone).relative
        measured[name] = one.model_copy(update={"labels": labels, "itself": itself})
    return measured


def _other_classes(expected: Any, found: Any) -> int:
    return int((expected.argmax(axis=1) != found.argmax(axis=1)).sum())


def _answers(running: Any, names: Iterable[str], rows: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(names, _run(running, [onnx_graph.ANSWER + name for name in names], rows), strict=True))


def _seconds(running: Any, row: dict[str, Any]) -> float:
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        running.run(None, _feeds(row))
        times.append(time.perf_counter() - begun)
    return min(times)


def _feeds(rows: dict[str, Any]) -> dict[str, Any]:
    return {onnx_graph.GIVEN + name: array for name, array in rows.items()}


def _run(running: Any, names: list[str] | None, rows: dict[str, Any]) -> list[Any]:
    try:
        found: list[Any] = running.run(names, _feeds(rows))
    except Exception as error:
        raise ConversionError(f"onnxruntime cannot run the converted model: {first_line(error)}.") from None
    return found


def _source(name: str, answer: Any, found: dict[str, Any]) -> onnx_graph.Source:
    """The graph's output that is nearest to an output of the model: the graph has names of its own for them."""
    alike = {output: array for output, array in found.items() if array.shape == answer.shape}
    if not alike:
        raise ConversionError(f"The converted model has no output like {name}, of the shape {answer.shape[1:]}.")
    output = min(alike, key=lambda output: parity.compared(answer, alike[output]).relative)
    return onnx_graph.Source(output, None, "string" if answer.dtype.kind == "O" else str(answer.dtype))
