"""The columns of a table that a scikit-learn model takes: their types, gaps and categories."""

from __future__ import annotations

import math
from typing import Any

from scorewright.bundle import TensorSpec
from scorewright.errors import SampleError
from scorewright.score import probe
from scorewright.score.parts import parts


def column_specs(model: Any, methods: list[str], table: Any, names: list[str] | None) -> tuple[TensorSpec, ...]:
    """One TensorSpec a column, from the sample's dtypes and from probing the model.

    A column of whole numbers is called float64 where the model answers the same on floats: a sample whose
    values happen to be whole must not make the endpoint refuse 37.5.
    """
    width = table.shape[1]
    names = names or [f"x{place}" for place in range(width)]
    gaps = probe.missing(model, methods, table)
    return tuple(
        _column(model, methods, table, place, name, gap)
        for place, (name, gap) in enumerate(zip(names, gaps, strict=True))
    )


def _column(model: Any, methods: list[str], table: Any, place: int, name: str, gap: bool) -> TensorSpec:
    dtype = _dtype(table, place, name)
    categories: tuple[Any, ...] | None = None
    if dtype == "category":
        known = table.iloc[:, place].cat.categories
        if known.dtype.kind not in "OUSTiufb":
            raise SampleError(f"The sample's column {name!r} has categories of type {known.dtype}.")
        categories = tuple(known.tolist())
    elif probe.strict_categories(model, methods, table, place):
        categories = _known_categories(model, name, place)
    if dtype.startswith(("int", "uint")) and hasattr(table, "iloc"):
        dtype = "float64" if probe.takes_float(model, methods, table, table.columns[place]) else "int64"
    return TensorSpec(name=name, dtype=dtype, shape=(None,), missing=gap, categories=categories)


def _dtype(table: Any, place: int, name: str) -> str:
    if not hasattr(table, "iloc"):
        values = [value for value in table[:, place] if not _gap(value)]
        return "string" if any(isinstance(value, str) for value in values) else "float64"
    series = table.iloc[:, place]
    kind = str(series.dtype)
    if kind == "category":
        return "category"
    if kind.startswith("datetime64"):
        return "datetime"
    if kind in ("bool", "boolean"):
        return "bool"
    if kind.startswith(("int", "Int", "uint", "UInt")):
        return "int64"
    if kind.startswith(("float", "Float")):
        return "float32" if kind == "float32" else "float64"
    values = [value for value in series if not _gap(value)]
    if all(isinstance(value, str) for value in values):
        return "string"
    if all(isinstance(value, bool) for value in values):
        return "bool"
    if all(isinstance(value, int | float) for value in values):
        return "float64"
    odd = next(type(value).__name__ for value in values if not isinstance(value, str))
    raise SampleError(
        f"The sample's column {name!r} mixes types ({kind}, with {odd}).", hint="Give every column one type."
    )


def _known_categories(model: Any, name: str, place: int) -> tuple[Any, ...] | None:
    """What the encoder that sees this column was fitted with."""
    for part in parts(model):
        for _, transformer, columns in getattr(part, "transformers_", None) or ():
            listed = [columns] if isinstance(columns, str | int) else list(columns) if not _is_slice(columns) else []
            spot = next((i for i, column in enumerate(listed) if column in (name, place)), None)
            if spot is None:
                continue
            for encoder in parts(transformer):
                known = getattr(encoder, "categories_", None)
                if isinstance(known, list) and len(known) == len(listed):
                    return _values(known[spot])
    for part in parts(model):
        known = getattr(part, "categories_", None)
        if isinstance(known, list) and place < len(known) and not hasattr(model, "transformers_"):
            return _values(known[place])
    return None


def _is_slice(columns: Any) -> bool:
    return isinstance(columns, slice) or callable(columns)


def _values(known: Any) -> tuple[Any, ...]:
    return tuple(value for value in known.tolist() if not _gap(value))


def _gap(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NAType", "NaTType")
    )


def plain_rows(table: Any) -> list[list[Any]]:
    """Rows of a DataFrame or array as JSON carries them: null for a gap, dates in ISO form."""
    rows = table.itertuples(index=False, name=None) if hasattr(table, "iloc") else table.tolist()
    return [[_plain(value) for value in row] for row in rows]


def _plain(value: Any) -> Any:
    if _gap(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    plain = value.item() if hasattr(value, "item") else value
    return None if _gap(plain) else plain
