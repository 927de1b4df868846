"""The bundle: the folder that every part passes on, its manifest, and the check that nothing in it changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scorewright.errors import BundleError

MANIFEST = "bundle.json"
MODEL_FOLDER = "model"

Scalar = bool | int | float | str
"""A value as JSON carries it: a class label or a category."""

NAME_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9\-\._]{0,254}$"
"""What Azure ML takes as a model's name (azureml-core, Model.register)."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TensorSpec(_Part):
    """One input or output: its name, numpy dtype (or "string", "category", "datetime") and shape.

    The first dimension is the batch; None is any size.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    missing: bool = False
    """Whether null and NaN are taken."""
    categories: tuple[Scalar, ...] | None = None
    """For an input: the only values the model takes ("category": the values it was trained with)."""


class Method(_Part):
    """One method of the model that a request may name, and what it answers."""

    outputs: tuple[TensorSpec, ...]


class Signature(_Part):
    """What a request must hold and what the answer will.

    layout  array    rows of `n` numbers: one input `data` of shape (None, n), `features` naming them if known
            columns  a table: one input a column, each of shape (None,)
            text     a list of strings: one input `data` of shape (None,)
            tensors  named tensors, as a Keras model takes them
    """

    layout: Literal["array", "columns", "text", "tensors"]
    inputs: tuple[TensorSpec, ...]
    features: tuple[str, ...] | None = None
    dataframe: bool = False
    """Whether the model was fitted on a pandas DataFrame, whose columns it knows by name (layout `columns`)."""
    methods: dict[str, Method]
    default_method: str
    classes: tuple[Scalar, ...] | tuple[tuple[Scalar, ...], ...] | None = None


class ModelInfo(_Part):
    """The artefact: a path inside the bundle, its format and the class of what is in it."""

    path: str
    format: Literal["joblib", "skops", "keras", "h5", "savedmodel", "onnx"]
    kind: str
    trusted: tuple[str, ...] = ()
    """Of a skops file: the types in it that skops does not trust by itself and that whoever made the bundle named.
    The entry script refuses a file with any other."""


class SampleInfo(_Part):
    """Where sample_request.json comes from: `given` by the user, or `made` from the model alone."""

    source: Literal["given", "made"]
    rows: int


class MethodParity(_Part):
    """How far the converted model's answers to one method (Keras: an output) are from the model's own.

    `labels` counts the rows whose label (or text, or most probable class) is another. For numbers, `absolute` is the
    largest difference and `relative` the largest one divided by the model's own number, or by a tenth of the largest
    number of its column (of probabilities: by 0.1) where that is more: a number near 0 has no digits of its own.
    """

    rows: int
    labels: int
    absolute: float
    relative: float
    itself: float = 0.0
    """The same as `relative`, but of the model's own answers to a row alone and among others."""


class Parity(_Part):
    """What was measured before a converted model was taken for the model itself."""

    rows: int
    """How many rows both were asked about: the sample's, and others made from it."""
    refused: int
    """How many more rows were made that the model itself refuses, so that there was nothing to compare."""
    precision: Literal["float32", "float64"]
    """What the converted model computes in."""
    converted_with: dict[str, str]
    """The releases of what made the model and of what converted it."""
    methods: dict[str, MethodParity]


