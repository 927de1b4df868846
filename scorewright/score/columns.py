"""The columns of a table that a scikit-learn model takes: their types, gaps and categories."""

from __future__ import annotations

import math
from typing import Any

from scorewright.bundle import TensorSpec
from scorewright.errors import SampleError
from scorewright.score import probe
from scorewright.score.parts import parts, places

_HINT = "Give every column one type: numbers, texts, true and false, or dates."


def column_specs(model: Any, methods: list[str], table: Any, names: list[str] | None) -> tuple[TensorSpec, ...]:
    """One TensorSpec a column, from the sample's dtypes and from probing the model.

    A column of whole numbers is called float64 where the model answers the same on floats: a sample whose
    values happen to be whole must not make the endpoint refuse 37.5.
    """
    named = names or [f"x{place}" for place in range(table.shape[1])]
    nans = probe.missing(model, methods, table)
    nones = [False] * len(nans) if all(nans) else probe.missing(model, methods, table, None)
    known = {
        place: values
        for place, values in known_categories(model, len(named), names_of(table)).items()
        if probe.strict(model, methods, table, [place])
    }
    return tuple(
        _column(model, methods, table, place, name, nans[place] or nones[place], known.get(place))
        for place, name in enumerate(named)
    )


def _column(
    model: Any, methods: list[str], table: Any, place: int, name: str, missing: bool, encoded: tuple[Any, ...] | None
) -> TensorSpec:
    dtype = _dtype(table, place, name)
    categories: tuple[Any, ...] | None = None
    if dtype == "category":
        known = table.iloc[:, place].cat.categories
        if known.dtype.kind not in "OUSTiufb":
            raise SampleError(f"The sample's column {name!r} has categories of type {known.dtype}.", hint=_HINT)
        categories = tuple(known.tolist())
        if len({str if isinstance(value, str) else type(value) is bool for value in categories}) > 1:
            raise SampleError(f"The sample's column {name!r} has categories of several types.", hint=_HINT)
    elif encoded:
        given = {value for value in _values(table, place) if not is_gap(value)}
        # What was found may be of an encoder behind a step that moves columns: the sample tells.
        categories = tuple(value for value in encoded if not is_gap(value)) if given <= set(encoded) else None
    if dtype == "int64" and hasattr(table, "iloc") and probe.takes_float(model, methods, table, table.columns[place]):
        dtype = "float64"
    return TensorSpec(name=name, dtype=dtype, shape=(None,), missing=missing, categories=categories)


def none_columns(model: Any, methods: list[str], table: Any, specs: tuple[TensorSpec, ...]) -> list[str]:
    """The columns whose missing value is None, not NaN: models that look at objects tell them apart."""
    nans = probe.missing(model, methods, table)
    encoded = known_categories(model, len(specs), names_of(table))
    found = []
    for place, spec in enumerate(specs):
        values = _values(table, place)
        if not spec.missing or str(getattr(values, "dtype", "")) != "object":
            continue
        gaps = [value for value in values if is_gap(value)]
        if not nans[place] or any(value is None for value in (gaps or encoded.get(place, ()))):
            found.append(spec.name)
    return found


def frame_types(table: Any, specs: tuple[TensorSpec, ...]) -> dict[str, str]:
    """The pandas type of each column where its values alone do not tell it: texts, dates, nullable numbers."""
    types = {spec.name: str(table.iloc[:, place].dtype) for place, spec in enumerate(specs)}
    return {
        spec.name: types[spec.name]
        for spec in specs
        if spec.dtype in ("string", "datetime") or (types[spec.name][0].isupper() and spec.dtype != "float64")
        or types[spec.name] == "boolean"
    }  # fmt: skip


def names_of(table: Any) -> list[str] | None:
    """The names of a table's columns; None for an array."""
    return [str(name) for name in table.columns] if hasattr(table, "columns") else None


def _values(table: Any, place: int) -> Any:
    return table.iloc[:, place] if hasattr(table, "iloc") else table[:, place]


def _dtype(table: Any, place: int, name: str) -> str:
    series = _values(table, place)
    kind = str(series.dtype)
    if kind == "category":
        return "category"
    if kind.startswith("datetime64"):
        return "datetime"
    if kind in ("bool", "boolean"):
        return "bool"
    if kind.startswith(("int", "Int", "uint", "UInt")):
        return "int64" if hasattr(table, "iloc") else "float64"
    if kind.startswith(("float", "Float")):
        return "float32" if kind == "float32" else "float64"
    values = [value for value in series if not is_gap(value)]
    if all(isinstance(value, str) for value in values):
        return "string" if values or kind != "object" else "float64"
    if all(isinstance(value, bool) for value in values):
        return "bool"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "float64"
    kinds = ", ".join(sorted({type(value).__name__ for value in values}))
    raise SampleError(f"The sample's column {name!r} holds values of type {kinds}.", hint=_HINT)


def known_categories(model: Any, width: int, names: list[str] | None) -> dict[int, tuple[Any, ...]]:
    """What the encoders that see the columns were fitted with, by the column's position."""
    found: dict[int, tuple[Any, ...]] = {}
    inside = list(parts(model))
    for part in inside:
        if getattr(part, "n_features_in_", None) != width:
            continue  # it stands behind a step that makes other columns
        own = getattr(part, "feature_names_in_", names)
        for _, transformer, columns in getattr(part, "transformers_", None) or ():
            listed = places(columns, width, None if own is None else list(own))
            for encoder in parts(transformer):
                known = getattr(encoder, "categories_", None)
                if isinstance(known, list) and len(known) == len(listed):
                    found = {place: tuple(values.tolist()) for place, values in zip(listed, known, strict=True)} | found
    for part in inside:
        known = getattr(part, "categories_", None)
        if isinstance(known, list) and len(known) == width:
            found = {place: tuple(values.tolist()) for place, values in enumerate(known)} | found
    return found


def is_gap(value: Any) -> bool:
    """Whether a value is a missing one: None, NaN, pandas' NA or NaT."""
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
    if is_gap(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    plain = value.item() if hasattr(value, "item") else value
    return None if is_gap(plain) else plain
