"""Looking into a fitted scikit-learn estimator: what it takes, what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.bundle import ModelInfo
from scorewright.errors import ModelError, NotFittedError, SampleError, UnsupportedModelError
from scorewright.score import probe
from scorewright.score.batch_context import EXACT
from scorewright.score.block import ALONE
from scorewright.score.columns import plain_rows
from scorewright.score.forest import forest_of
from scorewright.score.json_form import json_form
from scorewright.score.parts import distributions, inner
from scorewright.score.sklearn_block import block_of, is_exact
from scorewright.score.sklearn_sample import fitting_sample, made_sample, require_names
from scorewright.score.sklearn_signature import signature_of
from scorewright.score.spec import LoadedModel, ModelSpec
from scorewright.versions import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorewright.bundle import Signature

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")
DEFAULTS = ("predict_proba", "predict", "transform", "score_samples")
"""The default method is the first of these that the model has (Azure's no-code deployment: the first two)."""

SAMPLE_ROWS = 3
PROBE_ROWS = 50
"""How much of a large sample is looked at."""

COMPARED_ROWS = 1000
"""How much of it a converted model is compared on."""

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
    _require_usable(estimator, sample is not None)
    require_names(estimator)
    notes: list[str] = []
    made = sample is None
    if made:
        sample = made_sample(estimator)
        notes.append("The sample was made from the model alone; give --sample for real values and column types.")
    else:
        sample = fitting_sample(estimator, sample)
    X = sample[:PROBE_ROWS]
    methods = _working(estimator, [name for name in METHODS if hasattr(estimator, name)], X, made, notes)
    default = _default(estimator, methods, method)
    seen = signature_of(estimator, methods, default, X)
    block = block_of(estimator, methods, seen.signature, X)
    if block is None:
        notes.append(ALONE)
    names, helpers = distributions(estimator)
    base = ["scikit-learn", "joblib", "numpy", "scipy", *(["pandas"] if seen.signature.dataframe else []), *names]
    base += ["skops"] if model.format == "skops" else []
    rows = min(len(X), SAMPLE_ROWS)
    return ModelSpec(
        model=model,
        info=ModelInfo(
            path=f"model/model.{model.format}", format=model.format, kind=_kind(estimator), trusted=model.trusted
        ),
        signature=seen.signature,
        versions=installed(dict.fromkeys(base)),
        sample_data=_request_rows(seen.signature, X[:rows]),
        sample_input=X[:rows],
        sample_rows=rows,
        sample_made=made,
        notes=tuple(notes),
        helpers=tuple(helpers),
        traits=seen.traits | ({EXACT} if is_exact(estimator) else set()),
        frame_types=seen.frame_types,
        none_columns=seen.none_columns,
        block=block,
        forest=forest_of(estimator, methods),
        largest=seen.largest,
        whole_sample=sample[:COMPARED_ROWS],
    )


def _require_usable(estimator: Any, has_sample: bool) -> None:
    from sklearn.exceptions import NotFittedError as SklearnNotFitted
    from sklearn.utils.validation import check_is_fitted

    kind = type(estimator).__name__
    if isinstance(estimator, type):
        raise ModelError(f"{estimator.__name__} is a class, not a fitted object.", hint="Save what fit() returned.")
    for name in (kind, type(inner(estimator)).__name__):
        if name in REFUSED:
            raise UnsupportedModelError(f"A {name} {REFUSED[name]}; it cannot be served by itself.")
    if not any(hasattr(type(estimator), name) for name in METHODS):
        raise UnsupportedModelError(
            f"A {kind} has neither predict nor transform: it cannot score new rows.",
            hint="Fit another estimator on its result: a classifier on the labels of a clustering, for example.",
        )
    try:
        if hasattr(estimator, "get_params"):
            check_is_fitted(estimator)
    except SklearnNotFitted:
        # The rule is an attribute that ends in "_". An estimator of the user's own may not keep to it: it is asked.
        if not has_sample or type(estimator).__module__.startswith("sklearn."):
            raise NotFittedError(
                f"The {kind} has not been fitted.",
                hint="Call fit() before the model is saved." if not hasattr(estimator, "refit") else _REFIT,
            ) from None
    if not any(hasattr(estimator, name) for name in METHODS):
        raise UnsupportedModelError(
            f"The {kind} has neither predict nor transform: it cannot score new rows.",
            hint="LocalOutlierFactor needs novelty=True, a search refit=True.",
        )


_REFIT = "Call fit() before the model is saved; a search needs refit=True, too."


def _working(estimator: Any, offered: Sequence[str], X: Any, made: bool, notes: list[str]) -> list[str]:
    """The methods that answer the sample; what is left out and why goes into the notes."""
    from sklearn.exceptions import NotFittedError as SklearnNotFitted

    working, reasons = [], []
    for name in offered:
        error = probe.refusal(estimator, name, X)
        if isinstance(error, SklearnNotFitted):
            words = _first(error).partition(". ")[0]
            raise NotFittedError(f"The {type(estimator).__name__} has not been fitted throughout: {words}.")
        words = f"on the sample it raised {_words(error)}" if error else probe.unsteady(estimator, name, X)
        if words:
            reasons.append(f"{name} is not offered: {words}")
        else:
            working.append(name)
    if not working:
        source = "the sample made from the model" if made else "the sample"
        raise SampleError(
            f"The model answers none of its methods on {source}: {reasons[0].partition(': ')[2]}.",
            hint="Give a --sample of rows as the model was fitted on."
            if made
            else "Are the sample's rows like those the model was fitted on, with the same types?",
        )
    notes.extend(reasons)
    return working


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {_first(error)}".rstrip(".")


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def _kind(estimator: Any) -> str:
    """The class, and for a pipeline or search that of the last step inside."""
    inside = getattr(estimator, "best_estimator_", None)
    if inside is not None:
        return f"{type(estimator).__name__}({_kind(inside)})"
    if hasattr(estimator, "steps"):
        return f"{type(estimator).__name__}({', '.join(_kind(step) for _, step in estimator.steps)})"
    return estimator if isinstance(estimator, str) else type(estimator).__name__


def _default(estimator: Any, methods: list[str], asked: str | None) -> str:
    if asked is None:
        return next(name for name in (*DEFAULTS, *methods) if name in methods)
    if asked not in methods:
        raise ModelError(
            f"The {type(estimator).__name__} has no method {asked!r}.", hint=f"It has: {', '.join(methods)}."
        )
    return asked


def _request_rows(signature: Signature, X: Any) -> Any:
    """The sample's rows as a request's "data": plain values, records where the columns have names of their own."""
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
    array = probe.dense(result)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]")  # of nanoseconds, tolist() makes integers
    return json_form(array.tolist())
