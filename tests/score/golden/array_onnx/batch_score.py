"""Batch entry script for Azure ML: scores files with array_onnx, a DecisionTreeClassifier converted to ONNX.

Made by scorewright VERSION. A batch runner calls init() once a worker and run() with the paths of a mini-batch.
The answers are those of score.py, which stands beside this script and is used here.

A file is a csv or parquet file with the model's columns by name (others are passed over).
The result has one row for each input row: its file, its number in the file, and what the model answers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import score

method = score.DEFAULT_METHOD


def init() -> None:
    """Load the model. The script's own argument --method names another of its methods."""
    global method
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=score.METHODS, default=score.DEFAULT_METHOD)
    method = parser.parse_known_args()[0].method  # a batch runner has arguments of its own
    score.init()


def run(mini_batch: list[str]) -> pd.DataFrame:
    """Score every row of these files with one call of the model a file."""
    return pd.concat([scored(Path(path)) for path in mini_batch], ignore_index=True)


def scored(path: Path) -> pd.DataFrame:
    """One file's answers, one row each. Raises ValueError naming file and row if a row cannot be scored."""
    try:
        rows = read(path)
        if not rows:
            return pd.DataFrame({"file": [], "row": []}, dtype=object)
        answers = score.call(method, score.checked(rows, "data", None))
    except ValueError as error:  # score.BadRequest is one
        raise ValueError(f"{path}: {error}") from None
    return pd.DataFrame({"file": path.name, "row": np.arange(len(rows))}).join(columns(answers))


def columns(answers: list[Any]) -> pd.DataFrame:
    """A column for each value of an answer: predict, or predict_proba_0, predict_proba_1, …"""
    if not isinstance(answers[0], list):
        return pd.DataFrame({method: answers})
    flat = [list(flattened(answer)) for answer in answers]
    return pd.DataFrame(flat, columns=[f"{method}_{place}" for place in range(len(flat[0]))])


def flattened(answer: Any) -> Any:
    """The values of nested lists."""
    if isinstance(answer, list):
        for item in answer:
            yield from flattened(item)
    else:
        yield answer


def read(path: Path) -> list[list[Any]]:
    """The rows of a file, as a request holds them: columns found by name, in the model's order."""
    if path.suffix == ".npy":
        array = np.load(path, allow_pickle=False)
        return list((array[:, np.newaxis] if array.ndim == 1 else array).tolist())
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else read_csv(path)
    missing = [name for name in score.FEATURES if name not in frame.columns]
    if missing:
        has = score.listed(tuple(frame.columns))
        raise ValueError(f"it has no column {score.listed(tuple(missing))}; it has {has}")
    frame = frame[list(score.FEATURES)]
    plain = frame.astype(object)
    return list(plain.where(plain.notna(), None).to_numpy().tolist())


def read_csv(path: Path) -> pd.DataFrame:
    """A csv file with a header."""
    frame = pd.read_csv(path)
    for name, values in frame.items():
        # A column with one word in it is read as words: the others are numbers again, so that only it is refused.
        if values.dtype.kind == "O":
            words = values.where(values.map(lambda value: isinstance(value, str)))
            numbers = pd.to_numeric(words, errors="coerce")
            frame[name] = values.astype(object).where(numbers.isna(), numbers)
    return frame