class Manifest(_Part):
    """bundle.json."""

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    version: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9\-\._]{0,29}$")]
    generator: str
    framework: Literal["scikit-learn", "keras"]
    runtime: Literal["native", "onnx"]
    parity: Parity | None = None
    """How the runtime's answers compare with the model's own; None for the runtime `native`, which is the model."""
    model: ModelInfo
    versions: dict[str, str]
    """What made the model and must score it: python, and each distribution by its PyPI name."""
    signature: Signature
    sample: SampleInfo
    entry_script: str = "score.py"
    batch_entry_script: str = "batch_score.py"
    block: Annotated[int, Field(ge=1)] | None = 1
    """Every call of the model has a multiple of so many rows, which makes an answer the same, byte for byte, alone and
    in a batch. None: no number does, and each request is scored by a call of its own."""
    notes: tuple[str, ...] = ()
    """What the user should know: what was assumed, which methods were left out and why."""
    files: dict[str, str]
    """sha256 of every file of the bundle but this one, by its path inside the bundle."""

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose files are what its manifest says.

    `model_dir` is what the entry script is given as AZUREML_MODEL_DIR: the manifest's `model/...` paths are
    looked up below it. It is the bundle itself, unless the model is kept apart as Azure ML does
    (azureml-models/<name>/<version>).
    """

    root: Path
    model_dir: Path
    manifest: Manifest

    @classmethod
    def load(cls, root: Path | str, *, model_dir: Path | str | None = None) -> Self:
        """Read the manifest and verify the hash of every file; nothing is unpickled before that.

        Raises BundleError if the folder, the manifest or a file is missing, invalid or changed.
        """
        folder = Path(root)
        if not folder.is_dir():
            raise BundleError(f"{folder} is not a folder.", hint="Pass the folder that `scorewright generate` made.")
        manifest = read_manifest(folder)
        if model_dir is None:
            apart = folder / "azureml-models" / manifest.name / manifest.version
            model_dir = apart if apart.is_dir() else folder
        bundle = cls(folder.resolve(), Path(model_dir).resolve(), manifest)
        bundle.verify()
        return bundle

    @property
    def entry_script(self) -> Path:
        return self.root / self.manifest.entry_script

    @property
    def batch_entry_script(self) -> Path:
        return self.root / self.manifest.batch_entry_script

    @property
    def digest(self) -> str:
        """sha256 of the manifest, which holds the sha256 of everything else."""
        return sha256(self.root / MANIFEST)

    def path(self, name: str) -> Path:
        """Where the file is that the manifest calls `name`.

        Azure ML mounts a registered folder as AZUREML_MODEL_DIR/<folder>/... and a registered single file as
        AZUREML_MODEL_DIR/<file>: both are looked at for what is under model/.
        """
        if PurePosixPath(name).parts[0] != MODEL_FOLDER:
            return self.root / name
        nested = self.model_dir / name
        alone = self.model_dir / PurePosixPath(name).name
        return alone if alone.is_file() and not nested.exists() else nested

    def verify(self) -> None:
        """Compare every file with its recorded sha256. Raises BundleError naming the first that differs."""
        for name, recorded in self.manifest.files.items():
            path = self.path(name)
            if not path.is_file():
                raise BundleError(f"{path} is missing; {MANIFEST} lists it as files[{name!r}].")
            found = sha256(path)
            if found != recorded:
                raise BundleError(
                    f"{path} has changed since the bundle was made: sha256 is {found[:12]}…, "
                    f"{MANIFEST} has {recorded[:12]}… at files[{name!r}].",
                    hint="Nothing was loaded. Restore the file, or make the bundle again with `scorewright generate`.",
                )

    def json(self, name: str) -> object:
        """One of the bundle's json files, parsed."""
        return json.loads(self.path(name).read_text("utf-8"))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle, validated. Raises BundleError naming the path inside the file."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(
            f"{folder} is not a bundle: it has no {MANIFEST}.",
            hint="Pass the folder that `scorewright generate` made.",
        )
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the top level"
        raise BundleError(f"{path} is not a valid manifest: at {where}: {first['msg']}.") from None
    names = [*manifest.files, manifest.model.path, manifest.entry_script, manifest.batch_entry_script]
    for name in names:
        pure = PurePosixPath(name)
        if pure.is_absolute() or not pure.parts or ".." in pure.parts:
            raise BundleError(f"{path} names {name!r}, which is not a path inside the bundle.")
    for name in (manifest.entry_script, manifest.batch_entry_script):
        if name not in manifest.files:
            raise BundleError(f"{path} has no sha256 of {name} at files.")
    model = manifest.model.path
    if not any(name == model or name.startswith(f"{model}/") for name in manifest.files):
        raise BundleError(f"{path} has no sha256 of the model {model} at files: it would be loaded unverified.")
    return manifest


def hash_files(folder: Path) -> dict[str, str]:
    """sha256 of every file below `folder` but the manifest, by its path with forward slashes."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST and "__pycache__" not in path.parts
    }


def sha256(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
