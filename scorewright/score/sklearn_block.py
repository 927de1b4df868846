"""The block of a scikit-learn model (see block.py): measured, with a margin where it does linear algebra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.score import probe
from scorewright.score.block import BLOCKS, is_dear, smallest_block
from scorewright.score.parts import parts
from scorewright.score.variations import variations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorewright.bundle import Signature

ROWS = 24
MARGIN = (16, 32)
"""A smaller block may do on one processor and not on the next, whose matrix kernels take more rows at once: none
that numpy's BLAS has takes more than 16. To score 16 rows for one costs most models nothing."""

EXACT = (
    "sklearn.tree.", "sklearn.ensemble.", "sklearn.preprocessing.", "sklearn.impute._base", "sklearn.compose.",
    "sklearn.pipeline", "sklearn.model_selection.", "sklearn.feature_selection.", "sklearn.feature_extraction.",
    "sklearn.dummy", "sklearn.isotonic",
)  # fmt: skip
"""Where the estimators live that treat each value, or each row, by itself and do no linear algebra."""


def block_of(estimator: Any, methods: list[str], signature: Signature, X: Any) -> int | None:
    """How many rows to pad a call to, so that a row's answer does not depend on the others; None: it always does.

    X is a sample, which all the methods answer.
    """
    import threadpoolctl

    rows = next(
        varied
        for varied in [*variations(_as_served(signature, X), ROWS), _as_served(signature, X)]
        if not any(probe.refusal(estimator, method, varied) for method in methods)
    )

    def answers(places: list[int]) -> list[Any]:
        results = [probe.call(estimator, method, _at(rows, places)) for method in methods]
        outputs = [output for result in results for output in (result if isinstance(result, list) else [result])]
        return [probe.dense(output) for output in outputs]

    with threadpoolctl.threadpool_limits(1):
        # Words are counted in sparse matrices, which are multiplied row by row; long texts are dear.
        exact = signature.layout == "text" or is_exact(estimator)
        return smallest_block(answers, len(rows), blocks_to_try(answers, exact=exact))


def blocks_to_try(answers: Callable[[list[int]], Sequence[Any]], *, exact: bool) -> Sequence[int]:
    """Which blocks will do if measured to: with a margin for other processors, unless the model is exact or slow."""
    return (1, *MARGIN) if exact else BLOCKS if is_dear(answers, MARGIN[0]) else MARGIN


def _as_served(signature: Signature, X: Any) -> Any:
    """The sample in the form in which the script gives rows to the model."""
    import numpy as np

    if signature.layout == "array":
        return X.to_numpy(dtype="float64", na_value=np.nan) if hasattr(X, "columns") else np.asarray(X, dtype="float64")
    return X.to_numpy() if hasattr(X, "columns") and not signature.dataframe else X


def _at(rows: Any, places: list[int]) -> Any:
    """A DataFrame is made of columns, as the script makes it: how it lies in memory can change the last digits."""
    if not hasattr(rows, "columns"):
        return rows[places]
    import pandas as pd

    return pd.DataFrame({name: rows[name].take(places).reset_index(drop=True) for name in rows})


def is_exact(estimator: Any) -> bool:
    """Whether the estimator and its parts do no linear algebra."""
    return all(
        type(part).__module__.startswith(EXACT)
        if hasattr(part, "get_params") and not isinstance(part, type)
        else part.__module__.startswith(("numpy", "sklearn."))
        for part in parts(estimator)
    )
