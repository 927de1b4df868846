"""Asking a fitted scikit-learn model what it takes, by giving it changed inputs and watching it answer or refuse."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

FLOAT32_LARGEST = 3.4028234e38
MOST_COLUMNS = 200
"""Above this many columns only all of them at once are probed: each probe is a call of the model."""

STRANGE_TEXT = "scorewright-probe"
STRANGE_NUMBER = 987_654_321


def call(model: Any, method: str, X: Any) -> Any:
    """One call, on one thread as it will be served; warnings silenced: a probe gives odd input on purpose."""
    import joblib

    with warnings.catch_warnings(), joblib.parallel_config("sequential"):
        warnings.simplefilter("ignore")
        return getattr(model, method)(X)


def refusal(model: Any, method: str, X: Any) -> Exception | None:
    """What the model raises on X, if it raises."""
    try:
        call(model, method, X)
    except Exception as error:
        return error
    return None


def same(first: Any, second: Any, tolerance: float = 0.0) -> bool:
    """Whether two results are equal, NaN equal to NaN; numbers within a relative tolerance."""
    import numpy as np

    if isinstance(first, list):
        return len(first) == len(second) and all(
            same(one, other, tolerance) for one, other in zip(first, second, strict=True)
        )
    a, b = dense(first), dense(second)
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))
    both_missing = (a != a) & (b != b)  # noqa: PLR0124  # NaN among objects, too
    return bool(np.all((a == b) | both_missing))


def dense(result: Any) -> Any:
    """A result as a numpy array: sparse matrices filled up, DataFrames stripped of their names."""
    import numpy as np

    return np.asarray(result.toarray() if hasattr(result, "toarray") else result)


def unsteady(model: Any, method: str, X: Any) -> str:
    """Why a method that answers X cannot be served, in words; empty if it can.

    A server scores the same row alone, with its neighbours, and again: the answers must be the same.
    """
    whole = call(model, method, X)
    for output in whole if isinstance(whole, list) else [whole]:
        if dense(output).shape[:1] != (len(X),):
            return f"it does not answer one item a row: {len(X)} rows give an array of shape {dense(output).shape}"
    if not same(whole, call(model, method, X), 1e-5):
        return "it answers the same rows differently from call to call"
    alone = call(model, method, X[:1])
    first = [output[:1] for output in whole] if isinstance(whole, list) else dense(whole)[:1]
    if not same(first, alone, 1e-5):
        return "it answers a row differently when others come with it"
    return ""


def takes_numpy(model: Any, methods: list[str], frame: Any, numbers: Any) -> bool:
    """Whether a model that was fitted on a DataFrame answers the same when given bare numbers."""
    return all(
        not refusal(model, method, numbers) and same(call(model, method, frame), call(model, method, numbers))
        for method in methods
    )


def takes_float(model: Any, methods: list[str], frame: Any, column: str) -> bool:
    """Whether a column of whole numbers may as well hold floats: the answers stay the same."""
    try:
        changed = frame.astype({column: "float64"})
    except (TypeError, ValueError):  # pandas' nullable integers, with a gap
        return False
    return takes_numpy(model, methods, frame, changed)


def missing(model: Any, methods: list[str], table: Any, gap: Any = math.nan) -> list[bool]:
    """Which columns of a DataFrame or array may hold `gap`, NaN or None, in all methods."""

    def takes(columns: list[int]) -> bool:
        changed = spoil(table, columns, gap)
        return changed is not None and not any(refusal(model, method, changed) for method in methods)

    width = table.shape[1]
    if takes(list(range(width))):
        return [True] * width
    if width > MOST_COLUMNS:
        return [False] * width
    return [takes([column]) for column in range(width)]


def strict(model: Any, methods: list[str], table: Any, columns: Iterable[int]) -> bool:
    """Whether the model refuses values it has not seen in these columns."""
    changed = table
    for column in columns:
        spoiled = spoil(changed, [column], STRANGE_TEXT if _is_text(table, column) else STRANGE_NUMBER)
        changed = changed if spoiled is None else spoiled
    words = [str(refusal(model, method, changed) or "").lower() for method in methods]
    return any("unknown categor" in word or "unseen label" in word for word in words)


def largest(model: Any, methods: list[str], X: Any) -> float | None:
    """The largest number the model takes if that is less than a float64 holds (trees compute in float32)."""
    changed = spoil(X, list(range(X.shape[1])), 1e300)
    if changed is None:
        return None
    too_large = any("too large" in str(refusal(model, method, changed) or "") for method in methods)
    return FLOAT32_LARGEST if too_large else None


def spoil(table: Any, columns: list[int], value: Any) -> Any:
    """A copy with `value` in the first row of these columns; None where a column cannot hold it."""
    changed = table.copy()
    if not hasattr(changed, "iloc"):
        if changed.dtype.kind not in "fO":
            changed = changed.astype("float64")
        try:
            changed[0, columns] = value
        except (TypeError, ValueError):
            return None
        return changed
    for column in columns:
        series = changed.iloc[:, column]
        kind = getattr(series.dtype, "kind", "O")
        if isinstance(value, float) and str(series.dtype) == "bool":
            return None
        if isinstance(value, float) and not math.isnan(value) and kind not in "iuf":
            continue
        if kind in "iu":  # pandas' nullable integers are named Int64, its nullable floats Float64
            wide = "float64" if isinstance(value, float) or value is None else "int64"
            series = series.astype(wide.title() if str(series.dtype)[0].isupper() else wide)
        try:
            changed.isetitem(column, _with_first(series, value))
        except (TypeError, ValueError, OverflowError):
            return None
    return changed


def _with_first(series: Any, value: Any) -> Any:
    series = series.astype("object") if value is None else series.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of 1e300 in a column of float32
        series.iloc[0] = value
    return series


def _is_text(table: Any, column: int) -> bool:
    values = table.iloc[:, column] if hasattr(table, "iloc") else table[:, column]
    return any(isinstance(value, str) for value in values)
