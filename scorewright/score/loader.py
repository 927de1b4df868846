"""A model file, or an object from a notebook, as a fitted model in memory."""

from __future__ import annotations

import os
import re
import sys
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.errors import (
    ModelError,
    ModelImportError,
    NotAModelError,
    ScorewrightError,
    UnsupportedModelError,
    UsageError,
    VersionSkewError,
)
from scorewright.score.spec import LoadedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SKOPS = ".skops"
"""A zip archive like a .keras file: the name tells them apart."""
H5 = (".h5", ".hdf5")

PACKAGES = {
    "catboost": "catboost",
    "category_encoders": "category-encoders",
    "imblearn": "imbalanced-learn",
    "sklearn": "scikit-learn",
    "skopt": "scikit-optimize",
}
"""PyPI names that differ from the module's, for the hint of an import that failed."""


def load_model(model: object, *, allow_version_skew: bool = False, trust: Sequence[str] = ()) -> LoadedModel:
    """Take a path or a fitted object; `trust` names the types that a .skops file may hold besides those skops trusts.

    Raises ModelError (no such file, not a model, a class that cannot be imported, a layer that is not
    supported, a type that nobody trusts) and VersionSkewError if the file was written by another release of its
    framework, UsageError for a `trust` that the model has no use for.
    """
    if isinstance(model, str | Path) and Path(model).suffix == SKOPS:
        return _load_skops(Path(model), trust, allow_version_skew)
    if trust:
        raise UsageError(f"--trust {trust[0]}: only a {SKOPS} file is loaded by the types that are trusted.")
    if isinstance(model, str | Path):
        return _load_file(Path(model), allow_version_skew)
    if _is_keras(model):
        return LoadedModel(model, "keras", "keras", None)
    if hasattr(model, "get_params") or any(hasattr(model, name) for name in ("predict", "transform")):
        return LoadedModel(model, "scikit-learn", "joblib", None)
    raise NotAModelError(f"A {type(model).__module__}.{type(model).__qualname__} is not a model.")


def _load_file(path: Path, allow_version_skew: bool) -> LoadedModel:
    _require_file(path)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return _load_savedmodel(path)
        raise NotAModelError(f"{path} is a folder without a saved_model.pb.")
    if path.suffix == ".keras" or zipfile.is_zipfile(path):
        return _load_keras(path, "keras", allow_version_skew)
    with path.open("rb") as file:
        magic = file.read(8)
    if magic == b"\x89HDF\r\n\x1a\n":
        return _load_keras(path, "h5", allow_version_skew)
    if path.suffix in H5:
        raise NotAModelError(f"{path} is not an HDF5 file, whatever its name says.")
    return _load_pickle(path, allow_version_skew)


def _require_file(path: Path) -> None:
    if not path.exists():
        raise ModelError(f"There is no file {path}.", hint="Name the saved model: a .joblib, .pkl, .keras or .h5 file.")


def _load_pickle(path: Path, allow_version_skew: bool) -> LoadedModel:
    try:
        import joblib
    except ImportError as error:
        raise _missing(error, "sklearn") from None
    value, trained_with = _estimator(path, lambda: joblib.load(path), "a pickle", allow_version_skew)
    return LoadedModel(value, "scikit-learn", "joblib", path, trained_with)


def _load_skops(path: Path, trust: Sequence[str], allow_version_skew: bool) -> LoadedModel:
    _require_file(path)
    from scorewright.score import skops_file

    trusted = skops_file.audit(path, trust)
    value, trained_with = _estimator(path, lambda: skops_file.load(path, trusted), "a skops file", allow_version_skew)
    return LoadedModel(value, "scikit-learn", "skops", path, trained_with, trusted)


def _estimator(path: Path, read: Callable[[], Any], form: str, allow_version_skew: bool) -> tuple[Any, dict[str, str]]:
    """What `read` loads of the file, a model, and the versions that it was saved with."""
    try:
        from sklearn.exceptions import InconsistentVersionWarning
    except ImportError as error:
        raise _missing(error, "sklearn") from None
    with _importable(path.resolve().parent), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InconsistentVersionWarning)
        try:
            value = read()
        except ModuleNotFoundError as error:
            module = error.name or str(error)
            package = PACKAGES.get(module.partition(".")[0], module.partition(".")[0])
            raise ModelImportError(
                f"{path} needs the module {module}, which is not installed here.",
                hint=f"pip install {package}, or, if it is a module of your own, keep its .py file beside the model.",
            ) from None
        except (AttributeError, ImportError) as error:
            raise ModelImportError(
                f"{path} needs a class or function that is not there: {error}.",
                hint="What was defined in a notebook (__main__) cannot be imported elsewhere: move it into a .py "
                "file beside the model, import it from there, and save the model again.",
            ) from None
        except Exception as error:
            words = f"{type(error).__name__}: {error}".rstrip(": .")
            raise NotAModelError(f"{path} cannot be read as {form}: {words}.") from None
    trained_with = _skew_of_pickle(path, caught, allow_version_skew)
    if not any(hasattr(value, name) for name in ("predict", "transform", "score_samples", "get_params")):
        if isinstance(value, dict | list | tuple):
            raise NotAModelError(
                f"{path} holds a {type(value).__name__}, not a model.",
                hint="Save the fitted estimator itself: joblib.dump(model, ...).",
            )
        raise NotAModelError(f"{path} holds a {type(value).__module__}.{type(value).__qualname__}, not a model.")
    return value, trained_with


