"""An ONNX graph mended where its converter leaves it unfit, and made to answer as a generated script needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GIVEN, ANSWER = "input.", "answer."
"""What the names of inputs and outputs begin with: a column may be called `predict`, or like something inside."""


@dataclass(frozen=True)
class Source:
    """Where a graph has the answer to a method: one of its outputs, and what is to be done with it."""

    output: str
    shape: tuple[int, ...] | None
    """That of one row's answer; None: the output's own will do."""
    dtype: str
    """The answer's numpy type; "string" for texts."""
    sequence: bool = False
    """The output is no tensor, but a sequence of them, one a target."""
    transposed: bool = False
    """Its first dimension is not the row, but the target."""
    probability: bool = False
    """It is from 0 to 1: a tree ensemble's 1 - p may be a rounding below 0."""
    logarithm: bool = False
    """It is the exponential of the answer."""
    classes: tuple[Any, ...] = ()
    """The answer is the first of these for which the output, a number a class, is largest."""


def mend_trees(graph: Any) -> None:
    """Make the trees of a graph of doubles compute as scikit-learn's do.

    scikit-learn rounds what a tree is given to float32. skl2onnx has rounded the thresholds, but leaves the double as
    it is: 2.45 would pass a threshold that is 2.45 as float32. And it takes what these nodes answer for doubles,
    while they always answer float32.
    """
    from onnx import TensorProto, helper

    nodes = []
    for place, node in enumerate(graph.node):
        if not node.op_type.startswith("TreeEnsemble"):
            nodes.append(node)
            continue
        rounded, back = f"tree_{place}_rounded", f"tree_{place}_given"
        nodes.append(helper.make_node("Cast", [node.input[0]], [rounded], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Cast", [rounded], [back], to=TensorProto.DOUBLE))  # to be summed up as doubles
        node.input[0] = back
        answer = len(node.output) - 1
        wide, narrow = node.output[answer], f"tree_{place}_answer"
        node.output[answer] = narrow
        nodes.append(node)
        nodes.append(helper.make_node("Cast", [narrow], [wide], to=TensorProto.DOUBLE))
    _replace(graph.node, nodes)


def route_gaps(graph: Any, trees: Sequence[Any]) -> None:
    """Send missing values in the graph's trees where those of scikit-learn send them: skl2onnx sends all to the right.

    A tree of the graph has no name, it is known by what it splits where.
    """
    routes = {_splits_of(tree): tree.missing_go_to_left for tree in trees}
    for node in graph.node:
        parts = {part.name: part for part in node.attribute}
        if not node.op_type.startswith("TreeEnsemble") or "nodes_missing_value_tracks_true" not in parts:
            continue
        to_left = parts["nodes_missing_value_tracks_true"].ints
        for places in _trees_in(parts["nodes_treeids"].ints):
            features = [parts["nodes_featureids"].ints[place] for place in places]
            left = [parts["nodes_truenodeids"].ints[place] for place in places]
            values = [parts["nodes_values"].floats[place] for place in places]
            for place, goes_left in zip(places, routes.get(_splits(features, left, values), ()), strict=False):
                to_left[place] = int(goes_left)


def _splits_of(tree: Any) -> tuple[bytes, ...]:
    import numpy as np

    inner = tree.children_left >= 0
    rounded = tree.threshold.astype("float32")
    below = np.where(rounded > tree.threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return _splits(
        np.where(inner, tree.feature, 0), np.where(inner, tree.children_left, 0), np.where(inner, below, np.float32(0))
    )


def _splits(features: Any, left: Any, values: Any) -> tuple[bytes, ...]:
    import numpy as np

    return (
        np.asarray(features, dtype="int64").tobytes(),
        np.asarray(left, dtype="int64").tobytes(),
        np.asarray(values, dtype="float32").tobytes(),
    )


def _trees_in(identifiers: Sequence[int]) -> list[list[int]]:
    """The places of each tree's nodes."""
    places: dict[int, list[int]] = {}
    for place, identifier in enumerate(identifiers):
        places.setdefault(identifier, []).append(place)
    return list(places.values())


def mend_imputers(graph: Any, statistics: Sequence[Any]) -> None:
    """Fill missing doubles by nodes that onnxruntime has for them: its Imputer takes float32 only.

    `statistics` has what each imputer of the model fills in: the graph has it rounded.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    exact = {values.astype("float32").tobytes(): values for values in statistics}
    nodes = []
    for place, node in enumerate(graph.node):
        parts = {part.name: part for part in node.attribute}
        if node.op_type != "Imputer" or "imputed_value_floats" not in parts:
            nodes.append(node)
            continue
        rounded = np.array(parts["imputed_value_floats"].floats, dtype="float32")
        values = exact.get(rounded.tobytes(), rounded.astype("float64"))
        fill, gap = f"imputer_{place}_fill", f"imputer_{place}_gap"
        graph.initializer.append(numpy_helper.from_array(values.reshape(1, -1), fill))
        nodes.append(helper.make_node("IsNaN", [node.input[0]], [gap]))
        nodes.append(helper.make_node("Where", [gap, fill, node.input[0]], [node.output[0]]))
    _replace(graph.node, nodes)


def forget_types(graph: Any) -> None:
    """Leave the types of the outputs to onnxruntime: skl2onnx declares other ones than its nodes have."""
    for tensor in graph.output:
        tensor.ClearField("type")


def widen_inputs(graph: Any) -> None:
    """Let a graph of float32 be given float64, as the script reads numbers."""
    from onnx import TensorProto, helper

    casts = []
    for tensor in graph.input:
        if tensor.type.tensor_type.elem_type == TensorProto.FLOAT:
            tensor.type.tensor_type.elem_type = TensorProto.DOUBLE
            narrow = f"{tensor.name}_float32"
            _rename_uses(graph, tensor.name, narrow)
            casts.append(helper.make_node("Cast", [tensor.name], [narrow], to=TensorProto.FLOAT))
    _replace(graph.node, [*casts, *graph.node])


def name_inputs(graph: Any, names: Sequence[str], constants: Sequence[Any] = ()) -> None:
    """Call the inputs `input.NAME`; those beyond the names are constants that a converter made inputs of.

    Raises ValueError if there are others.
    """
    from onnx import numpy_helper

    given, extra = list(graph.input)[: len(names)], list(graph.input)[len(names) :]
    for tensor, value in zip(extra, constants, strict=True):
        graph.initializer.append(numpy_helper.from_array(value, tensor.name))
        graph.input.remove(tensor)
    for tensor, name in zip(given, names, strict=True):
        _rename_uses(graph, tensor.name, GIVEN + name)
        tensor.name = GIVEN + name


def answer_with(graph: Any, sources: Mapping[str, Source]) -> None:
    """Replace the graph's outputs by `answer.NAME` for each of `sources`, of the type and shape that is answered."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    outputs = []
    for place, (name, source) in enumerate(sources.items()):
        before, at = f"answer_{place}_", source.output
        constants: dict[str, Any] = {}
        steps: list[tuple[str, list[str], dict[str, Any]]] = []
        kind = TensorProto.STRING
        if source.sequence:
            steps.append(("ConcatFromSequence", [], {"axis": 0, "new_axis": 1}))
        if source.transposed:
            steps.append(("Transpose", [], {"perm": [1, 0, *range(2, len(source.shape or ()) + 1)]}))
        if source.classes:
            constants["classes"] = np.array(source.classes, dtype=object if source.dtype == "string" else source.dtype)
            steps.append(("ArgMax", [], {"axis": -1, "keepdims": 0}))
            steps.append(("Gather", ["classes"], {}))
        if source.shape is not None:
            constants["shape"] = np.array([-1, *source.shape], dtype="int64")
            steps.append(("Reshape", ["shape"], {}))
        if source.dtype != "string":
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(source.dtype))
            steps.append(("Cast", [], {"to": kind}))
        if source.probability:
            constants |= {"least": np.array(0, dtype=source.dtype), "most": np.array(1, dtype=source.dtype)}
            steps.append(("Clip", ["least", "most"], {}))
        if source.logarithm:
            steps.append(("Log", [], {}))
        graph.initializer.extend(numpy_helper.from_array(value, before + name) for name, value in constants.items())
        for number, (operator, given, attributes) in enumerate(steps):
            inputs = [at, *(before + constant for constant in given)]
            inputs = inputs[::-1] if operator == "Gather" else inputs  # what is picked comes second
            at = f"{before}{number}"
            graph.node.append(helper.make_node(operator, inputs, [at], **attributes))
        graph.node.append(helper.make_node("Identity", [at], [ANSWER + name]))
        outputs.append(helper.make_tensor_value_info(ANSWER + name, kind, None))
    _replace(graph.output, outputs)


def _rename_uses(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
        for part in node.attribute:
            for inside in ([part.g] if part.HasField("g") else []) + list(part.graphs):
                _rename_uses(inside, old, new)


def _replace(repeated: Any, values: Sequence[Any]) -> None:
    kept = list(values)
    del repeated[:]
    repeated.extend(kept)
