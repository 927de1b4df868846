"""A sample brought into the shape a scikit-learn estimator takes, or made from the estimator alone."""

from __future__ import annotations

from typing import Any

from scorewright.errors import SampleError, UnsupportedModelError
from scorewright.score import probe
from scorewright.score.columns import is_gap, known_categories
from scorewright.score.plausible import plausible_row, takes_text
from scorewright.score.sample import CSV


def fitted_names(estimator: Any) -> list[str] | None:
    """The column names the estimator was fitted on; None if it was fitted on an array."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def require_names(estimator: Any) -> None:
    """Raise UnsupportedModelError unless every column the estimator was fitted on has a name of its own."""
    names = fitted_names(estimator) or []
    words = ""
    if "" in names:
        words = "a column without a name"
    elif len(set(names)) < len(names):
        words = f"two columns named {next(name for name in names if names.count(name) > 1)!r}"
    if words:
        raise UnsupportedModelError(
            f"The model was fitted on a table with {words}, which no request can tell.",
            hint="Give every column a name of its own and fit again.",
        )


def made_sample(estimator: Any) -> Any:
    """One plausible row. Raises SampleError if the estimator does not say how wide it is."""
    import numpy as np

    if takes_text(estimator):
        return np.array(["some text"], dtype=object)
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        raise SampleError(
            f"The {type(estimator).__name__} does not say how many features it takes.", hint="Give a --sample."
        )
    names = fitted_names(estimator)
    row = plausible_row(estimator, int(width), names)
    if names is None:
        mixed = any(isinstance(value, str) for value in row)
        return np.array([row], dtype=object if mixed else "float64")
    import pandas as pd

    return pd.DataFrame([row], columns=names)


def fitting_sample(estimator: Any, sample: Any) -> Any:
    """The sample as the estimator takes it: strings, a DataFrame with its columns in order, or an array of rows.

    Raises SampleError.
    """
    import numpy as np

    texts = _texts(sample)
    if takes_text(estimator):
        if texts is None:
            raise SampleError("The sample is not a list or a column of strings; this model takes text.")
        return texts
    names, width = fitted_names(estimator), getattr(estimator, "n_features_in_", None)
    if texts is not None and width is None and _answers(estimator, texts):
        return texts
    if isinstance(sample, dict):
        sample = _of_arrays(sample)
    if hasattr(sample, "columns"):
        return _table(estimator, sample, names, width)
    array = np.asarray(sample, dtype=object) if isinstance(sample, list) else np.asarray(sample)
    if array.ndim == 1:
        row, column = array.reshape(1, -1), array.reshape(-1, 1)
        array = column if width == 1 or (width is None and not _answers(estimator, row)) else row
    if array.ndim != 2:
        raise SampleError(f"The sample has {array.ndim} dimensions; the model takes rows of features (2).")
    _require_width(array.shape[1], width, None)
    if array.dtype.kind in "US":
        array = array.astype(object)
    if names is None:
        return array.astype("float64") if array.dtype.kind == "b" else array
    import pandas as pd

    return pd.DataFrame(array, columns=names).infer_objects()


def _table(estimator: Any, sample: Any, names: list[str] | None, width: int | None) -> Any:
    path = sample.attrs.get(CSV)
    sample = sample.rename(columns=str).reset_index(drop=True)
    if names is None:
        _require_width(len(sample.columns), width, list(sample.columns))
        return sample
    missing = [name for name in names if name not in sample.columns]
    extra = [name for name in sample.columns if name not in names]
    if missing or extra:
        words = f"missing {_listed(missing)}" if missing else ""
        words += "; " if missing and extra else ""
        words += f"not known to the model {_listed(extra)}" if extra else ""
        raise SampleError(
            f"The sample's columns are not the model's: {words}.",
            hint=f"The model was fitted on: {_listed(names)}."
            + ("" if missing else " Leave the target and index columns out of the sample."),
        )
    sample = sample[names].copy()
    encoded = known_categories(estimator, len(names), names)
    for place, name in enumerate(names):
        column = sample[name]
        known = [value for value in encoded.get(place, ()) if not is_gap(value)]
        if path and known and all(isinstance(value, str) for value in known):
            sample[name] = _texts_of_csv(path, name)
        elif column.dtype == object and (numbers := column.infer_objects()).dtype.kind in "iuf":
            sample[name] = numbers
    return sample if _answers(estimator, sample) else _with_none(estimator, sample)


def _texts_of_csv(path: str, name: str) -> Any:
    """A column as it is written: the zip code 01234 is no number, and the country NA no gap."""
    import pandas as pd

    return pd.read_csv(
        path, usecols=lambda column: str(column) == name, dtype=str, keep_default_na=False, na_values=[""]
    )[name]


def _with_none(estimator: Any, sample: Any) -> Any:
    """The sample with None for its missing texts, if the estimator answers that and not NaN: it was fitted on None."""
    changed = sample.copy()
    for name in sample:
        if sample[name].isna().any() and any(isinstance(value, str) for value in sample[name]):
            changed[name] = sample[name].astype(object).where(sample[name].notna(), None)
    return changed if _answers(estimator, changed) else sample


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _require_width(found: int, width: int | None, names: list[str] | None) -> None:
    if width is not None and found != width:
        raise SampleError(
            f"The sample has {found} columns, the model takes {width}"
            + (f" (the sample's are: {_listed(names)})." if names else "."),
            hint="Leave the target and index columns out of the sample.",
        )


def _texts(sample: Any) -> Any:
    """The sample as an array of strings, if it is one or a column of them."""
    import numpy as np

    if isinstance(sample, dict):
        return None
    if hasattr(sample, "columns"):
        if len(sample.columns) != 1:
            return None
        sample = sample.iloc[:, 0]
    values = np.asarray(sample, dtype=object)
    if values.ndim > 1 and values.shape[1:] != (1,):
        return None
    values = values.ravel()
    return values if all(isinstance(value, str) for value in values) else None


def _answers(estimator: Any, X: Any) -> bool:
    return any(
        hasattr(estimator, name) and probe.refusal(estimator, name, X) is None
        for name in ("predict", "transform", "score_samples")
    )


def _of_arrays(arrays: dict[str, Any]) -> Any:
    """Named arrays as the columns of a table: scalars are its one row."""
    import pandas as pd

    columns = {name: array.reshape(1) if array.ndim == 0 else array for name, array in arrays.items()}
    if any(column.ndim != 1 for column in columns.values()):
        raise SampleError("The sample has named arrays of rows; a scikit-learn model takes one table.")
    if len({len(column) for column in columns.values()}) > 1:
        raise SampleError("The sample's named arrays are not all of one length.")
    return pd.DataFrame(columns).infer_objects()
