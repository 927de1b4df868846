"""An input of the Open Inference Protocol: its datatype and shape held against the model's, its data read. Pure.

Data come as JSON, flat or nested as the shape is, or as Triton's binary tensor data (little-endian, row-major).
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

from scorewright.errors import RequestError
from scorewright.service.protocols.oip_tensors import NUMPY, Tensor, datatype, describe, dimensions

if TYPE_CHECKING:
    from scorewright.bundle import TensorSpec

_LARGEST = 2**63 - 1
_LENGTH_BYTES = 4
_WORDS = {"F": "a number", "I": "a whole number", "U": "a whole number", "BOOL": "true or false", "BYTES": "a string"}
_TYPES: dict[str, frozenset[type]] = {
    "F": frozenset({int, float, type(None)}),
    "I": frozenset({int, type(None)}),
    "U": frozenset({int, type(None)}),
    "BOOL": frozenset({bool, type(None)}),
    "BYTES": frozenset({str, type(None)}),
}


def parse(given: dict[str, Any], spec: TensorSpec, where: str, binary: memoryview | None) -> Tensor:
    """An input's data: `binary`, or what is at "data". Raises RequestError naming the place, below `where`."""
    wanted = datatype(spec.dtype, spec.categories or ())
    kind = given.get("datatype")
    if not isinstance(kind, str) or kind not in NUMPY:
        raise RequestError(400, f"{where}.datatype is {describe(kind)}, it must be one of {', '.join(NUMPY)}.")
    if _sort(kind) != _sort(wanted):
        raise RequestError(400, f"{where}.datatype is {kind}; the input {spec.name!r} is {wanted}.")
    shape = _shape(given.get("shape"), spec, f"{where}.shape")
    if binary is None:
        values = _from_json(given["data"], kind, shape, f"{where}.data")
    elif kind == "BYTES":
        values = _texts(binary, prod(shape), where)
    else:
        values = _from_binary(binary, kind, prod(shape), where)
    return Tensor(shape[: len(spec.shape)], values)


def _sort(kind: str) -> str:
    return kind if kind in ("BOOL", "BYTES") else "number"


def _family(kind: str) -> str:
    return kind if kind in ("BOOL", "BYTES") else kind[0]


def _shape(given: Any, spec: TensorSpec, where: str) -> tuple[int, ...]:
    """The shape of an input as given, held against the model's. Raises RequestError."""
    wanted = dimensions(spec.shape)
    if not isinstance(given, list):
        raise RequestError(400, f"{where} is {describe(given)}, it must be a list of whole numbers like {wanted}.")
    for place, size in enumerate(given):
        if type(size) is not int or not 1 <= size <= _LARGEST:
            raise RequestError(400, f"{where}[{place}] is {describe(size)}, it must be a whole number from 1 up.")
    # One value a row is often sent as an array of one column.
    fitting = given[:1] if len(wanted) == 1 and given[1:] == [1] else given
    if len(fitting) != len(wanted) or any(want not in (-1, have) for want, have in zip(wanted, fitting, strict=True)):
        shown = ", ".join(map(str, given[:8])) + (", …" if len(given) > 8 else "")
        raise RequestError(400, f"{where} is [{shown}]; the input {spec.name!r} takes {wanted}, -1 being any size.")
    return tuple(given)


def _from_json(data: Any, kind: str, shape: tuple[int, ...], where: str) -> Any:
    """Values as JSON has them, flat or nested as `shape` is. Raises RequestError."""
    nested = isinstance(data, list) and bool(data) and isinstance(data[0], list)
    steps = shape if nested else (prod(shape),)
    flat = _flattened(data, steps, where)
    allowed = _TYPES[_family(kind)]
    if not allowed.issuperset(map(type, flat)):
        place = next(place for place, value in enumerate(flat) if type(value) not in allowed)
        raise RequestError(
            400, f"{_place(where, place, steps)} is {describe(flat[place])}, {kind} takes {_WORDS[_family(kind)]}."
        )
    if kind == "BYTES":
        return flat
    gaps = None in flat
    if kind == "BOOL" and gaps:
        return flat
    array, place = _converted(flat, kind)
    if array is None:
        raise RequestError(400, f"{_place(where, place, steps)} is {describe(flat[place])}, which does not fit {kind}.")
    return flat if gaps and not kind.startswith("FP") else array


