"""What is served: a model, its requests, and who serves it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from pathlib import Path

Key = Literal["scorewright", "scorewright-onnx", "azmlinfsrv", "azmlinfsrv-generated", "mlserver", "hello"]


@dataclass(frozen=True)
class Case:
    """A model and the servers that are compared with it."""

    key: str
    title: str
    model: str
    """The model's name in `models`, the folder it is trained into, and what it is called at MLServer."""
    file: str
    sample: str
    script: str
    """The hand-written score.py, a file in scripts/."""
    method: Literal["predict", "predict_proba"]
    contenders: tuple[Key, ...]
    bundled: bool = True
    """Whether Scorewright serves a bundle of the model; else the hand-written script."""


CASES = (
    Case(
        "a",
        "decision tree, 4 features",
        "tree",
        "model.joblib",
        "sample.npy",
        "array_proba.py",
        "predict_proba",
        ("scorewright", "azmlinfsrv", "azmlinfsrv-generated", "mlserver", "hello"),
    ),
    Case(
        "b",
        "scaler and random forest of 100 trees, 30 features",
        "forest",
        "model.joblib",
        "sample.npy",
        "array_proba.py",
        "predict_proba",
        ("scorewright", "scorewright-onnx", "azmlinfsrv", "azmlinfsrv-generated", "mlserver"),
    ),
    Case(
        "c",
        "convolutional network, one image of 32 x 32 x 3",
        "network",
        "model.keras",
        "sample.npy",
        "network.py",
        "predict",
        ("scorewright", "scorewright-onnx", "azmlinfsrv", "azmlinfsrv-generated"),
    ),
    Case(
        "d",
        "scaler, one-hot and gradient boosting, a DataFrame of numbers and texts",
        "frame",
        "model.joblib",
        "sample.csv",
        "frame_proba.py",
        "predict_proba",
        ("scorewright", "azmlinfsrv", "azmlinfsrv-generated", "mlserver"),
    ),
    Case(
        "e",
        "a hand-written score.py without run_many, decision tree",
        "tree",
        "model.joblib",
        "sample.npy",
        "labels.py",
        "predict",
        ("scorewright", "azmlinfsrv"),
        bundled=False,
    ),
)


class Rows(BaseModel):
    """The rows that are asked, all different, and what the model itself answers to each."""

    rows: list[Any]
    """One row each: a list of numbers, a record by column, or an image as nested lists."""
    answers: dict[str, list[Any]]
    """By method, an item a row: a label, or the probabilities of the classes."""

    @classmethod
    def of(cls, folder: Path) -> Rows:
        """The rows that training left in this folder."""
        return cls.model_validate_json((folder / "rows.json").read_bytes())

    def write(self, folder: Path) -> None:
        """Leave them for the other processes."""
        (folder / "rows.json").write_text(json.dumps(self.model_dump()))
