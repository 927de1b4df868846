"""The signature of a fitted scikit-learn estimator: what a sample and probes tell of its inputs and answers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

from scorewright.bundle import Method, Signature, TensorSpec
from scorewright.score import probe
from scorewright.score.columns import column_specs, frame_types, names_of, none_columns
from scorewright.score.json_form import json_form
from scorewright.score.parts import parts
from scorewright.score.sklearn_sample import fitted_names


@dataclass(frozen=True)
class Seen:
    """A signature, and what the templates need to know beyond it (see ModelSpec)."""

    signature: Signature
    traits: frozenset[str]
    largest: float | None = None
    frame_types: dict[str, str] = field(default_factory=dict)
    none_columns: tuple[str, ...] = ()


def signature_of(estimator: Any, methods: list[str], default: str, X: Any) -> Seen:
    """Learn the layout, the inputs and the answers of the methods, all of which answer X."""
    results = {name: probe.call(estimator, name, X) for name in methods}
    common: dict[str, Any] = {
        "methods": {name: Method(outputs=_outputs(name, result)) for name, result in results.items()},
        "default_method": default,
        "classes": _classes(estimator),
    }
    traits = _traits(results)
    fitted_on_names = fitted_names(estimator) is not None
    if fitted_on_names:
        traits |= {"fitted-on-names"}
    if any(getattr(part, "n_jobs", None) not in (None, 1) for part in parts(estimator)):
        traits |= {"jobs"}
    if not hasattr(X, "columns") and X.ndim == 1:
        text = TensorSpec(name="data", dtype="string", shape=(None,))
        return Seen(Signature(layout="text", inputs=(text,), **common), traits)
    names = names_of(X)
    numbers = _numbers(estimator, methods, X, fitted_on_names)
    if numbers is not None and not probe.strict(estimator, methods, numbers, range(numbers.shape[1])):
        missing = probe.missing(estimator, methods, numbers)
        if all(missing) or not any(missing):
            data = TensorSpec(name="data", dtype="float64", shape=(None, numbers.shape[1]), missing=all(missing))
            features = tuple(names) if names else None
            array = Signature(layout="array", inputs=(data,), features=features, **common)
            return Seen(array, traits, probe.largest(estimator, methods, numbers))
    table = X if not hasattr(X, "columns") or fitted_on_names else X.to_numpy()
    specs = column_specs(estimator, methods, table, names)
    columns = Signature(layout="columns", inputs=specs, dataframe=hasattr(table, "columns"), **common)
    return Seen(
        columns,
        traits,
        probe.largest(estimator, methods, table),
        frame_types(table, specs) if hasattr(table, "columns") else {},
        tuple(none_columns(estimator, methods, table, specs)),
    )


def _numbers(estimator: Any, methods: list[str], X: Any, fitted_on_names: bool) -> Any:
    """X as a float64 array, if that is all the estimator needs; else None."""
    import numpy as np

    if not hasattr(X, "columns"):
        return np.asarray(X, dtype="float64") if X.dtype.kind in "iuf" else None
    if any(getattr(kind, "kind", "O") not in "iuf" or str(kind) == "category" for kind in X.dtypes):
        return None
    numbers = X.to_numpy(dtype="float64", na_value=np.nan)
    if fitted_on_names and not probe.takes_numpy(estimator, methods, X, numbers):
        return None
    return numbers


def _traits(results: dict[str, Any]) -> frozenset[str]:
    traits = set()
    for name, result in results.items():
        if isinstance(result, list):
            traits.add(f"list:{name}")
        if hasattr(result, "toarray"):
            traits.add(f"sparse:{name}")
        if any(probe.dense(output).dtype.kind == "M" for output in (result if isinstance(result, list) else [result])):
            traits.add("dates")
        if any(probe.dense(output).dtype.kind == "O" for output in (result if isinstance(result, list) else [result])):
            traits.add("objects")
    return frozenset(traits)


def _classes(estimator: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(estimator, "classes_", None)
    if found is None:
        return None
    if isinstance(found, list):
        return tuple(tuple(json_form(values.tolist())) for values in found)
    return tuple(json_form(found.tolist())) if getattr(found, "ndim", 0) == 1 else None


def _outputs(name: str, result: Any) -> tuple[TensorSpec, ...]:
    if isinstance(result, list):
        return tuple(
            TensorSpec(name=f"{name}_{place}", dtype=_dtype(array), shape=(None, *array.shape[1:]))
            for place, array in enumerate(map(probe.dense, result))
        )
    array = probe.dense(result)
    return (TensorSpec(name=name, dtype=_dtype(array), shape=(None, *array.shape[1:])),)


def _dtype(array: Any) -> str:
    if array.dtype.kind == "O":
        values = array.ravel().tolist()
        if all(hasattr(value, "isoformat") for value in values):
            return "datetime"
        return "string" if all(isinstance(value, str) for value in values) else "category"
    return "string" if array.dtype.kind in "UST" else "datetime" if array.dtype.kind == "M" else str(array.dtype)