def _skew_of_pickle(path: Path, caught: list[warnings.WarningMessage], allowed: bool) -> dict[str, str]:
    from sklearn import __version__ as here
    from sklearn.exceptions import InconsistentVersionWarning

    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            made_with = str(warning.message.original_sklearn_version)
            _refuse_skew(path, "scikit-learn", made_with, here, allowed)
            return {"scikit-learn": made_with}
    return {}


def _refuse_skew(path: Path, package: str, made_with: str, here: str, allowed: bool) -> None:
    if not allowed:
        raise VersionSkewError(
            f"{path} was made with {package} {made_with}, {package} {here} is installed here.",
            hint=f"pip install '{package}=={made_with}', or go on at your own risk with --allow-version-skew.",
        )


def _load_keras(path: Path, form: str, allow_version_skew: bool) -> LoadedModel:
    try:
        with _quiet():
            import keras
            import tensorflow as tf

            tf.config.list_logical_devices()
    except ImportError as error:
        raise _missing(error, "keras") from None
    made_with = _keras_version(path, form)
    if made_with and made_with != keras.__version__:
        # Keras promises that older files load: only a newer or a Keras 2 file is a danger.
        newer = _release(made_with) > _release(keras.__version__)
        older_major = _release(made_with)[0] < _release(keras.__version__)[0]
        if newer or older_major:
            _refuse_skew(path, "keras", made_with, keras.__version__, allow_version_skew)
    try:
        value = keras.saving.load_model(path, compile=False, safe_mode=True)
    except ScorewrightError:
        raise
    except Exception as error:
        raise _keras_refusal(path, error) from None
    return LoadedModel(value, "keras", "keras" if form == "keras" else "h5", path, _recorded(made_with))


def _load_savedmodel(path: Path) -> LoadedModel:
    try:
        with _quiet():
            import tensorflow as tf

            tf.config.list_logical_devices()
    except ImportError as error:
        raise _missing(error, "keras") from None
    try:
        value = tf.saved_model.load(str(path))
    except Exception as error:
        raise NotAModelError(f"{path} cannot be loaded as a SavedModel: {_first_line(error)}.") from None
    if "serving_default" not in value.signatures:
        has = ", ".join(value.signatures) or "none"
        raise UnsupportedModelError(
            f"{path} has no signature serving_default (it has: {has}).",
            hint="Save it with model.export(path), which writes one.",
        )
    return LoadedModel(value, "keras", "savedmodel", path)


def _keras_version(path: Path, form: str) -> str | None:
    import json

    if form == "keras":
        try:
            with zipfile.ZipFile(path) as archive:
                return str(json.loads(archive.read("metadata.json"))["keras_version"])
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise NotAModelError(f"{path} is no .keras file: {_first_line(error)}.") from None
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise NotAModelError(
                f"{path} holds weights only, not a model.",
                hint="Save the whole model: model.save(path), or ModelCheckpoint without save_weights_only.",
            )
        recorded = file.attrs.get("keras_version")
    return recorded.decode() if isinstance(recorded, bytes) else recorded


def _keras_refusal(path: Path, error: Exception) -> ModelError:
    text = str(error)
    layer = re.search(r"(?:Could not locate class|Unknown layer:) '([^']+)'", text)
    if "Lambda" in text:
        return UnsupportedModelError(
            f"{path} has a Lambda layer, whose Python code is stored in the file and is not run.",
            hint="Replace the Lambda layer by keras.ops or a registered layer, or export() the model as SavedModel.",
        )
    if layer:
        return UnsupportedModelError(
            f"{path} has the layer {layer.group(1)!r}, which Keras does not know.",
            hint="A custom layer's code is not in the file: export() the model as a SavedModel, which needs none.",
        )
    return UnsupportedModelError(f"{path} cannot be loaded by Keras: {_first_line(error)}.")


def _recorded(made_with: str | None) -> dict[str, str]:
    return {"keras": made_with} if made_with else {}


def _release(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", number)[:3])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _is_keras(model: object) -> bool:
    # A Keras model can only be handed over by a program that has imported keras itself.
    keras: Any = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _missing(error: ImportError, extra: str) -> ModelImportError:
    return ModelImportError(
        f"The module {error.name} is not installed here.", hint=f"pip install 'scorewright[{extra}]'"
    )


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let a pickle find the user's own modules where the user keeps them: beside the model, or here."""
    added = [str(folder), str(Path.cwd())]
    sys.path.extend(added)
    try:
        yield
    finally:
        for entry in added:
            sys.path.remove(entry)


@contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow writes a page of greetings to file descriptor 2 while it starts, whatever its log level is."""
    sys.stderr.flush()
    kept = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
