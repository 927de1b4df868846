"""The sample as a file that the batch script reads, and the rows it must answer."""

from __future__ import annotations

import functools
import json
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Signature


def write_batch_file(signature: Signature, data: Any, folder: Path) -> Path:
    """Write a request's "data" as csv, npy or npz, whichever the layout calls for."""
    import numpy as np

    if signature.layout == "tensors":
        if len(signature.inputs) == 1:
            path = folder / "sample.npy"
            np.save(path, np.array(data))
            return path
        path = folder / "sample.npz"
        arrays: dict[str, Any] = {name: np.array(rows) for name, rows in data.items()}
        np.savez(path, **arrays)
        return path
    if signature.layout == "array" and signature.features is None:
        path = folder / "sample.npy"
        np.save(path, np.array(data, dtype="float64"))
        return path
    import pandas as pd

    names = signature.features or tuple(column.name for column in signature.inputs)
    frame = pd.DataFrame({"text": data}) if signature.layout == "text" else pd.DataFrame(data, columns=names)
    path = folder / "sample.csv"
    frame.to_csv(path, index=False)
    return path


def batch_rows(response: dict[str, Any]) -> list[list[Any]]:
    """An answer as the rows of the batch script's table: nested lists and outputs side by side."""
    ((_, answers),) = response.items()
    if isinstance(answers, dict):
        columns = [[_flat(answer) for answer in output] for output in answers.values()]
        return [functools.reduce(operator.iadd, row, []) for row in zip(*columns, strict=True)]
    return [_flat(answer) for answer in answers]


def table_rows(signature: Signature, table: list[list[Any]]) -> list[list[Any]]:
    """The answers in the batch script's table, without file, row and error; those of any size are JSON there."""
    free = any(size is None for tensor in signature.inputs for size in tensor.shape[1:])
    return [[value for cell in row[2:-1] for value in _flat(_unpacked(cell) if free else cell)] for row in table]


def _unpacked(cell: Any) -> Any:
    return json.loads(cell) if isinstance(cell, str) and cell.startswith("[") else cell


def _flat(answer: Any) -> list[Any]:
    return [value for item in answer for value in _flat(item)] if isinstance(answer, list) else [answer]
