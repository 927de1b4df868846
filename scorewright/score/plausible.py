"""A plausible row for a model that came without a sample, read out of what fitting left in it."""

from __future__ import annotations

import math
from typing import Any

from scorewright.score.parts import inner
from scorewright.score.parts import places as places_of


def plausible_row(model: Any, width: int, names: list[str] | None) -> list[Any]:
    """One value a feature: a category where an encoder knows them, a mean or threshold where there is one, else 0.0."""
    row = _row(model, width, names)
    return [0.0 if value is None else value for value in row]


def _row(model: Any, width: int, names: list[str] | None) -> list[Any]:
    import numpy as np

    for attribute in ("best_estimator_", "regressor_"):
        if hasattr(model, attribute):
            return _row(getattr(model, attribute), width, names)
    if hasattr(model, "steps"):
        # A step that keeps the columns may know nothing of them where the next one does.
        row: list[Any] = [None] * width
        for _, step in model.steps:
            if step is None or step == "passthrough":
                continue
            found = _row(step, width, names)
            row = [new if old is None else old for old, new in zip(row, found, strict=True)]
            if not _keeps_columns(step):
                break
        return row
    if hasattr(model, "transformers_"):
        return _row_of_columns(model, width, names)
    if hasattr(model, "categories_") and len(model.categories_) == width:
        return [_first(values) for values in model.categories_]
    for read in _READERS:
        try:
            values = np.asarray(read(model))
        except (AttributeError, TypeError, IndexError, ValueError):
            continue
        if values.shape == (width,):
            return [_python(value) for value in values]
    return _thresholds(model, width)


_READERS = (
    lambda model: model.mean_,
    lambda model: (model.data_min_ + model.data_max_) / 2,
    lambda model: model.center_,
    lambda model: model.max_abs_ / 2,
    lambda model: model.statistics_,
    lambda model: model.quantiles_[len(model.quantiles_) // 2],
    lambda model: [edges[len(edges) // 2] for edges in model.bin_edges_],
    lambda model: model.theta_.mean(axis=0),
    lambda model: model.cluster_centers_[0],
    lambda model: model.means_[0],
    lambda model: model.xbar_,
    lambda model: model._fit_X[0],
    lambda model: model.support_vectors_[0],
    lambda model: model.X_train_[0],
    lambda model: [edges[len(edges) // 2] if len(edges) else 0.0 for edges in model._bin_mapper.bin_thresholds_],
)


def _keeps_columns(step: Any) -> bool:
    import sklearn.impute
    import sklearn.preprocessing as pre

    return isinstance(
        step,
        pre.StandardScaler | pre.MinMaxScaler | pre.RobustScaler | pre.MaxAbsScaler | pre.Normalizer
        | sklearn.impute.SimpleImputer | sklearn.impute.KNNImputer,
    )  # fmt: skip


def _row_of_columns(model: Any, width: int, names: list[str] | None) -> list[Any]:
    row: list[Any] = [None] * width
    for _, transformer, columns in model.transformers_:
        places = places_of(columns, width, names)
        if takes_text(transformer):
            found: list[Any] = ["some text"]
        elif isinstance(transformer, str):
            found = [None] * len(places)
        else:
            found = _row(transformer, len(places), [names[place] for place in places] if names else None)
        for place, value in zip(places, found, strict=False):
            if row[place] is None:
                row[place] = value
    return row


def takes_text(model: Any) -> bool:
    """Whether the estimator takes strings, not rows: scikit-learn's text vectorisers."""
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

    return isinstance(inner(model), CountVectorizer | HashingVectorizer)


def _thresholds(model: Any, width: int) -> list[Any]:
    """Means of the thresholds at which a tree, or the first trees of an ensemble, split each feature."""
    import numpy as np

    trees = [model] if _is_tree(model) else list(np.ravel(getattr(model, "estimators_", [])))[:20]
    found: list[list[float]] = [[] for _ in range(width)]
    for tree in trees:
        if _is_tree(tree) and tree.tree_.n_features == width:
            for feature, threshold in zip(tree.tree_.feature, tree.tree_.threshold, strict=True):
                if feature >= 0:
                    found[feature].append(float(threshold))
    return [round(sum(values) / len(values), 4) if values else None for values in found]


def _is_tree(model: Any) -> bool:
    return hasattr(getattr(model, "tree_", None), "threshold")  # a KernelDensity has a tree_ of another sort


def _first(values: Any) -> Any:
    for value in values:
        plain = _python(value)
        if plain is not None:
            return plain
    return None


def _python(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    return plain
