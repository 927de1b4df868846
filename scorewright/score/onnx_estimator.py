"""A fitted scikit-learn estimator as skl2onnx converts it, mended, and what the graph is given."""

from __future__ import annotations

import copy
import re
import warnings
from typing import TYPE_CHECKING, Any, Literal

from scorewright.errors import ConversionError
from scorewright.score import onnx_graph
from scorewright.score.columns import is_gap
from scorewright.score.onnx_session import first_line
from scorewright.score.parts import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.bundle import Signature, TensorSpec

INPUT = "X"
"""The one input of a model of numbers or texts; a table has one a column."""

GAP = "\ue000"
"""What stands for a missing text, for which ONNX has nothing: a character that Unicode gives to nobody."""

Precision = Literal["float64", "float32"]


def converted(estimator: Any, signature: Signature, precision: Precision) -> Any:
    """The estimator as an ONNX model whose inputs are float64 whatever it computes in; its outputs are skl2onnx's.

    Raises ConversionError if skl2onnx has no converter for a part of it.
    """
    changed = _prepared(estimator)
    model = _to_onnx(changed, _types(signature, precision))
    trees = [part.tree_ for part in parts(changed) if hasattr(getattr(part, "tree_", None), "threshold")]
    onnx_graph.route_gaps(model.graph, trees)
    onnx_graph.forget_types(model.graph)
    names = [INPUT] if signature.layout != "columns" else [column.name for column in signature.inputs]
    onnx_graph.name_inputs(model.graph, names)
    if precision == "float64":
        onnx_graph.mend_trees(model.graph)
        onnx_graph.mend_imputers(model.graph, _statistics(changed))
    else:
        onnx_graph.widen_inputs(model.graph)
    return model


def precisions(estimator: Any) -> Iterator[Precision]:
    """float64 first, as the script reads numbers and scikit-learn computes. skl2onnx does not have everything for it.

    float32 is as good where nothing stands before it. But what a tree is given must not be computed in float32: it
    would come down on the other side of a threshold now and then, too seldom to be seen in some thousand rows.
    """
    yield "float64"
    steps = getattr(estimator, "steps", None)
    head = steps[0][1] if steps else estimator
    if not _has_trees(estimator) or _has_trees(head):
        yield "float32"


def _has_trees(estimator: Any) -> bool:
    return any(hasattr(part, "tree_") or hasattr(part, "_predictors") for part in parts(estimator))


def feeds_of(signature: Signature, rows: Any) -> dict[str, Any]:
    """Rows as the graph takes them: one array an input."""
    import numpy as np

    if signature.layout == "array":
        return {onnx_graph.GIVEN + INPUT: rows}
    if signature.layout == "text":
        return {onnx_graph.GIVEN + INPUT: np.array(rows, dtype=object).reshape(-1, 1)}
    feeds = {}
    for place, spec in enumerate(signature.inputs):
        values = (rows.iloc[:, place] if hasattr(rows, "iloc") else rows[:, place]).tolist()
        kind = column_type(spec)
        gap = GAP if kind == "object" else np.nan
        array = np.array([gap if is_gap(value) else value for value in values], dtype=kind)
        feeds[onnx_graph.GIVEN + spec.name] = array.reshape(-1, 1)
    return feeds


def column_type(column: TensorSpec) -> str:
    """What numpy type a column has for the graph: object, float64, int64 or bool. The first two can have gaps."""
    if column.dtype in ("string", "category"):
        return "object"
    return column.dtype if column.dtype in ("int64", "bool") and not column.missing else "float64"


def _prepared(estimator: Any) -> Any:
    """A copy that answers the same and that skl2onnx gets through with.

    Imputers and encoders of texts look for GAP, which is what the graph is given. A tree's infinite threshold, which
    divides numbers from missing values, becomes the largest number it takes: skl2onnx would never end rounding it.
    """
    import numpy as np
    from sklearn.impute import SimpleImputer

    changed = copy.deepcopy(estimator)
    for part in parts(changed):
        if isinstance(part, SimpleImputer) and np.asarray(getattr(part, "statistics_", 0)).dtype.kind == "O":
            part.missing_values = GAP
        for known in getattr(part, "categories_", None) or ():
            if known.dtype.kind == "O":
                known[[is_gap(value) for value in known]] = GAP
        threshold = getattr(getattr(part, "tree_", None), "threshold", None)
        if threshold is not None:
            threshold[np.isposinf(threshold)] = np.finfo("float32").max
    return changed


def _statistics(estimator: Any) -> list[Any]:
    """What the imputers of numbers fill in."""
    import numpy as np

    found = [np.asarray(part.statistics_) for part in parts(estimator) if hasattr(part, "statistics_")]
    return [values.astype("float64") for values in found if values.dtype.kind in "iuf"]


def _to_onnx(estimator: Any, types: list[tuple[str, Any]]) -> Any:
    import skl2onnx
    from sklearn.feature_extraction.text import CountVectorizer

    # Not every system has the locale en_US, which is skl2onnx's own choice.
    texts: dict[Any, Any] = {
        type(part): {"locale": "C.UTF-8"} for part in parts(estimator) if isinstance(part, CountVectorizer)
    }
    arrays: dict[Any, Any] = {id(estimator): {"zipmap": False}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            try:
                return skl2onnx.to_onnx(estimator, initial_types=types, options={**arrays, **texts})
            except NameError:  # "Option 'zipmap' not in ...": it has no probabilities to make a map of
                return skl2onnx.to_onnx(estimator, initial_types=types, options=texts or None)
        except Exception as error:
            unknown = re.search(r"for type '<class '([\w.]+)'>'", str(error))
            words = (
                f"it has no converter for {unknown.group(1).rpartition('.')[2]}"
                if unknown
                else first_line(error).partition(" with name=")[0]
            )
            raise ConversionError(f"skl2onnx cannot convert the model: {words}.") from None


def _types(signature: Signature, precision: Precision) -> list[tuple[str, Any]]:
    from skl2onnx.common import data_types

    number = data_types.DoubleTensorType if precision == "float64" else data_types.FloatTensorType
    if signature.layout == "array":
        return [(INPUT, number([None, signature.inputs[0].shape[1]]))]
    if signature.layout == "text":
        return [(INPUT, data_types.StringTensorType([None, 1]))]
    kinds = {
        "float64": number,
        "int64": data_types.Int64TensorType,
        "bool": data_types.BooleanTensorType,
        "object": data_types.StringTensorType,
    }
    return [(spec.name, kinds[column_type(spec)]([None, 1])) for spec in signature.inputs]
