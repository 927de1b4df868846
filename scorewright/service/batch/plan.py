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
            slices = (piece for file in files for piece in _slices(settings, file, reading))
            return _by_columns(settings.partition_keys, slices, work)
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
        by = ds.partitioning(pa.schema([schema.field(key) for key in keys]), flavor="hive")
        batches = (batch for rows in itertools.chain([first], slices) for batch in _table(rows, schema).to_batches())
        ds.write_dataset(
            pa.RecordBatchReader.from_batches(schema, batches),
            folder,
            format="parquet",
            partitioning=by,
            use_threads=False,
            existing_data_behavior="error",
        )
        groups: dict[tuple[Any, ...], list[Path]] = defaultdict(list)
        for fragment in ds.dataset(folder, format="parquet", partitioning=by).get_fragments():
            values = ds.get_partition_keys(fragment.partition_expression)
            groups[tuple(values.get(key) for key in keys)].append(Path(fragment.path))
        for number, values in enumerate(sorted(groups, key=_missing_last)):
            table = pa.concat_tables([pq.ParquetFile(path).read() for path in groups[values]])
            # pyarrow does not promise the order in which it writes.
            table = table.sort_by([(frames.FILE, "ascending"), (frames.ROW, "ascending")])
            for key, value in zip(keys, values, strict=True):
                field = schema.field(key)
                table = table.append_column(field, pa.array([value] * len(table), field.type))
            table = table.select(schema.names)
            content = io.BytesIO()
            pq.write_table(table, content)
            place = work.child(PARTITIONS, f"{number:07d}.parquet")
            place.put(content.getvalue())
            yield MiniBatch(number, len(table), partition=place.url, key=dict(zip(keys, values, strict=True)))


def _missing_last(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((value is None, value) for value in values)


def _table(rows: cut.Slice, schema: pa.Schema | None) -> pa.Table:
    """The rows and where they came from. Raises BatchError if their columns are not those of the first."""
    import pyarrow as pa

    frame = frames.read(cut.read(rows), PurePosixPath(rows.file.relative).suffix.lower())
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    frame[frames.FILE] = rows.file.relative
    frame[frames.ROW] = range(rows.first_row, rows.first_row + len(frame))
    try:
        return pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowException, KeyError) as error:
        raise BatchError(
            f"{rows.file.url} rows {rows.first_row} and following have other columns than what came before: {error}.",
            hint="To make mini-batches by columns, every file must have the same ones with the same types.",
        ) from None
