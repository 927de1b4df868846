"""Which mini-batches a job has: the files at its input, sorted, and how they are divided."""

from __future__ import annotations

import io
import itertools
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from scorewright.errors import BatchError, LocationError, UsageError
from scorewright.service.batch import cut, frames
from scorewright.service.batch.mini_batch import MiniBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from scorewright.service.batch.location import InputFile, Location
    from scorewright.service.batch.settings import BatchSettings

Kind = Literal["files", "tabular"]

FILES_A_MINI_BATCH = 10
"""Azure's mini_batch_size."""
BYTES_A_MINI_BATCH = 8 * 1024 * 1024
PARTITIONS = "partitions"
_GROUP = "_scorewright_group"
_MOST_GROUPS = 2**31 - 1
_OPEN_FILES = 128
"""While rows are sorted: a process may have 1024, and less is slower only."""


@dataclass(frozen=True)
class Reading:
    """How files are read: whether a script can be given rows of them, and whether a csv's first line is a header."""

    parts: bool
    header: cut.Header = "always"


def kind_of(settings: BatchSettings, files: Sequence[InputFile], reading: Reading) -> Kind:
    """Rows where that is asked for, or where the script takes them and every file has them; else paths.

    Raises UsageError where a setting does not go with that.
    """
    if settings.input_kind is not None:
        return settings.input_kind
    kind: Kind = "tabular" if reading.parts and all(_can_cut(file) for file in files) else "files"
    if kind == "files" and settings.size_bytes is not None:
        raise UsageError(
            f"mini_batch_size is {settings.mini_batch_size}, and a mini-batch is a number of files here.",
            hint="Say --input-kind tabular to have rows in a mini-batch.",
        )
    return kind


def plan(
    settings: BatchSettings, files: Sequence[InputFile], kind: Kind, reading: Reading, work: Location
) -> Iterator[MiniBatch]:
    """The mini-batches, in the order of the sorted files.

    Raises LocationError if a file cannot be read or has no rows to be cut.
    """
    if kind == "tabular":
        strange = next((file for file in files if not _can_cut(file)), None)
        if strange is not None:
            raise LocationError(
                f"{strange.url} has no rows that a mini-batch could be made of.",
                hint="Tables are .csv, .parquet, .jsonl, .ndjson, .npy and .txt; for others say --input-kind files.",
            )
        if settings.partition_keys:
            return _by_columns(settings.partition_keys, _all_slices(settings, files, reading), work)
        return _by_rows(settings, files, reading)
    if settings.partition_keys:
        return _by_folders(settings.partition_keys, files)
    size = settings.mini_batch_size if isinstance(settings.mini_batch_size, int) else FILES_A_MINI_BATCH
    return (MiniBatch(number, len(some), files=tuple(some)) for number, some in enumerate(_batched(files, size)))


def _batched(files: Sequence[InputFile], size: int) -> Iterator[Sequence[InputFile]]:
    return (files[start : start + size] for start in range(0, len(files), size))


def _can_cut(file: InputFile) -> bool:
    return cut.can_cut(PurePosixPath(file.relative).suffix.lower())


def _by_rows(settings: BatchSettings, files: Sequence[InputFile], reading: Reading) -> Iterator[MiniBatch]:
    """Mini-batches of a file's rows; a file that is not what its name says is one that has failed."""
    number = 0
    for file in files:
        try:
            for rows in _slices(settings, file, reading):
                yield MiniBatch(number, rows.rows, rows=rows)
                number += 1
        except ValueError as error:
            yield MiniBatch(number, 1, files=(file,), broken=str(error))
            number += 1


def _all_slices(settings: BatchSettings, files: Sequence[InputFile], reading: Reading) -> Iterator[cut.Slice]:
    for file in files:
        try:
            yield from _slices(settings, file, reading)
        except ValueError as error:
            raise _unreadable(str(error)) from None


def _slices(settings: BatchSettings, file: InputFile, reading: Reading) -> Iterator[cut.Slice]:
    rows = settings.mini_batch_size if isinstance(settings.mini_batch_size, int) else None
    size = None if rows is not None else settings.size_bytes or BYTES_A_MINI_BATCH
    return cut.cut(file, rows=rows, size=size, header=reading.header)


def _by_folders(keys: Sequence[str], files: Sequence[InputFile]) -> Iterator[MiniBatch]:
    """A mini-batch of the files that are below the same key=value folders."""
    groups: dict[tuple[str, ...], list[InputFile]] = defaultdict(list)
    for file in files:
        found = dict(part.split("=", 1) for part in PurePosixPath(file.relative).parts[:-1] if "=" in part)
        missing = [key for key in keys if key not in found]
        if missing:
            raise LocationError(
                f"{file.url} is below no folder {missing[0]}=VALUE, by which the mini-batches are to be made.",
                hint="Partition keys of files are folders named KEY=VALUE; of tables, columns (--input-kind tabular).",
            )
        groups[tuple(found[key] for key in keys)].append(file)
    for number, values in enumerate(sorted(groups)):
        some = groups[values]
        yield MiniBatch(number, len(some), files=tuple(some), key=dict(zip(keys, values, strict=True)))


