"""What the generator learned about a model: all that the templates, the manifest and the sample need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import ModelInfo, Signature


@dataclass(frozen=True)
class LoadedModel:
    """A fitted model in memory, and the file or folder it came from (None: handed over as an object)."""

    value: object
    framework: Literal["scikit-learn", "keras"]
    format: Literal["joblib", "keras", "h5", "savedmodel"]
    source: Path | None
    trained_with: dict[str, str] = field(default_factory=dict)
    """Versions that the file itself records, by distribution name."""


@dataclass(frozen=True)
class Forest:
    """A forest inside a model: how it is reached from there (".steps[-1][1]"), and the method its trees add up to."""

    path: str
    method: Literal["predict", "predict_proba"]


@dataclass(frozen=True)
class ModelSpec:
    """The outcome of looking into a model."""

    model: LoadedModel
    info: ModelInfo
    signature: Signature
    versions: dict[str, str]
    sample_data: object
    """The value of "data" in sample_request.json: rows, records, strings or named tensors."""
    sample_input: object
    """The same rows as the model itself takes them."""
    sample_rows: int
    sample_made: bool
    notes: tuple[str, ...] = ()
    helpers: tuple[Path, ...] = ()
    """Modules of the user's own that the model needs: they are copied beside the entry script."""
    traits: frozenset[str] = frozenset()
    """What the templates branch on, e.g. `list:predict_proba` (a multi-output answer)."""
    frame_types: dict[str, str] = field(default_factory=dict)
    """The pandas type of a column whose values do not tell it, e.g. datetime64[ns]."""
    none_columns: tuple[str, ...] = ()
    """Columns in which the model's missing value is None, not NaN."""
    block: int | None = 1
    """How many rows a call of the model is padded to a multiple of; None: no number makes batches exact."""
    forest: Forest | None = None
    largest: float | None = None
    """The largest number the model takes, where that is less than a float64 holds."""
