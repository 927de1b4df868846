"""Big files cut into slices of rows, and a slice read as a small file of the same format."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal

from scorewright.errors import LocationError
from scorewright.service.batch.location import InputFile, Location

if TYPE_CHECKING:
    from collections.abc import Iterator

Header = Literal["always", "detect"]
"""Whether a csv file's first line is its header: always, or only if it holds anything but numbers."""

_LINES = (".csv", ".jsonl", ".ndjson", ".txt")
_SUFFIXES = (*_LINES, ".npy", ".parquet")


@dataclass(frozen=True)
class Slice:
    """Some rows of a file, one after the other.

    `start` and `stop` are bytes of the file, of parquet row groups; `head` is what goes before these bytes, as Latin-1.
    """

    file: InputFile
    first_row: int
    rows: int
    start: int
    stop: int
    head: str = ""

    @property
    def suffix(self) -> str:
        """The file's suffix in lower case, with its dot."""
        return _suffix(self.file)


def can_cut(suffix: str) -> bool:
    """Whether files with this suffix (".csv") are cut into rows."""
    return suffix.lower() in _SUFFIXES


def cut(file: InputFile, *, rows: int | None = None, size: int | None = None, header: Header) -> Iterator[Slice]:
    """The slices of a file: of at most `rows` rows, or of about `size` bytes (of parquet: as they are in memory).

    The file is read once, in blocks; of parquet and npy only what says where the rows are. A file without rows has no
    slices. Raises LocationError if it cannot be read, ValueError if its content is not what its suffix says.
    """
    if (rows is None) == (size is None):
        raise TypeError("either rows or size")
    match _suffix(file):
        case ".parquet":
            from scorewright.service.batch.parquet_slices import parquet_slices

            return parquet_slices(file, rows, size)
        case ".npy":
            from scorewright.service.batch.npy_slices import npy_slices

            return npy_slices(file, rows, size)
        case suffix if suffix in _LINES:
            from scorewright.service.batch.line_slices import line_slices

            return line_slices(file, rows, size, header)
        case suffix:
            raise ValueError(f"{file.url}: files named *{suffix} are not cut into rows")


def read(piece: Slice) -> BinaryIO:
    """A file in memory of the same format with the slice's rows only; of csv with the header.

    Only these bytes are fetched. Raises LocationError if they cannot be, or if the file has changed since it was cut.
    """
    now = Location.of(piece.file.url).files()
    if [file.tag for file in now] != [piece.file.tag]:
        raise LocationError(
            f"{piece.file.url} has changed since the job began.", hint="Start the job anew, without --resume."
        )
    if piece.suffix == ".parquet":
        from scorewright.service.batch.parquet_slices import read_parquet_slice

        return read_parquet_slice(piece)
    if piece.suffix == ".npy":
        from scorewright.service.batch.npy_slices import read_npy_slice

        return read_npy_slice(piece)
    content = Location.of(piece.file.url).read_range(piece.start, piece.stop)
    return io.BytesIO(piece.head.encode("latin-1") + content)


def _suffix(file: InputFile) -> str:
    return PurePosixPath(file.relative).suffix.lower()
