"""Many plausible rows out of the few of a sample: its values in new company, numbers moved a little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SEED = 20261121
MOST_WORDS = 8


def variations(X: Any, count: int) -> list[Any]:
    """`count` rows like those of X, from the boldest to the mildest: not every model takes the bold ones.

    X  a DataFrame, an array of rows (numbers or objects, any number of dimensions), or an array of texts
    """
    import numpy as np

    if hasattr(X, "columns"):
        return [_frame(X, count, moved, np.random.default_rng(SEED)) for moved in (_moved, _scaled, _kept)]
    if X.ndim == 1 and X.dtype.kind == "O":
        return [_texts(X, count, np.random.default_rng(SEED)), X[np.arange(count) % len(X)]]
    return [_array(X, count, moved, np.random.default_rng(SEED)) for moved in (_moved, _scaled, _kept)]


def _frame(X: Any, count: int, moved: Any, chance: np.random.Generator) -> Any:
    import pandas as pd

    columns = {}
    for name in X:
        column = X[name].iloc[chance.integers(0, len(X), count)].reset_index(drop=True)
        plain = getattr(column.dtype, "kind", "O") == "f" and not hasattr(column.dtype, "numpy_dtype")
        columns[name] = pd.Series(moved(column.to_numpy(), chance)) if plain else column
    return pd.DataFrame(columns)


def _array(X: Any, count: int, moved: Any, chance: np.random.Generator) -> Any:
    """Each place of a row is drawn from that place of the sample's rows."""
    import numpy as np

    flat = X.reshape(len(X), -1)
    drawn = flat[chance.integers(0, len(X), (count, flat.shape[1])), np.arange(flat.shape[1])]
    return (moved(drawn, chance) if X.dtype.kind == "f" else drawn).reshape(count, *X.shape[1:])


def _texts(X: Any, count: int, chance: np.random.Generator) -> Any:
    import numpy as np

    words = sorted({word for text in X for word in text.split()}) or [""]
    drawn = [" ".join(chance.choice(words, chance.integers(1, MOST_WORDS + 1))) for _ in range(count)]
    return np.array(drawn, dtype=object)


def _moved(values: Any, chance: np.random.Generator) -> Any:
    """Also from 0, which scaling would not move."""
    import numpy as np

    spread = float(np.nanstd(values)) if not np.isnan(values).all() else 0.0
    return _scaled(values, chance) + (0.1 * (spread or 1.0) * chance.normal(size=values.shape)).astype(values.dtype)


def _scaled(values: Any, chance: np.random.Generator) -> Any:
    """By up to a quarter: signs stay, for models that take no negative numbers."""
    return values * chance.uniform(0.8, 1.25, values.shape).astype(values.dtype)


def _kept(values: Any, chance: np.random.Generator) -> Any:  # noqa: ARG001
    return values
