"""Asking a fitted scikit-learn model what it takes, by giving it changed inputs and watching it answer or refuse."""

from __future__ import annotations

import math
import warnings
from typing import Any

FLOAT32_LARGEST = 3.4028234e38
MOST_COLUMNS = 200
"""Above this many columns only all of them at once are probed: each probe is a call of the model."""


def call(model: Any, method: str, X: Any) -> Any:
    """One call, its warnings silenced: a probe gives the model odd input on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(model, method)(X)


def refuses(model: Any, method: str, X: Any) -> str:
    """The model's words if it raises on X, else an empty string."""
    try:
        call(model, method, X)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def same(first: Any, second: Any) -> bool:
    """Whether two results are equal to the last bit, NaN equal to NaN."""
    import numpy as np

    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    a, b = dense(first), dense(second)
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        return bool(np.array_equal(a, b, equal_nan=True))
    return bool(np.all(a == b))


def dense(result: Any) -> Any:
    """A result as a numpy array: sparse matrices filled up, DataFrames stripped of their names."""
    import numpy as np

    return np.asarray(result.toarray() if hasattr(result, "toarray") else result)


def takes_numpy(model: Any, methods: list[str], frame: Any) -> bool:
    """Whether a model that was fitted on a DataFrame answers the same when given bare numbers."""
    for method in methods:
        X = frame.to_numpy(dtype="float64")
        if refuses(model, method, X) or not same(call(model, method, frame), call(model, method, X)):
            return False
    return True


def takes_float(model: Any, methods: list[str], frame: Any, column: str) -> bool:
    """Whether a column of whole numbers may as well hold floats: the answers stay the same."""
    changed = frame.astype({column: "float64"})
    return all(
        not refuses(model, method, changed) and same(call(model, method, frame), call(model, method, changed))
        for method in methods
    )


def missing(model: Any, methods: list[str], frame: Any) -> list[bool]:
    """Which columns of a DataFrame or array may hold NaN, in all methods."""

    def takes(columns: list[int]) -> bool:
        changed = spoil(frame, columns, math.nan)
        return changed is not None and not any(refuses(model, method, changed) for method in methods)

    width = frame.shape[1]
    if takes(list(range(width))):
        return [True] * width
    if width > MOST_COLUMNS:
        return [False] * width
    return [takes([column]) for column in range(width)]


def strict_categories(model: Any, methods: list[str], frame: Any, column: int) -> bool:
    """Whether the model refuses a value it has not seen in this column."""
    strange = "scorewright-probe" if _is_text(frame, column) else 987_654_321
    changed = spoil(frame, [column], strange)
    words = [refuses(model, method, changed) for method in methods] if changed is not None else []
    return any("unknown categor" in word.lower() or "unseen label" in word.lower() for word in words)


def largest(model: Any, methods: list[str], X: Any) -> float | None:
    """The largest number the model takes if that is less than a float64 holds (trees compute in float32)."""
    changed = spoil(X, list(range(X.shape[1])), 1e300)
    if changed is None:
        return None
    too_large = any("too large" in refuses(model, method, changed) for method in methods)
    return FLOAT32_LARGEST if too_large else None


def spoil(table: Any, columns: list[int], value: Any) -> Any:
    """A copy with `value` in the first row of these columns; None where a column cannot hold it."""
    changed = table.copy()
    if not hasattr(changed, "iloc"):
        if changed.dtype.kind not in "fO" and isinstance(value, float):
            changed = changed.astype("float64")
        changed[0, columns] = value
        return changed
    for column in columns:
        name = changed.columns[column]
        kind = changed[name].dtype
        if isinstance(value, float) and str(kind) == "bool":
            return None
        if isinstance(value, float) and getattr(kind, "kind", "O") in "iu":
            changed[name] = changed[name].astype("float64")
        if isinstance(value, float) and not math.isnan(value) and getattr(kind, "kind", "O") not in "iuf":
            continue
        try:
            changed.isetitem(column, _with_first(changed[name], value))
        except (TypeError, ValueError):
            return None
    return changed


def _with_first(series: Any, value: Any) -> Any:
    series = series.copy()
    series.iloc[0] = value
    return series


def _is_text(table: Any, column: int) -> bool:
    first = table.iloc[0, column] if hasattr(table, "iloc") else table[0, column]
    return isinstance(first, str)
