"""What the templates of batch_score.py need to know of a model beyond what those of score.py do."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorewright.bundle import Signature, TensorSpec
    from scorewright.score.spec import ModelSpec

MANY_ROWS = 16384
"""The most rows that are read at a time, and scored by a call of a model that does no linear algebra."""

FEW_ROWS = 256
"""The most rows a call has of other models: the block was measured with so many (see block.py)."""

MANY_VALUES = 2**21
"""How many values are read, or answered, at a time: 16 MB of numbers."""

EXACT = "exact"
"""The trait of a scikit-learn model whose answers do not depend on how many rows are scored together."""

TEXT = "string[pyarrow]"


def batch_context(spec: ModelSpec, *, named: bool) -> dict[str, Any]:
    """The context for the templates; `named` is whether the model's columns have names."""
    signature = spec.signature
    tensors = signature.layout == "tensors"
    inputs = signature.inputs
    free = tensors and any(size is None for spec in inputs for size in spec.shape[1:])
    shape = inputs[0].shape[1:] if len(inputs) == 1 else None
    answers = _answers(signature, free)
    dtypes = {dtype for outputs in answers.values() for _, dtype, _ in outputs}
    rows = _rows_at_a_time(signature)
    images = tensors and is_image(signature)
    tables = not tensors or (shape is not None and len(shape) <= 1)
    csv_has_header = signature.layout in ("columns", "text") or named or inputs[0].dtype in ("string", "bool")
    parts = [".csv", ".parquet"] if tables else []
    parts += [".jsonl", ".ndjson", ".json"]
    parts += [".npy"] if len(inputs) == 1 or not tensors else []
    parts += [".txt"] if takes_lines(signature) else []
    return {
        "answers": answers,
        "parts": tuple(parts),
        "tables": tables,
        "images": images,
        "image_shape": shape,
        "wrapped": tensors and takes_lines(signature) and shape == (1,),
        "whole_inputs": tensors and inputs[0].dtype.startswith(("int", "uint")),
        "lines": takes_lines(signature),
        "arrives_as_npz": tensors and len(inputs) > 1,
        "rows_read": rows,
        "rows_called": 1
        if spec.block is None
        else min(rows, MANY_ROWS if EXACT in spec.traits and not spec.converted else FEW_ROWS),
        "free": free,
        "many": any(width is not None for outputs in answers.values() for *_, width in outputs),
        "csv_has_header": csv_has_header,
        "has_text_answers": TEXT in dtypes,
        "has_other_answers": not dtypes <= {TEXT, "float64", "json"},
        "text_places": _places(signature, is_text),
        "float_places": _places(signature, lambda column: _is_any_fraction(column, spec.none_columns)),
        "file_help": textwrap.fill(f"A file is {_file_help(signature, named)}.", 118),
        "batch_width": shape[0] if tensors and tables and shape else (1 if tensors and tables else None),
    }


def is_text(column: TensorSpec) -> bool:
    """Whether a csv file's values of this column are texts, also where they look like numbers or gaps."""
    if column.dtype == "category":
        return all(isinstance(known, str) for known in column.categories or ())
    return column.dtype in ("string", "datetime")


def _is_any_fraction(column: TensorSpec, none_columns: tuple[str, ...]) -> bool:
    """Whether a column's values are an array of float64, NaN where one is missing, and all that is to be seen to is
    how large they are."""
    fraction = column.dtype in ("float64", "float32") and column.categories is None
    return fraction and column.name not in none_columns


def is_image(signature: Signature) -> bool:
    """Whether a Keras model takes one image a row: numbers of the shape (height, width, 1 or 3)."""
    if len(signature.inputs) != 1:
        return False
    shape = signature.inputs[0].shape[1:]
    return (
        len(shape) == 3
        and None not in shape
        and shape[2] in (1, 3)
        and signature.inputs[0].dtype not in ("string", "bool")
    )


def takes_lines(signature: Signature) -> bool:
    """Whether a row is one text, so that a file may have one a line."""
    text = len(signature.inputs) == 1 and signature.inputs[0].dtype == "string"
    return signature.layout == "text" or (
        signature.layout == "tensors" and text and signature.inputs[0].shape[1:] in ((), (1,))
    )


def _places(signature: Signature, wanted: Any) -> tuple[int, ...]:
    if signature.layout != "columns":
        return ()
    return tuple(place for place, column in enumerate(signature.inputs) if wanted(column))


def _answers(signature: Signature, free: bool) -> dict[str, tuple[tuple[str, str, int | None], ...]]:
    return {
        name: tuple(_columns(output, signature.layout == "tensors", free) for output in method.outputs)
        for name, method in signature.methods.items()
    }


def _columns(output: TensorSpec, tensors: bool, free: bool) -> tuple[str, str, int | None]:
    shape = [size or 1 for size in output.shape[1:]]
    if free and len(shape) > 1:  # its size is another for each row
        return output.name, "json", None
    return output.name, _dtype(output.dtype), math.prod(shape) if shape or tensors else None


def _dtype(dtype: str) -> str:
    if dtype.startswith("float"):
        return "float64"
    if dtype.startswith(("int", "uint")):
        return "UInt64" if dtype == "uint64" else "Int64"
    return "boolean" if dtype == "bool" else TEXT


def _rows_at_a_time(signature: Signature) -> int:
    inside = sum(math.prod(size or 1 for size in spec.shape[1:]) for spec in signature.inputs)
    outside = [math.prod(size or 1 for size in o.shape[1:]) for m in signature.methods.values() for o in m.outputs]
    return max(1, min(MANY_ROWS, MANY_VALUES // max(inside, *outside, 1)))


def _file_help(signature: Signature, named: bool) -> str:
    lines = "or a .jsonl file with a row a line as a request has it"
    if takes_lines(signature):
        return (
            f"a .txt file with a text a line, a csv or parquet file whose first column is the text, an npy file {lines}"
        )
    if signature.layout == "tensors" and len(signature.inputs) > 1:
        return f"a .npz file with an array of rows an input, {lines}"
    if is_image(signature):
        return f"an image (png, jpg, bmp or gif), which is one row, a .npy file of rows, {lines}"
    if signature.layout == "tensors" and len(signature.inputs[0].shape) > 2:
        return f"a .npy file of rows, {lines}"
    if named:
        return f"a csv or parquet file with the model's columns by name (others are passed over), a .npy file, {lines}"
    return f"a csv, parquet or npy file with the model's columns in order, {lines}"
