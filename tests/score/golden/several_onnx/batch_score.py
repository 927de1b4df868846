"""Batch entry script for Azure ML: scores files with several_onnx, a Keras Functional model converted to ONNX.

Made by scorewright VERSION. A batch runner calls init() once a worker and run() with the paths of a mini-batch.
The answers are those of score.py, which stands beside this script and is used here.

A file is a .npz file with an array of rows an input.
The result has one row for each input row: its file, its number in the file, and what the model answers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import score

CHUNK = 256  # rows a call of the model


def init() -> None:
    """Load the model."""
    score.init()


def run(mini_batch: list[str]) -> pd.DataFrame:
    """Score every row of these files, CHUNK rows with one call of the model."""
    return pd.concat([scored(Path(path)) for path in mini_batch], ignore_index=True)


def scored(path: Path) -> pd.DataFrame:
    """One file's answers, one row each. Raises ValueError naming the file if it cannot be scored."""
    try:
        rows = {name: score.tensor(array, name, name) for name, array in read(path).items()}
    except score.BadRequest as error:
        raise ValueError(f"{path}: {error}") from None
    total = score.count(rows)
    chunks = [
        score.call({name: array[start : start + CHUNK] for name, array in rows.items()})
        for start in range(0, total, CHUNK)
    ]
    answers = {"file": np.repeat(path.name, total), "row": np.arange(total)}
    for output in score.OUTPUTS:
        answers |= columns(output, np.concatenate([chunk[output] for chunk in chunks]))
    return pd.DataFrame(answers)


def columns(output: str, array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """A column for each value of an output: predict_0, predict_1, …"""
    flat = array.reshape(len(array), -1)
    return {f"{output}_{place}": score.plain(flat[:, place]) for place in range(flat.shape[1])}


def read(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a file, one an input. Raises ValueError if it has others."""
    loaded = np.load(path, allow_pickle=False)
    arrays = {next(iter(score.INPUTS)): loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    if arrays.keys() != score.INPUTS.keys():
        raise ValueError(f"{path} has the arrays {', '.join(arrays)}; the model takes {', '.join(score.INPUTS)}")
    return arrays
