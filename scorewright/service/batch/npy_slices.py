"""A saved numpy array cut along its first axis."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from scorewright.service.batch.cut import Slice
from scorewright.service.batch.location import InputFile, Location

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = 1024
"""Of an array in Fortran's order (as a DataFrame's to_numpy() gives it) a slice is a read for each column; with more
columns it is not cut."""


def npy_slices(file: InputFile, rows: int | None, size: int | None) -> Iterator[Slice]:
    """The slices of a .npy file. In Fortran's order, their bytes are those of the whole array."""
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
    columns = int(np.prod(shape[1:], dtype=np.int64))
    row, total = dtype.itemsize * columns, shape[0]
    if data + row * total > file.size:
        raise ValueError(f"{file.url} is cut short: {total} rows are to be in it, and it ends before")
    fortran &= columns > 1
    step = rows or max((size or 0) // row, 1) if row and (not fortran or columns <= _COLUMNS) else total
    for first in range(0, total, step or 1):
        last = min(first + step, total)
        start, stop = (data, data + total * row) if fortran else (data + first * row, data + last * row)
        head = _header_of((last - first, *shape[1:]), fortran, dtype).decode("latin-1")
        yield Slice(file, first, last - first, start, stop, head)


def read_npy_slice(piece: Slice) -> BinaryIO:
    """A slice as a .npy file in memory."""
    head = piece.head.encode("latin-1")
    shape, fortran, dtype = _header(BytesIO(head))
    source = Location.of(piece.file.url)
    columns = int(np.prod(shape[1:], dtype=np.int64))
    total = (piece.stop - piece.start) // (dtype.itemsize * columns) if columns and dtype.itemsize else 0
    if not fortran or piece.rows == total:
        return BytesIO(head + source.read_range(piece.start, piece.stop))
    parts = [head]
    for column in range(columns):
        start = piece.start + (column * total + piece.first_row) * dtype.itemsize
        parts.append(source.read_range(start, start + piece.rows * dtype.itemsize))
    return BytesIO(b"".join(parts))


def _header(source: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(source)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(source)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(source)
    raise ValueError(f"version {version[0]}.{version[1]} of the format is not known")


def _header_of(shape: tuple[int, ...], fortran: bool, dtype: np.dtype[np.generic]) -> bytes:
    made = BytesIO()
    np.lib.format.write_array_header_2_0(
        made, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": fortran, "shape": shape}
    )
    return made.getvalue()
