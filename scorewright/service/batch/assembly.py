"""The result of a job, put together once from the pieces of its mini-batches, in the order of the input."""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from scorewright.errors import BatchError, LocationError
from scorewright.service.batch.folder import NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorewright.service.batch.folder import JobFolder
    from scorewright.service.batch.settings import OutputFormat

ROWS_A_GROUP = 131_072
"""Rows of a row group of the parquet file: mini-batches are smaller, and reading wants few."""


def assemble(folder: JobFolder, notes: Sequence[dict[str, Any]], form: OutputFormat, name: str) -> str:
    """Write the result file, which is there when it is whole; its URL.

    Raises BatchError if the mini-batches have different columns, LocationError if it cannot be written.
    """
    place, draft = folder.output.child(name), folder.draft(name)
    if form != "azure":
        _same_columns(notes)
    # Of a blob nothing is there before all of it; of a file there may be a part, if a kill leaves it.
    with (draft if place.is_local else place).writer() as file:
        if form == "parquet":
            _write_parquet(folder, notes, file)
        else:
            if form == "csv":
                file.write(_header(notes[0]["columns"]))
            for note in notes:
                file.write(_piece(folder, note))
    if place.is_local:
        draft.rename(place)
    return place.url


def require_own(folder: JobFolder, note: dict[str, Any], result: str | None) -> None:
    """Raise BatchError if a script wrote what is to be the job's: its `result` file, or anything in its folder."""
    for name in note["files"]:
        if name.split("/")[0] in (NAME, result):
            raise BatchError(
                f"The script wrote {name}, which is the job's own name there: one would replace the other. "
                f"What it wrote is kept: {folder.file(note['number'], name).url}.",
                hint="Start anew with another --output-file-name, or have the script name its files otherwise.",
            )


def gather(folder: JobFolder, notes: Sequence[dict[str, Any]]) -> list[str]:
    """Move what the script wrote itself to the output; the files' URLs.

    Raises BatchError, before anything is moved, if two mini-batches wrote a file of the same name.
    """
    owners: dict[str, int] = {}
    for note in notes:
        for name in note["files"]:
            first = owners.setdefault(name, note["number"])
            if first != note["number"]:
                raise BatchError(
                    f"Two mini-batches wrote {name}: what one wrote would be lost. Both are kept: "
                    f"{folder.file(first, name).url} and {folder.file(note['number'], name).url}.",
                    hint="Have the script name each file after what is in it, e.g. the stem of the first path.",
                )
    for name, number in owners.items():
        above = next((str(path) for path in PurePosixPath(name).parents if str(path) in owners), None)
        if above is not None:
            raise BatchError(
                f"One mini-batch wrote a file {above}, and another one {name}, for which it would have to be a folder. "
                f"Both are kept: {folder.file(owners[above], above).url} and {folder.file(number, name).url}.",
                hint="Have the script name each file after what is in it, e.g. the stem of the first path.",
            )
    urls = []
    for name, number in owners.items():
        source, target = folder.file(number, name), folder.output.child(*name.split("/"))
        if source.exists():  # a run that was interrupted here has moved it already
            source.rename(target)
        urls.append(target.url)
    return urls


def _same_columns(notes: Sequence[dict[str, Any]]) -> None:
    first = notes[0]
    for note in notes:
        if note["columns"] != first["columns"]:
            raise BatchError(
                f"Mini-batch {note['number']} has the columns {', '.join(note['columns'])}, "
                f"mini-batch {first['number']} has {', '.join(first['columns'])}.",
                hint="run() must return the same columns each time; --output-format azure takes any.",
            )


def _header(columns: Sequence[str]) -> bytes:
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    return text.getvalue().encode()


def _piece(folder: JobFolder, note: dict[str, Any]) -> bytes:
    content = folder.piece(note["number"])
    if len(content) != note["size"] or zlib.crc32(content) != note["crc"]:
        raise LocationError(
            f"The result of mini-batch {note['number']} in {folder.work.url} is not what was written.",
            hint="Remove its two files there, and run again with --resume.",
        )
    return content


def _write_parquet(folder: JobFolder, notes: Sequence[dict[str, Any]], file: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = {note["schema"] for note in notes}
    try:
        schema = pa.unify_schemas(
            [pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text))) for text in sorted(schemas)],
            promote_options="permissive",
        )
    except pa.ArrowException as error:
        raise BatchError(
            f"The mini-batches' results have columns of different types: {error}.",
            hint="Have run() return the same types each time; --output-format csv takes any.",
        ) from None
    # A dictionary of numbers that are all different takes time and room.
    with pq.ParquetWriter(file, schema, use_dictionary=[name for name in schema.names if name != "row"]) as writer:
        waiting: list[pa.Table] = []
        for note in notes:
            with pa.ipc.open_stream(_piece(folder, note)) as stream:
                waiting.append(stream.read_all().cast(schema))
            if sum(map(len, waiting)) >= ROWS_A_GROUP:
                writer.write_table(pa.concat_tables(waiting), row_group_size=ROWS_A_GROUP)
                waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=ROWS_A_GROUP)
