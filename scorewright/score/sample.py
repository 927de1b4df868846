"""A sample of the model's input, from a file or from memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scorewright.errors import SampleError

CSV = "csv"
"""The attribute of a DataFrame that names the file it was read from: a csv file has no types, only guesses of them."""

FORMATS = (".csv", ".parquet", ".npy", ".npz", ".json")


def read_sample(sample: object) -> Any:
    """A sample as numpy array, pandas DataFrame, list of strings, or dict of arrays by input name.

    Takes a path (csv, parquet, npy, npz, json) or one of those objects. A json file holds what a request's
    "data" holds: rows, records, strings or named tensors, with or without the surrounding {"data": ...}.

    Raises SampleError if it cannot be read or is empty.
    """
    value = _read_file(Path(sample)) if isinstance(sample, str | Path) else sample
    value = _normal(value)
    if len(value) == 0 or getattr(value, "size", 1) == 0:
        raise SampleError("The sample is empty.", hint="Give at least one row.")
    return value


def _read_file(path: Path) -> Any:
    if not path.is_file():
        raise SampleError(f"There is no sample file {path}.")
    try:
        match path.suffix.lower():
            case ".csv":
                frame = _pandas().read_csv(path)
                frame.attrs[CSV] = str(path)
                return frame
            case ".parquet":
                return _pandas().read_parquet(path)
            case ".npy" | ".npz":
                import numpy as np

                loaded = np.load(path, allow_pickle=False)
                if path.suffix.lower() == ".npy":
                    return loaded
                arrays = {name: loaded[name] for name in loaded.files}
                return next(iter(arrays.values())) if list(arrays) == ["arr_0"] else arrays
            case ".json":
                return json.loads(path.read_text("utf-8"))
    except ImportError as error:
        raise SampleError(
            f"{path} cannot be read: the module {error.name or 'pyarrow'} is not installed.",
            hint="pip install 'scorewright[batch]'",
        ) from None
    except (ValueError, OSError, UnicodeDecodeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise SampleError(f"{path} cannot be read as {path.suffix[1:]}: {first}.") from None
    raise SampleError(f"{path}: a sample is a {', '.join(FORMATS)} file, not {path.suffix or 'one without a suffix'}.")


def _normal(value: Any) -> Any:
    import numpy as np

    if isinstance(value, dict):
        if "data" in value and set(value) <= {"data", "method"}:
            return _normal(value["data"])
        if "input_data" in value and set(value) <= {"input_data", "method"}:
            return _normal(value["input_data"])
        if "data" in value and set(value) <= {"columns", "index", "data"}:
            return _split(value["data"], value.get("columns"))
        return {name: np.asarray(array) for name, array in value.items()}
    if hasattr(value, "columns") or isinstance(value, np.ndarray):
        return value
    if hasattr(value, "to_frame"):
        return value.to_frame().T if value.index.dtype.kind in "OUT" else value.to_numpy()
    if isinstance(value, list | tuple):
        items = list(value)
        if items and isinstance(items[0], dict):
            return _pandas().DataFrame(items)
        if items and all(isinstance(item, str) for item in items):
            return items
        return _array(items)
    raise SampleError(
        f"A {type(value).__name__} is no sample.", hint="Give an array, a DataFrame, a list of rows or a file."
    )


def _split(rows: Any, columns: Any) -> Any:
    try:
        return _pandas().DataFrame(rows, columns=columns)
    except (ValueError, TypeError) as error:
        raise SampleError(f"The sample's columns and rows do not fit: {error}.") from None


def _array(items: list[Any]) -> Any:
    """Nested lists as an array of numbers or, where there is anything else among them, of objects."""
    import numpy as np

    try:
        array = np.asarray(items)
    except ValueError:
        raise SampleError("The sample's rows are not all of one length.") from None
    if array.dtype.kind in "biufc" and not (array.ndim == 2 and array.dtype.kind != "b" and _has_bool(items)):
        return array
    objects = np.array(items, dtype=object)
    values = objects.ravel().tolist()
    if any(isinstance(value, list | dict) for value in values):
        raise SampleError("The sample's rows are not all of one length, or hold objects.")
    if all(value is None or type(value) in (int, float) for value in values):
        return objects.astype("float64")
    return objects


def _has_bool(rows: list[Any]) -> bool:
    return any(isinstance(value, bool) for row in rows for value in row)


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise SampleError(
            "pandas is not installed here; csv, parquet and named samples need it.",
            hint="pip install 'scorewright[sklearn]'",
        ) from None
    return pd
