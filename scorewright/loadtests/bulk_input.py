"""The input of a bulk job: many rows in a file that the bundle's batch script reads."""

from __future__ import annotations

import csv
import os
import shutil
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.errors import LoadTestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.bundle import Signature

_MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class BulkInput:
    """Where a job reads and writes, as the endpoint sees it, and how many rows there are if that is known."""

    input: str
    output: str
    rows: int | None


def elsewhere(location: str) -> BulkInput:
    """An input that is there already, and a new folder in the endpoint's data folder for the output."""
    return BulkInput(location, f"loadtest-{uuid.uuid4().hex[:12]}", None)


@contextmanager
def written(folder: Path, signature: Signature, rows: list[Any], count: int) -> Iterator[BulkInput]:
    """So many rows, the given ones over and over, in a file below `folder`: the endpoint's data folder as seen here.

    The file is at most 64 MB, with fewer rows if need be. It, and what the job has written, are removed afterwards.
    Raises UsageError if `folder` is no folder, LoadTestError if it cannot be written to.
    """
    if not folder.is_dir():
        raise UsageError(
            f"--bulk-data {folder} is not a folder.", hint="Give the endpoint's data folder, as seen here."
        )
    name = f"loadtest-{uuid.uuid4().hex[:12]}"
    place = folder / name
    try:
        (place / "in").mkdir(parents=True)
        many = _write(place / "in", signature, rows, count)
        # The endpoint writes beside it, in a container as another user: the one whose the folder is, or any.
        owner = folder.stat()
        with suppress(PermissionError):
            os.chown(place, owner.st_uid, owner.st_gid)
        place.chmod(0o777)
        (place / "in").chmod(0o755)
        yield BulkInput(f"{name}/in", f"{name}/out", many)
    except OSError as error:
        raise LoadTestError(f"--bulk-data {folder} cannot be written to: {error.strerror}.") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _write(folder: Path, signature: Signature, rows: list[Any], count: int) -> int:
    if signature.layout == "text":
        return _csv(folder, ["text"], [[row] for row in rows], count)
    if signature.layout == "columns":
        names = [column.name for column in signature.inputs]
        return _csv(folder, names, [_by_name(row, names) for row in rows], count)
    if signature.layout == "array" and signature.features is not None:
        return _csv(folder, list(signature.features), [_by_name(row, list(signature.features)) for row in rows], count)
    return _arrays(folder, signature, rows, count)


def _by_name(row: Any, names: list[str]) -> list[Any]:
    return [row.get(name) for name in names] if isinstance(row, dict) else list(row)


def _csv(folder: Path, names: list[str], rows: list[list[Any]], count: int) -> int:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for number in range(count):
            writer.writerow(rows[number % len(rows)])
            if number % 1000 == 999 and file.tell() > _MOST_BYTES:
                return number + 1
    return count


def _arrays(folder: Path, signature: Signature, rows: list[Any], count: int) -> int:
    try:
        import numpy as np
    except ImportError:
        raise LoadTestError(
            "The bulk input of this model is an array, and numpy is not installed to write it."
        ) from None
    several = len(signature.inputs) > 1
    columns = {spec.name: [row[spec.name] for row in rows] for spec in signature.inputs} if several else {"data": rows}
    arrays = {
        name: np.array(values, "float64" if signature.layout == "array" else None) for name, values in columns.items()
    }
    one = sum(array.nbytes for array in arrays.values()) // len(rows)
    many = max(1, min(count, _MOST_BYTES // max(one, 1)))
    chosen = np.arange(many) % len(rows)
    if several:
        chosen_rows: dict[str, Any] = {name: array[chosen] for name, array in arrays.items()}
        np.savez(folder / "rows.npz", **chosen_rows)
    else:
        np.save(folder / "rows.npy", arrays["data"][chosen])
    return many
