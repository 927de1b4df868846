"""Looking into a fitted scikit-learn estimator: what it takes, what it answers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from scorewright.bundle import Method, ModelInfo, Signature, TensorSpec
from scorewright.errors import ModelError, NotFittedError, SampleError, UnsupportedModelError
from scorewright.score import probe
from scorewright.score.columns import column_specs
from scorewright.score.compare import json_form
from scorewright.score.parts import distributions, inner
from scorewright.score.plausible import plausible_row, takes_text
from scorewright.score.spec import LoadedModel, ModelSpec
from scorewright.versions import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")
DEFAULTS = ("predict_proba", "predict", "transform", "score_samples")
"""The default method is the first of these that the model has (Azure's no-code deployment: the first two)."""

SAMPLE_ROWS = 3
PROBE_ROWS = 50
"""How much of a large sample is looked at."""

REFUSED = {
    "LabelEncoder": "encodes labels, not features",
    "LabelBinarizer": "encodes labels, not features",
    "MultiLabelBinarizer": "encodes labels, not features",
    "DictVectorizer": "takes dicts of any keys, which no signature can describe",
    "FeatureHasher": "takes dicts of any keys, which no signature can describe",
    "PatchExtractor": "answers several rows for one",
}


def inspect(model: LoadedModel, sample: Any, method: str | None) -> ModelSpec:
    """Learn the signature of a fitted estimator from itself and, where there is one, a sample.

    Raises NotFittedError, UnsupportedModelError, SampleError, ModelImportError.
    """
    estimator: Any = model.value
    _require_usable(estimator)
    notes: list[str] = []
    if sample is None:
        sample = _made_sample(estimator)
        made = True
        notes.append("The sample was made from the model alone; give --sample for real values and column types.")
    else:
        made = False
        sample = _fitting(estimator, sample)
    X = sample[:PROBE_ROWS]
    offered = [name for name in METHODS if hasattr(estimator, name)]
    methods = _working(estimator, offered, X, made, notes)
    default = _default(estimator, methods, method)
    signature, traits, largest = _signature(estimator, methods, default, X)
    if _names(estimator) is not None:
        traits |= {"fitted-on-names"}
    names, helpers = distributions(estimator)
    base = ["scikit-learn", "joblib", "numpy", "scipy", *(["pandas"] if signature.dataframe else [])]
    versions = installed(dict.fromkeys([*base, *(name for name in names if name not in _IMPLIED)]))
    rows = min(len(X), SAMPLE_ROWS)
    return ModelSpec(
        model=model,
        info=ModelInfo(path="model/model.joblib", format="joblib", kind=_kind(estimator)),
        signature=signature,
        versions=versions,
        sample_data=_request_rows(signature, X[:rows]),
        sample_input=X[:rows],
        sample_rows=rows,
        sample_made=made,
        notes=tuple(notes),
        helpers=tuple(helpers),
        traits=traits,
        largest=largest,
    )


_IMPLIED = {"pandas", "scikit-learn", "joblib", "numpy", "scipy"}


def _require_usable(estimator: Any) -> None:
    from sklearn.exceptions import NotFittedError as SklearnNotFitted
    from sklearn.utils.validation import check_is_fitted

    kind = type(estimator).__name__
    if isinstance(estimator, type):
        raise ModelError(f"{estimator.__name__} is a class, not a fitted object.", hint="Save what fit() returned.")
    first = type(inner(estimator)).__name__ if not isinstance(inner(estimator), str) else ""
    for name in (kind, first):
        if name in REFUSED:
            raise UnsupportedModelError(f"A {name} {REFUSED[name]}; it cannot be served by itself.")
    try:
        if hasattr(estimator, "get_params"):
            check_is_fitted(estimator)
    except SklearnNotFitted:
        raise NotFittedError(f"The {kind} has not been fitted.") from None
    if not any(hasattr(estimator, name) for name in METHODS):
        only = "fit_predict" if hasattr(estimator, "fit_predict") else "fit_transform"
        raise UnsupportedModelError(
            f"A {kind} has neither predict nor transform: it cannot score new rows (it has only {only}).",
            hint="LocalOutlierFactor needs novelty=True; after DBSCAN, fit a classifier on its labels.",
        )


def _kind(estimator: Any) -> str:
    """The class, and for a pipeline or search that of the last step inside."""
    inside = getattr(estimator, "best_estimator_", None)
    if inside is not None:
        return f"{type(estimator).__name__}({_kind(inside)})"
    if hasattr(estimator, "steps"):
        return f"{type(estimator).__name__}({', '.join(_kind(step) for _, step in estimator.steps)})"
    return estimator if isinstance(estimator, str) else type(estimator).__name__


def _names(estimator: Any) -> list[str] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _made_sample(estimator: Any) -> Any:
    import numpy as np

    if takes_text(estimator):
        return np.array(["some text"], dtype=object)
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        raise SampleError(
            f"The {type(estimator).__name__} does not say how many features it takes.", hint="Give a --sample."
        )
    names = _names(estimator)
    row = plausible_row(estimator, int(width), names)
    if names is None:
        mixed = any(isinstance(value, str) for value in row)
        return np.array([row], dtype=object if mixed else "float64")
    import pandas as pd

    return pd.DataFrame([row], columns=names)


def _fitting(estimator: Any, sample: Any) -> Any:
    """The sample in the shape and order the estimator wants. Raises SampleError."""
    import numpy as np

    if takes_text(estimator):
        return _texts(sample)
    if isinstance(sample, dict):
        raise SampleError("The sample has named arrays; a scikit-learn model takes one table.")
    if isinstance(sample, list):
        raise SampleError("The sample is a list of strings; this model takes rows of features.")
    names, width = _names(estimator), getattr(estimator, "n_features_in_", None)
    if hasattr(sample, "columns"):
        sample = sample.rename(columns=str)
        if names is not None:
            missing = [name for name in names if name not in sample.columns]
            extra = [str(name) for name in sample.columns if name not in names]
            if missing or extra:
                raise SampleError(
                    "The sample's columns are not the model's: "
                    + "; ".join(
                        part
                        for part in (
                            f"missing {', '.join(missing)}" if missing else "",
                            f"not known to the model {', '.join(extra)}" if extra else "",
                        )
                        if part
                    )
                    + ".",
                    hint=f"The model was fitted on: {', '.join(names)}.",
                )
            return sample[names].reset_index(drop=True)
        _require_width(len(sample.columns), width, [str(name) for name in sample.columns])
        return sample.reset_index(drop=True)
    array = np.asarray(sample)
    if array.ndim == 1:
        array = array.reshape(1, -1) if width != 1 else array.reshape(-1, 1)
    if array.ndim != 2:
        raise SampleError(f"The sample has {array.ndim} dimensions; the model takes rows of features (2).")
    _require_width(array.shape[1], width, None)
    if array.dtype.kind in "US":
        array = array.astype(object)
    if names is None:
        return array
    import pandas as pd

    return pd.DataFrame(array, columns=names).infer_objects()


def _require_width(found: int, width: int | None, names: list[str] | None) -> None:
    if width is not None and found != width:
        raise SampleError(
            f"The sample has {found} columns, the model takes {width}"
            + (f" (the sample's are: {', '.join(names)})." if names else "."),
            hint="Leave the target and index columns out of the sample.",
        )


def _texts(sample: Any) -> Any:
    import numpy as np

    if hasattr(sample, "columns"):
        if len(sample.columns) != 1:
            raise SampleError(f"The sample has {len(sample.columns)} columns; this model takes one, of text.")
        sample = sample.iloc[:, 0]
    values = np.asarray(sample, dtype=object).ravel()
    if not all(isinstance(value, str) for value in values):
        raise SampleError("The sample holds values that are not strings; this model takes text.")
    return values


def _working(estimator: Any, offered: Sequence[str], X: Any, made: bool, notes: list[str]) -> list[str]:
    """The methods that answer the sample; what is left out and why goes into the notes."""
    working, reasons = [], []
    for name in offered:
        words = probe.refuses(estimator, name, X)
        if not words:
            working.append(name)
        else:
            reasons.append(f"{name} is not offered: on the sample it raised {words.splitlines()[0]}")
    if not working:
        source = "the sample made from the model" if made else "the sample"
        raise SampleError(
            f"The model answers none of its methods on {source}: {reasons[0].partition(': ')[2]}.",
            hint="Give a --sample of rows as the model was fitted on.",
        )
    notes.extend(reasons)
    return working


def _default(estimator: Any, methods: list[str], asked: str | None) -> str:
    if asked is None:
        return next(name for name in (*DEFAULTS, *methods) if name in methods)
    if asked not in methods:
        raise ModelError(
            f"The {type(estimator).__name__} has no method {asked!r}.", hint=f"It has: {', '.join(methods)}."
        )
    return asked


def _signature(
    estimator: Any, methods: list[str], default: str, X: Any
) -> tuple[Signature, frozenset[str], float | None]:
    classes = _classes(estimator)
    results = {name: probe.call(estimator, name, X) for name in methods}
    offered = {name: Method(outputs=_outputs(name, result)) for name, result in results.items()}
    traits = frozenset(
        f"{trait}:{name}"
        for name, result in results.items()
        for trait, there in (("list", isinstance(result, list)), ("sparse", hasattr(result, "toarray")))
        if there
    )
    if any(hasattr(value, "isoformat") for result in results.values() for value in _objects(result)):
        traits |= {"dates"}
    common: dict[str, Any] = {"methods": offered, "default_method": default, "classes": classes}
    if takes_text(estimator):
        text = TensorSpec(name="data", dtype="string", shape=(None,))
        return Signature(layout="text", inputs=(text,), **common), traits, None
    names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
    fitted_on_names = _names(estimator) is not None
    numbers = _numbers(estimator, methods, X, fitted_on_names)
    if numbers is not None:
        missing = probe.missing(estimator, methods, numbers)
        if all(missing) or not any(missing):
            data = TensorSpec(name="data", dtype="float64", shape=(None, numbers.shape[1]), missing=all(missing))
            largest = probe.largest(estimator, methods, numbers)
            features = tuple(names) if names else None
            return Signature(layout="array", inputs=(data,), features=features, **common), traits, largest
    frame = X if not hasattr(X, "columns") or fitted_on_names else X.to_numpy()
    specs = column_specs(estimator, methods, frame, names)
    largest = probe.largest(estimator, methods, frame)
    table = Signature(layout="columns", inputs=specs, dataframe=hasattr(frame, "columns"), **common)
    return table, traits, largest


def _numbers(estimator: Any, methods: list[str], X: Any, fitted_on_names: bool) -> Any:
    """X as a float64 array, if that is all the estimator needs; else None."""
    import numpy as np

    if not hasattr(X, "columns"):
        return np.asarray(X, dtype="float64") if X.dtype.kind in "iuf" else None
    if any(getattr(kind, "kind", "O") not in "iuf" for kind in X.dtypes):
        return None
    if fitted_on_names and not probe.takes_numpy(estimator, methods, X):
        return None
    return X.to_numpy(dtype="float64")


def _classes(estimator: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(estimator, "classes_", None)
    if found is None:
        return None
    if isinstance(found, list):
        return tuple(tuple(json_form(values.tolist())) for values in found)
    return tuple(json_form(found.tolist())) if found.ndim == 1 else None


def _objects(result: Any) -> list[Any]:
    array = None if isinstance(result, list) else probe.dense(result)
    return array.ravel().tolist() if array is not None and array.dtype.kind == "O" else []


def _outputs(name: str, result: Any) -> tuple[TensorSpec, ...]:
    if isinstance(result, list):
        return tuple(
            TensorSpec(name=f"{name}_{place}", dtype=_dtype(array), shape=(None, *array.shape[1:]))
            for place, array in enumerate(map(probe.dense, result))
        )
    array = probe.dense(result)
    return (TensorSpec(name=name, dtype=_dtype(array), shape=(None, *array.shape[1:])),)


def _dtype(array: Any) -> str:
    return "string" if array.dtype.kind in "OUST" else "datetime" if array.dtype.kind == "M" else str(array.dtype)


def _request_rows(signature: Signature, X: Any) -> Any:
    """The sample's rows as a request's "data": plain values, records where the columns have names of their own."""
    from scorewright.score.columns import plain_rows

    if signature.layout == "text":
        return X.tolist()
    rows = plain_rows(X)
    if signature.layout == "columns" and signature.dataframe:
        return [dict(zip((spec.name for spec in signature.inputs), row, strict=True)) for row in rows]
    return rows


def answers(spec: ModelSpec) -> dict[str, Any]:
    """What the model itself answers to the sample, by method, in the form the script must answer."""
    return {
        method: _answer(probe.call(spec.model.value, method, spec.sample_input)) for method in spec.signature.methods
    }


def _answer(result: Any) -> Any:
    if isinstance(result, list):
        return [list(row) for row in zip(*map(_answer, result), strict=True)]
    return json_form(probe.dense(result).tolist())
