"""Finding the forest whose trees decide what a model answers: the script adds them up itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from scorewright.score.spec import Forest

if TYPE_CHECKING:
    from collections.abc import Sequence


def forest_of(estimator: Any, methods: Sequence[str]) -> Forest | None:
    """The forest at the end of pipelines and searches, if it is scikit-learn's own and has one output; else None."""
    from sklearn import ensemble

    path = ""
    method: Literal["predict", "predict_proba"]
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator, path = estimator.best_estimator_, f"{path}.best_estimator_"
        elif hasattr(estimator, "steps"):
            estimator, path = estimator.steps[-1][1], f"{path}.steps[-1][1]"
        else:
            break
    if type(estimator) in (ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier):
        method = "predict_proba"  # which predict and predict_log_proba call
    elif type(estimator) in (ensemble.RandomForestRegressor, ensemble.ExtraTreesRegressor):
        method = "predict"
    else:
        return None
    return Forest(path, method) if estimator.n_outputs_ == 1 and method in methods else None