def _by_columns(keys: Sequence[str], slices: Iterator[cut.Slice], work: Location) -> Iterator[MiniBatch]:
    """A mini-batch of the rows that have the same values in these columns, kept in a file of its own.

    The rows are sorted onto disk by pyarrow, so that memory stays flat.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    first = next(slices, None)
    if first is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        schema = _table(first, None).schema
        absent = [key for key in keys if key not in schema.names]
        if absent:
            raise LocationError(
                f"{first.file.url} has no column {absent[0]}, by which the mini-batches are to be made.",
                hint=f"It has {', '.join(schema.names[:-2])}.",
            )
        # By a number for each group: values may be too long, too many or too odd to be names of folders.
        groups: dict[tuple[Any, ...], int] = {}
        number = pa.field(_GROUP, pa.int32())
        batches = (
            batch
            for rows in itertools.chain([first], slices)
            for batch in _numbered(_table(rows, schema), keys, groups).to_batches()
        )
        try:
            ds.write_dataset(
                pa.RecordBatchReader.from_batches(schema.append(number), batches),
                folder,
                format="parquet",
                partitioning=ds.partitioning(pa.schema([number])),
                use_threads=False,
                max_partitions=_MOST_GROUPS,
                max_open_files=_OPEN_FILES,
                existing_data_behavior="error",
            )
        except OSError as error:
            raise LocationError(
                f"The rows cannot be sorted in {folder}: {error}.", hint="Point TMPDIR at a disk with more room."
            ) from None
        for number, values in enumerate(sorted(groups, key=_missing_last)):
            paths = Path(folder, str(groups[values])).iterdir()
            table = pa.concat_tables([pq.ParquetFile(path).read() for path in paths])
            # pyarrow does not promise the order in which it writes.
            table = table.sort_by([(frames.FILE, "ascending"), (frames.ROW, "ascending")])
            content = io.BytesIO()
            pq.write_table(table, content)
            place = work.child(PARTITIONS, f"{number:07d}.parquet")
            place.put(content.getvalue())
            key = dict(zip(keys, map(_told, values), strict=True))
            yield MiniBatch(number, len(table), partition=place.url, key=key)


def _numbered(table: pa.Table, keys: Sequence[str], groups: dict[tuple[Any, ...], int]) -> pa.Table:
    """The table with the number of each row's group; groups that are new are added."""
    import numpy as np
    import pyarrow as pa

    codes = np.zeros(len(table), np.int64)
    for key in keys:
        try:
            column = table[key].combine_chunks().dictionary_encode("encode")
        except pa.ArrowException:
            raise BatchError(
                f"Mini-batches cannot be made by the column {key}: its values are {table[key].type}.",
                hint="Partition keys are columns of texts, numbers, dates or booleans.",
            ) from None
        codes = np.unique(codes, return_inverse=True)[1] * len(column.dictionary) + column.indices.to_numpy()
    _, places, which = np.unique(codes, return_index=True, return_inverse=True)
    found = [tuple(row.values()) for row in table.select(list(keys)).take(pa.array(places)).to_pylist()]
    numbers = np.array([groups.setdefault(values, len(groups)) for values in found], np.int32)
    return table.append_column(_GROUP, pa.array(numbers[which]))


def _told(value: Any) -> Any:
    """A key's value as the plan's JSON has it; a date and the like as text."""
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _missing_last(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((value is None, value) for value in values)


def _table(rows: cut.Slice, schema: pa.Schema | None) -> pa.Table:
    """The rows and where they came from. Raises BatchError if their columns are not those of the first."""
    import pyarrow as pa

    try:
        frame = frames.read(cut.read(rows), PurePosixPath(rows.file.relative).suffix.lower())
    except (ValueError, OSError) as error:
        raise _unreadable(f"{rows.file.url} rows {rows.first_row} and following cannot be read: {error}") from None
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    frame[frames.FILE] = rows.file.relative
    frame[frames.ROW] = range(rows.first_row, rows.first_row + len(frame))
    try:
        return pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise BatchError(
            f"{rows.file.url} rows {rows.first_row} and following have other columns than what came before: {error}.",
            hint="To make mini-batches by columns, every file must have the same ones with the same types.",
        ) from None


def _unreadable(words: str) -> LocationError:
    return LocationError(
        f"{' '.join(words.split()).rstrip('.')}.",
        hint="Mini-batches by columns are made of all rows: mend the file, or leave it out.",
    )
