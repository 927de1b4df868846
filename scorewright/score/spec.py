"""What the generator learned about a model: all that the templates, the manifest and the sample need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import ModelInfo, Parity, Signature


@dataclass(frozen=True)
class LoadedModel:
    """A fitted model in memory, and the file or folder it came from (None: handed over as an object)."""

    value: object
    framework: Literal["scikit-learn", "keras"]
    format: Literal["joblib", "skops", "keras", "h5", "savedmodel"]
    source: Path | None
    trained_with: dict[str, str] = field(default_factory=dict)
    """Versions that the file itself records, by distribution name."""
    trusted: tuple[str, ...] = ()
    """Of a skops file: the types in it that had to be named to be loaded."""


@dataclass(frozen=True)
class Forest:
    """A forest inside a model: how it is reached from there (".steps[-1][1]"), and the method its trees add up to."""

    path: str
    method: Literal["predict", "predict_proba"]


@dataclass(frozen=True)
class Converted:
    """A model as an ONNX file: one input an input of the signature, one output a method (Keras: an output)."""

    content: bytes
    parity: Parity
    block: int | None
    """As ModelSpec's, but of calls of onnxruntime."""
    one_thread: bool
    """Whether a row is scored sooner by one thread than more could be woken."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Methods that it does not answer as the model does, and in what."""


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
    whole_sample: Any = None
    """All that was looked at of the sample, as the model itself takes it (Keras: one array an input)."""
    converted: Converted | None = None
    """The model in its other runtime; None: it is scored by its own framework."""

    column_types: dict[str, str] = field(default_factory=dict)
    """The numpy type that the converted model takes each column in (layout `columns`)."""

    @property
    def runtime(self) -> Literal["native", "onnx"]:
        return "onnx" if self.converted else "native"
