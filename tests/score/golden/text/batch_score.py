"""Batch entry script for Azure ML: scores files with text, a Pipeline(TfidfVectorizer, LogisticRegression).

Made by scorewright VERSION. A batch runner calls init() once a worker and run() with the paths of a mini-batch.
The answers are those of score.py, which stands beside this script and is used here.

A file is a .txt file with a text a line, or a csv or parquet file whose first column is the text.
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
        answers = score.call(method, score.checked(rows, "data"))
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


def read(path: Path) -> list[str]:
    """The texts of a file: its lines, or the first column of a csv or parquet file with a header."""
    if path.suffix == ".txt":
        return path.read_text(encoding="utf-8").splitlines()
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str, keep_default_na=False)
    return list(frame.iloc[:, 0].tolist())
