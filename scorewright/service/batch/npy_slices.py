"""A saved numpy array cut along its first axis."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from scorewright.service.batch.cut import Slice
from scorewright.service.batch.location import InputFile, Location

if TYPE_CHECKING:
    from collections.abc import Iterator


def npy_slices(file: InputFile, rows: int | None, size: int | None) -> Iterator[Slice]:
    """The slices of a .npy file; all of it in one if it was saved in Fortran's order."""
    with Location.of(file.url).open() as source:
        try:
            shape, fortran, dtype = _header(source)
        except ValueError as error:
            raise ValueError(f"{file.url} is no .npy file: {error}") from None
        data = source.tell()
    if not shape:
        raise ValueError(f"{file.url} holds a single value, not an array of rows")
    if dtype.hasobject:
        raise ValueError(f"{file.url} holds Python objects; save numbers or texts")
    row = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
    if data + row * shape[0] > file.size:
        raise ValueError(f"{file.url} is cut short: {shape[0]} rows are to be in it, and it ends before")
    if fortran and len(shape) > 1 and shape[0]:
        yield Slice(file, 0, shape[0], 0, file.size)
        return
    step = rows or max((size or 0) // row, 1) if row else shape[0]
    for first in range(0, shape[0], step):
        last = min(first + step, shape[0])
        head = _header_of((last - first, *shape[1:]), dtype)
        yield Slice(file, first, last - first, data + first * row, data + last * row, head.decode("latin-1"))


def _header(source: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(source)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(source)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(source)
    raise ValueError(f"version {version[0]}.{version[1]} of the format is not known")


def _header_of(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> bytes:
    made = BytesIO()
    np.lib.format.write_array_header_2_0(
        made, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return made.getvalue()
