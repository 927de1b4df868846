"""A parquet file cut by its row groups, and within those that are big."""

from __future__ import annotations

import threading
from io import BytesIO
from itertools import accumulate, pairwise
from math import ceil
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from scorewright.service.batch.cut import Slice
from scorewright.service.batch.location import InputFile, Location

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 16_384
_BUFFERS = 32 << 20


def parquet_slices(file: InputFile, rows: int | None, size: int | None) -> Iterator[Slice]:
    """The slices of a parquet file: small row groups together, big ones in parts. Its footer alone is read."""
    with Location.of(file.url).open() as source, _opened(file, source) as parquet:
        groups = [parquet.metadata.row_group(place) for place in range(parquet.metadata.num_row_groups)]
        starts = _group_starts(parquet)
    cuts = (
        range(0, starts[-1], rows)
        if rows is not None
        else _by_size([(group.num_rows, group.total_byte_size) for group in groups], size or 1)
    )
    edges = [*cuts, starts[-1]]
    group = 0
    for first, last in pairwise(edges):
        while starts[group + 1] <= first:
            group += 1
        stop = group
        while starts[stop] < last:
            stop += 1
        yield Slice(file, first, last - first, group, stop)


def _by_size(groups: list[tuple[int, int]], size: int) -> Iterator[int]:
    """The first row of each slice."""
    first, taken = 0, 0
    for rows, weight in groups:
        if not rows:
            continue
        if not taken or taken + weight > size:
            parts = min(ceil(weight / size), rows) or 1
            yield from (first + rows * part // parts for part in range(parts))
            taken = weight if parts == 1 else size
        else:
            taken += weight
        first += rows


def read_parquet_slice(piece: Slice) -> BinaryIO:
    """A slice as a parquet file in memory, uncompressed, with the schema and metadata of the whole."""
    stream: _Stream | None = getattr(_streams, "left", None)
    _streams.left = None  # what fails is not gone on with
    try:
        if stream is None or not stream.leads_to(piece):
            stream = _Stream(piece)
        table = stream.take(piece)
    except (pa.ArrowException, OSError) as error:  # what a Location cannot read is a LocationError
        raise ValueError(f"{piece.file.url} cannot be read as parquet: {error}") from None
    if not stream.ended:
        _streams.left = stream
    made = BytesIO()
    pq.write_table(table, made, compression="none", use_dictionary=False, write_statistics=False)
    made.seek(0)
    return made


_streams = threading.local()
"""Where each thread's last slice ended: a row group can only be read on, and the next slice need not begin it anew."""


class _Stream:
    """A file's rows from a row group's first on, a few at a time."""

    def __init__(self, piece: Slice) -> None:
        self._file = piece.file
        self._source = Location.of(piece.file.url).open()
        columns = max(_opened(piece.file, self._source).metadata.num_columns, 1)
        buffer = min(max(_BUFFERS // columns, 1 << 16), 1 << 20)
        parquet = pq.ParquetFile(self._source, buffer_size=buffer, pre_buffer=False)
        self._starts = _group_starts(parquet)
        self._at = self._starts[piece.start]
        self._schema = parquet.schema_arrow
        groups = list(range(piece.start, parquet.metadata.num_row_groups))
        self._batches = parquet.iter_batches(_BATCH, row_groups=groups, use_threads=False)
        self._left: pa.RecordBatch | None = None

    def __del__(self) -> None:
        if hasattr(self, "_source"):
            self._source.close()

    @property
    def ended(self) -> bool:
        """Whether there are no more rows."""
        return self._at == self._starts[-1]

    def leads_to(self, piece: Slice) -> bool:
        """Whether reading on is no longer than beginning anew with the slice's row group."""
        return self._file == piece.file and self._starts[piece.start] <= self._at <= piece.first_row

    def take(self, piece: Slice) -> pa.Table:
        """The slice's rows; those before are passed over."""
        taken = []
        stop = piece.first_row + piece.rows
        while self._at < stop:
            batch = self._left if self._left is not None else next(self._batches)
            skipped = min(max(piece.first_row - self._at, 0), batch.num_rows)
            wanted = min(stop - self._at, batch.num_rows)
            if wanted > skipped:
                taken.append(batch.slice(skipped, wanted - skipped))
            self._left = batch.slice(wanted) if wanted < batch.num_rows else None
            self._at += wanted
        return pa.Table.from_batches(taken, self._schema)


def _group_starts(parquet: pq.ParquetFile) -> list[int]:
    """Each row group's first row, then the number of rows."""
    groups = range(parquet.metadata.num_row_groups)
    return list(accumulate((parquet.metadata.row_group(place).num_rows for place in groups), initial=0))


def _opened(file: InputFile, source: BinaryIO) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{file.url} is no parquet file: {error}") from None