def _flattened(data: Any, steps: tuple[int, ...], where: str) -> list[Any]:
    """Lists nested as deep as `steps` and of these lengths, as one. Raises RequestError."""
    if not isinstance(data, list):
        raise RequestError(400, f"{where} is {describe(data)}, it must be a list.")
    level = [data]
    for depth, size in enumerate(steps):
        if set(map(len, level)) != {size}:
            place = next(place for place, items in enumerate(level) if len(items) != size)
            at = _place(where, place, steps[:depth])
            raise RequestError(400, f"{at} has {len(level[place])} values, its shape asks for {size}.")
        level = list(chain.from_iterable(level))
        if depth + 1 < len(steps) and set(map(type, level)) != {list}:
            place = next(place for place, items in enumerate(level) if not isinstance(items, list))
            at = _place(where, place, steps[: depth + 1])
            raise RequestError(400, f"{at} is {describe(level[place])}, it must be {steps[depth + 1]} values.")
    return level


def _place(where: str, place: int, steps: tuple[int, ...]) -> str:
    """Where in nested lists of these lengths the value is that comes as number `place`."""
    indices = []
    for size in reversed(steps):
        place, index = divmod(place, size)
        indices.append(f"[{index}]")
    return where + "".join(reversed(indices))


def _converted(flat: list[Any], kind: str) -> tuple[Any, int]:
    """The values as an array (None among numbers as NaN), floats as float64; or None and which does not fit."""
    import numpy as np

    if kind.startswith("FP"):
        try:
            exact = np.array(flat, dtype=np.float64)
        except OverflowError:
            return None, next(place for place, value in enumerate(flat) if _too_large(value))
        if kind == "FP64":
            return exact, 0
        lost = np.isfinite(exact) & (np.abs(exact) > float(np.finfo(NUMPY[kind]).max))
        return (None, int(lost.argmax())) if lost.any() else (exact.astype(NUMPY[kind]).astype(np.float64), 0)
    dtype = NUMPY[kind]
    given = [value for value in flat if value is not None] if None in flat else flat
    try:
        return np.array(given, dtype=dtype), 0
    except OverflowError:
        limits = np.iinfo(dtype)
        return None, next(
            place
            for place, value in enumerate(flat)
            if value is not None and not int(limits.min) <= value <= int(limits.max)
        )


def _too_large(value: Any) -> bool:
    try:
        float(value or 0)
    except OverflowError:
        return True
    return False


def _from_binary(binary: memoryview, kind: str, count: int, where: str) -> Any:
    import numpy as np

    dtype = np.dtype(NUMPY[kind]).newbyteorder("<")
    if len(binary) != count * dtype.itemsize:
        raise RequestError(
            400,
            f"{where}.parameters.binary_data_size is {len(binary)}; "
            f"its shape asks for {count} {kind} values, which take {count * dtype.itemsize} bytes.",
        )
    if kind == "BOOL":
        return np.frombuffer(binary, dtype=np.uint8) != 0
    # Copied, too: where the data lie in the body is not aligned. Of a signalling NaN numpy would warn in the log.
    with np.errstate(invalid="ignore"):
        return np.frombuffer(binary, dtype=dtype).astype(np.float64 if kind.startswith("FP") else NUMPY[kind])


def _texts(binary: memoryview, count: int, where: str) -> list[str]:
    """Elements that each have their length in bytes before them, as a 4-byte little-endian number."""
    texts: list[str] = []
    at = 0
    while at < len(binary) and len(texts) < count:
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(binary[at:start], "little")
        if start > len(binary) or at > len(binary):
            raise RequestError(400, f"{where}: the binary data end inside the element {len(texts)}.")
        try:
            texts.append(str(binary[start:at], "utf-8"))
        except UnicodeDecodeError as error:
            raise RequestError(400, f"{where}: the binary element {len(texts)} is not UTF-8: {error}.") from None
    if len(texts) < count:
        raise RequestError(400, f"{where}: the binary data have {len(texts)} elements, its shape asks for {count}.")
    if at < len(binary):
        raise RequestError(
            400, f"{where}: the binary data go on for {len(binary) - at} bytes after the {count} elements of its shape."
        )
    return texts
