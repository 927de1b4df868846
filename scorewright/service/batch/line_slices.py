"""Text files cut between records: csv, JSON lines, lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd

from scorewright.service.batch.cut import Header, Slice
from scorewright.service.batch.location import InputFile, Location
from scorewright.service.batch.record_ends import Bytes, CsvEnds, JsonEnds, Places, RecordEnds, TextEnds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 4 << 20
_MARK = b"\xef\xbb\xbf"
_SOMETHING = ~np.isin(np.arange(256), list(b" \t\r\n"))


@dataclass(frozen=True)
class _Records:
    """Records that end in one block: where in the file, and how many rows there are up to each one's end."""

    ends: Places
    rows: Places


def line_slices(file: InputFile, rows: int | None, size: int | None, header: Header) -> Iterator[Slice]:
    """The slices of a text file."""
    suffix = PurePosixPath(file.relative).suffix.lower()
    with Location.of(file.url).open() as source:
        try:
            if suffix == ".csv":
                yield from _csv(file, source, rows, size, header)
            else:
                ends = TextEnds() if suffix == ".txt" else JsonEnds()
                yield from _slices(file, _records(source, ends, 0), rows, size, 0, "")
        except ValueError as error:
            raise ValueError(f"{file.url}: {error}") from None


def _csv(file: InputFile, source: BinaryIO, rows: int | None, size: int | None, header: Header) -> Iterator[Slice]:
    first, stop = _first_record(source)
    if not first:
        return
    start, head = stop, first
    if header == "detect" and (width := _width_of_numbers(first)):
        # Names make sure that whoever reads a slice takes none of its rows for a header.
        start, head = 0, (",".join(f"c{place}" for place in range(width)) + "\n").encode()
    source.seek(start)
    if start == 0 and source.read(len(_MARK)) == _MARK:
        start = len(_MARK)
    source.seek(start)
    yield from _slices(file, _records(source, CsvEnds(), start), rows, size, start, head.decode("latin-1"))


def _first_record(source: BinaryIO) -> tuple[bytes, int]:
    """A csv file up to the end of its first row, with a newline at its end, and where that is."""
    records = _records(source, CsvEnds(), 0)
    for found in records:
        if len(found.rows) and found.rows[-1]:
            stop = int(found.ends[np.searchsorted(found.rows, 1)])
            source.seek(0)
            first = source.read(stop)
            return first if first.endswith((b"\n", b"\r")) else first + b"\n", stop
    return b"", 0


def _width_of_numbers(first: bytes) -> int:
    """How many columns a csv file's first row has, if all of it are numbers; else 0."""
    found = pd.read_csv(BytesIO(first), header=None, nrows=1, encoding_errors="replace")
    return found.shape[1] if all(kind.kind in "iuf" for kind in found.dtypes) else 0


def _records(source: BinaryIO, ends: RecordEnds, at: int) -> Iterator[_Records]:
    """The records from here to the end of the file."""
    rows, open_start, open_has = 0, at, False
    while block := source.read(_BLOCK):
        while block[-1:] in [bytes([byte]) for byte in ends.unsure] and (more := source.read(1)):
            block += more
        data = np.frombuffer(block, np.uint8)
        places = ends.of(data)
        if len(places):
            has = np.ones(len(places), bool) if ends.counts_blank else _has_something(data, places)
            has[0] |= open_has
            total = rows + np.cumsum(has)
            yield _Records(places + at, total)
            rows, open_start, open_has = int(total[-1]), at + int(places[-1]), False
            data = data[places[-1] :]
        at += len(block)
        open_has |= bool(len(data)) if ends.counts_blank else bool(_SOMETHING[data].any())
    ends.finish()
    if at > open_start and open_has:
        yield _Records(np.asarray([at]), np.asarray([rows + 1]))


def _has_something(data: Bytes, places: Places) -> NDArray[np.bool_]:
    """Which of the records that end at these places hold more than spaces."""
    starts = np.concatenate(([0], places[:-1]))
    has: NDArray[np.bool_] = _SOMETHING[data[starts]]
    if not has.all() and (unsure := np.flatnonzero(~has & (places - starts > 1))).size:
        counts = np.add.reduceat(_SOMETHING[data[: places[-1]]], starts, dtype=np.int64)
        has[unsure] = counts[unsure] > 0
    return has


def _slices(
    file: InputFile, records: Iterator[_Records], rows: int | None, size: int | None, start: int, head: str
) -> Iterator[Slice]:
    first, last = 0, (start, 0)  # the open slice's first row; the last end of a record, and the rows up to it
    for found in records:
        place = 0
        while place < len(found.ends):
            if rows is not None:
                place = int(np.searchsorted(found.rows, first + rows))
            else:
                place = int(np.searchsorted(found.ends, start + (size or 0), side="right"))
                within = (int(found.ends[place - 1]), int(found.rows[place - 1])) if place else last
                if place < len(found.ends) and within[1] > first:
                    yield Slice(file, first, within[1] - first, start, within[0], head)
                    start, first = within
                    continue
            if place < len(found.ends):
                stop, total = int(found.ends[place]), int(found.rows[place])
                if total > first:
                    yield Slice(file, first, total - first, start, stop, head)
                start, first = stop, total
        last = int(found.ends[-1]), int(found.rows[-1])
    if last[1] > first:
        yield Slice(file, first, last[1] - first, start, last[0], head)
