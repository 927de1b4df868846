"""Scoring one mini-batch: its files or rows to the script, what that returns to the job's folder."""

from __future__ import annotations

import itertools
import json
import mimetypes
import os
import shutil
import zlib
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from scorewright.contract.batch_script import MiniBatchContext
from scorewright.errors import LocationError
from scorewright.service.batch import cut, frames, returned
from scorewright.service.batch.location import Location
from scorewright.service.batch.progress import ItemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from scorewright.contract.batch_script import BatchScript
    from scorewright.service.batch.location import InputFile
    from scorewright.service.batch.mini_batch import MiniBatch
    from scorewright.service.batch.order import Order

RESULTS = "results"
"""The folder of what has been scored: a piece, and a note by which it counts as done."""
FILES = "files"
"""The folder of what scripts wrote themselves, a folder a mini-batch."""


class CommitError(Exception):
    """A result that could not be written: no fault of the mini-batch's."""

    def __init__(self, cause: LocationError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class Scores:
    """A started script, and the folders it works with: `output` is its AZUREML_BI_OUTPUT_PATH."""

    def __init__(self, script: BatchScript, order: Order, output: Path, inputs: Path) -> None:
        self._script = script
        self._order = order
        self._output = output
        self._inputs = inputs
        self._work = Location.of(order.work)

    def score(self, batch: MiniBatch) -> dict[str, Any]:
        """Score a mini-batch and commit its result; the note that is kept of it.

        Raises what run() raises, ReturnError if it returns what it may not, LocationError if the input cannot be read,
        and CommitError if the result cannot be written.
        """
        _empty(self._output)
        try:
            unread: list[ItemError] = []
            result = self._run(batch, unread)
            counted = returned.count(result, batch, self._script.error_column)
            counted = replace(counted, failed=counted.failed + len(unread), errors=(*unread, *counted.errors))
            piece = self._piece(counted) if self._order.append_row else None
        finally:
            _empty(self._inputs)
        try:
            return self._commit(batch, counted, piece)
        except LocationError as error:
            raise CommitError(error) from error

    def _run(self, batch: MiniBatch, unread: list[ItemError]) -> Any:
        context = MiniBatchContext(str(batch.number), batch.key or {})
        if batch.files and self._order.input_kind == "files":
            # Told to write files of its own, it answers a line a file.
            if self._script.error_column is not None and not os.environ.get("SCOREWRIGHT_BATCH_OUTPUT"):
                return self._file_by_file(batch.files, context, unread)
            return self._script.score([self._local(file.url, file.relative) for file in batch.files], context)
        if batch.rows is not None:
            source, suffix = cut.read(batch.rows), PurePosixPath(batch.rows.file.relative).suffix.lower()
            if self._script.run_part is not None and suffix in self._script.parts:
                return self._script.run_part(source, suffix, batch.rows.file.relative, batch.rows.first_row)
            return self._script.score(frames.read(source, suffix), context)
        frame, places = frames.partition(Location.of(str(batch.partition)))
        result = self._script.score(frame, context)
        return frames.placed(result, places) if self._script.error_column is not None else result

    def _file_by_file(
        self, files: Sequence[InputFile], context: MiniBatchContext, unread: list[ItemError]
    ) -> pd.DataFrame:
        """A generated script's answers with the files' names below the input; one that it cannot read spoils no other.

        Only images, of which each is one row, are given to it together. Raises ValueError if it can read none.
        """
        import pandas as pd

        frames: list[pd.DataFrame] = []
        for images, some in itertools.groupby(files, key=_is_image):
            for group in [list(some)] if images else [[file] for file in some]:
                try:
                    frame = self._script.score([self._local(file.url, file.relative) for file in group], context)
                except ValueError as error:
                    if len(unread) + len(group) == len(files):
                        raise
                    unread += [ItemError(file.relative, None, str(error)) for file in group]
                    continue
                names = [file.relative for file in group]
                frame["file"] = pd.array(names if images else names * len(frame), dtype=frame["file"].dtype)
                frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def _local(self, url: str, relative: str) -> str:
        """Where the script can open a file: where it is, or where it is downloaded to."""
        location = Location.of(url)
        if location.local is not None:
            return str(location.local)
        path = self._inputs / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        location.download(path)
        return str(path)

    def _piece(self, counted: returned.Returned) -> returned.Piece:
        form = self._order.output_format
        try:
            return returned.piece(counted.rows, form)
        except (ValueError, TypeError) as error:  # Arrow's errors are such, too
            raise returned.ReturnError(f"What run() returned cannot be written as {form}: {error}") from error

    def _commit(self, batch: MiniBatch, counted: returned.Returned, piece: returned.Piece | None) -> dict[str, Any]:
        """First what was made, then the note: without it the mini-batch is scored again."""
        name = f"{batch.number:07d}"
        results = self._work.child(RESULTS)
        written = sorted(path for path in self._output.rglob("*") if path.is_file())
        names = [path.relative_to(self._output).as_posix() for path in written]
        for path, relative in zip(written, names, strict=True):
            self._work.child(FILES, name, *relative.split("/")).upload(path)
        note: dict[str, Any] = {
            "number": batch.number,
            "items": batch.items,
            "rows": len(counted.rows),
            "failed": counted.failed,
            "errors": [asdict(error) for error in counted.errors],
            "files": names,
        }
        if piece is not None:
            results.child(f"{name}.piece").put(piece.content)
            note |= {"size": len(piece.content), "crc": zlib.crc32(piece.content)}
            note |= {"columns": piece.columns, "schema": piece.schema}
        results.child(f"{name}.json").put(json.dumps(note).encode())
        return note


def _is_image(file: InputFile) -> bool:
    return (mimetypes.guess_type(file.relative)[0] or "").startswith("image/")


def _empty(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            Path(entry.path).unlink()
