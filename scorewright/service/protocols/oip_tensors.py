"""Tensors of the Open Inference Protocol: their datatypes, their way into a bundle's request, outputs' data. Pure.

numpy is imported where it is used: the front, which must do without, reads the datatypes here.

Contract: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol (Tensor Data Types,
Tensor Data) and Triton's binary tensor data extension, protocol/extension_binary_data.md.
"""

from __future__ import annotations

import json
import struct
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from scorewright.bundle import Scalar

NUMPY = {
    "BOOL": "bool",
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "BYTES": "object",
}
"""Each datatype of the protocol with the numpy type of its elements."""

_DATATYPE = {name: datatype for datatype, name in NUMPY.items()} | {"bfloat16": "FP32"}
_LENGTH = struct.Struct("<I")


class Tensor(NamedTuple):
    """Parsed data, flat, in row-major order.

    `values` are a numpy array of numbers (floats as float64) or truth values; texts, and whole numbers or truth
    values among which something is missing (None), are a list.
    """

    shape: tuple[int, ...]
    values: Any


def datatype(dtype: str, values: Iterable[Scalar] = ()) -> str:
    """The datatype of what a TensorSpec calls `dtype`; for "category", that of its `values`.

    Texts, dates and what is of no one type are BYTES.
    """
    if dtype != "category":
        return _DATATYPE.get(dtype, "BYTES")
    types = set(map(type, values))
    if types == {bool}:
        return "BOOL"
    if types == {int}:
        return "INT64"
    return "FP64" if types and types <= {int, float} else "BYTES"


def dimensions(shape: Iterable[int | None]) -> list[int]:
    """A TensorSpec's shape as the protocol writes it: -1 is any size."""
    return [-1 if size is None else size for size in shape]


def render(value: Any, kind: str, *, binary: bool) -> tuple[list[int], Any]:
    """An output's shape and data: `value` is what run() returned for it, nested lists of JSON's types.

    The data are bytes if `binary`, else a flat list or array of which orjson makes JSON; there, NaN is null and
    infinities are "Infinity" and "-Infinity". Raises TypeError, ValueError or OverflowError if the values are not of
    the datatype `kind`.
    """
    import numpy as np

    if kind.startswith("FP"):
        # The doubles that run() returned: 0.1 of a float32 is 0.10000000149011612 in JSON, as /score has it.
        floats = np.array(value, dtype=np.float64)
        if binary:
            return list(floats.shape), floats.astype(NUMPY[kind]).tobytes()
        flat = floats.ravel()
        return list(floats.shape), _named(flat) if np.isinf(flat).any() else flat
    objects = np.array(value, dtype=object)
    items: list[Any] = objects.ravel().tolist()
    if kind == "BYTES":
        texts = [item if item is None or isinstance(item, str) else json.dumps(item) for item in items]
        return list(objects.shape), _joined(texts) if binary else texts
    expected = bool if kind == "BOOL" else int
    if set(map(type, items)) - {expected}:
        odd = next(item for item in items if type(item) is not expected)
        raise ValueError(f"run() returned {describe(odd)}, which is no {kind}.")
    array = np.array(items, dtype=NUMPY[kind])
    return list(objects.shape), array.tobytes() if binary else array


def rows(tensor: Tensor) -> Any:
    """A tensor in its shape, for JSON: a numpy array if it is one, else nested lists."""
    import numpy as np

    values = tensor.values
    if isinstance(values, list):
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array.reshape(tensor.shape).tolist()
    return values.reshape(tensor.shape)


def column(tensor: Tensor) -> list[Any]:
    """A tensor's values as a flat list, None for NaN."""
    import numpy as np

    values = tensor.values
    if isinstance(values, list):
        return values
    if values.dtype.kind == "f" and np.isnan(values).any():
        values = _gaps(values)
    flat: list[Any] = values.tolist()
    return flat


def infinite(tensor: Tensor) -> bool:
    """Whether a value is an infinity."""
    import numpy as np

    values = tensor.values
    return not isinstance(values, list) and values.dtype.kind == "f" and bool(np.isinf(values).any())


def dumps(data: Any, *, infinite: bool) -> str:
    """JSON of lists, dicts and numpy arrays: NaN is null, infinities, if it has any, are Python's `Infinity`."""
    if not infinite:
        return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    # orjson would make them null.
    return json.dumps(data, default=lambda array: (_gaps(array) if array.dtype.kind == "f" else array).tolist())


def describe(value: Any) -> str:
    """A JSON value in few words, for an error message."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _joined(texts: list[str | None]) -> bytes:
    """The binary form of texts; it has none for a missing one, which is sent empty."""
    encoded = [(text or "").encode() for text in texts]
    return b"".join(chain.from_iterable((_LENGTH.pack(len(text)), text) for text in encoded))


def _named(flat: np.ndarray[Any, Any]) -> list[Any]:
    """Floats as JSON carries them where some are infinite."""
    import numpy as np

    named = _gaps(flat)
    named[np.isposinf(flat)] = "Infinity"
    named[np.isneginf(flat)] = "-Infinity"
    items: list[Any] = named.tolist()
    return items


def _gaps(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Floats as objects, None for NaN."""
    import numpy as np

    objects = array.astype(object)
    objects[np.isnan(array)] = None
    return objects
