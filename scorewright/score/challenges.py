"""Rows like those of a sample, made to find out where two implementations of a model answer differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.score.columns import is_gap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorewright.bundle import Signature, TensorSpec

SEED = 20_261_121
MOST_VALUES = 4_000_000
"""How many values the rows of a wide table hold together at most; a narrow one has ROWS."""

ROWS = 4_000
FEWEST = 200
PAIRS = 128
HALVINGS = 20
"""How often the way between two rows is halved: what is left of it is a millionth."""

NUMBERS = ("float64", "float32", "int64")
ODD_TEXTS = ("", " ", "scorewright", "Ärger & Söhne", "N/A", "0", "x" * 300)
ODD_WORDS = ("a", "I", "it's", "e-mail", "snake_case", "naïve", "ÄRGER", "3", "3.14", "C++", "日本語", "x.y", "--")


def of_table(
    signature: Signature, X: Any, thresholds: Sequence[Sequence[float]], none_columns: Sequence[str]
) -> list[Any]:
    """Tables of rows like those of X, of its kind (array or DataFrame), each made in its own way.

    Rows near the sample's, its values mixed anew, the whole range and beyond, the `thresholds` of each column, and
    gaps where the signature allows them.
    """
    import numpy as np

    random = np.random.default_rng(SEED)
    specs = _columns_of(signature, X)
    count = max(FEWEST, min(ROWS, MOST_VALUES // len(specs)))
    columns = [_values(X, place) for place in range(len(specs))]
    ways = {"near": 0.35, "mixed": 0.25, "range": 0.2, "far": 0.08, "edges": 0.12}
    blocks = [
        [
            _column(random, way, int(count * share), spec, values, edges)
            for spec, values, edges in zip(specs, columns, thresholds, strict=True)
        ]
        for way, share in ways.items()
    ]
    if any(spec.missing for spec in specs):
        gappy = [
            _column(random, "mixed", count // 8, spec, values, ()) for spec, values in zip(specs, columns, strict=True)
        ]
        for spec, values in zip(specs, gappy, strict=True):
            if spec.missing:
                values[random.random(len(values)) < 0.25] = None if spec.name in none_columns else np.nan
        blocks.append(gappy)
    return [_table(X, specs, block) for block in blocks]


def between(signature: Signature, X: Any, answer: Callable[[Any], Any]) -> Any:
    """Rows of X's kind on both sides of where `answer` changes on the way from one row to another.

    A tree's thresholds and a classifier's borders are found without knowing them.
    """
    import numpy as np

    random = np.random.default_rng(SEED)
    specs = _columns_of(signature, X)
    moving = [place for place, spec in enumerate(specs) if spec.dtype in ("float64", "float32")]
    columns = [_values(X, place) for place in range(len(specs))]
    starts = [_column(random, "mixed", PAIRS, spec, values, ()) for spec, values in zip(specs, columns, strict=True)]
    ends = list(starts)
    for place in moving:
        ends[place] = _column(random, "range", PAIRS, specs[place], columns[place], ())
    first = answer(_table(X, specs, starts))
    for _ in range(HALVINGS):
        middle = [(a + b) / 2 if place in moving else a for place, (a, b) in enumerate(zip(starts, ends, strict=True))]
        same = _rows_equal(first, answer(_table(X, specs, middle)))
        for place in moving:
            starts[place] = np.where(same, middle[place], starts[place])
            ends[place] = np.where(same, ends[place], middle[place])
    both = [np.concatenate([a, b]) for a, b in zip(starts, ends, strict=True)]
    return _table(X, specs, both)


def of_texts(texts: Sequence[str], words: Sequence[str]) -> list[str]:
    """Texts made of the sample's words and of `words`, and of what tokenisers treat in ways of their own."""
    import numpy as np

    random = np.random.default_rng(SEED)
    known = sorted({word for text in texts for word in text.split()} | set(words)) or ["word"]
    pool = np.array([*known, *ODD_WORDS], dtype=object)
    weights = np.array([4.0] * len(known) + [len(known) / len(ODD_WORDS)] * len(ODD_WORDS))
    made = list(ODD_TEXTS)
    for _ in range(ROWS // 2):
        chosen = random.choice(pool, size=random.integers(1, 12), p=weights / weights.sum())
        text = random.choice([" ", " ", " ", ", ", "  ", "-", "\n"]).join(chosen)
        made.append((str, str.upper, str.title)[random.integers(0, 3)](text))
    return made


def of_tensors(inputs: Sequence[TensorSpec], arrays: dict[str, Any]) -> list[dict[str, Any]]:
    """Named tensors like those of the sample: near it, over its range, at its ends, and of other sizes where free."""
    import numpy as np

    random = np.random.default_rng(SEED)
    values = sum(int(np.prod(array.shape[1:])) for array in arrays.values())
    count = max(64, min(ROWS // 4, MOST_VALUES // 2 // max(values, 1)))
    made = []
    for way, share in {"near": 0.4, "range": 0.4, "far": 0.1, "edges": 0.1}.items():
        rows = max(4, int(count * share))
        chosen = random.integers(0, len(next(iter(arrays.values()))), rows)
        made.append({spec.name: _tensor(random, way, arrays[spec.name], chosen, None) for spec in inputs})
    if any(None in spec.shape[1:] for spec in inputs):
        for size in (1, 2, 5, 17):
            chosen = random.integers(0, len(next(iter(arrays.values()))), 8)
            made.append(
                {
                    spec.name: _tensor(
                        random, "range", arrays[spec.name], chosen, tuple(want or size for want in spec.shape[1:])
                    )
                    for spec in inputs
                }
            )
    return made


def _tensor(random: Any, way: str, array: Any, chosen: Any, shape: tuple[int, ...] | None) -> Any:
    import numpy as np

    size = (len(chosen), *(shape or array.shape[1:]))
    if array.dtype.kind == "b":
        return random.random(size) < 0.5
    if array.dtype.kind == "O":
        return random.choice(np.array([*map(str, np.ravel(array)), *ODD_WORDS], dtype=object), size)
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind in "iu":
        return random.integers(int(low), max(int(high), int(low) + 1), size, endpoint=True).astype(array.dtype)
    spread = (high - low) or abs(high) or 1.0
    if way == "near" and shape is None:
        made = array[chosen] + random.normal(0, 0.05 * spread, size)
    elif way == "far":
        made = random.normal((low + high) / 2, 2 * spread, size)
    elif way == "edges":
        made = random.choice([0.0, low, high, (low + high) / 2], size)
    else:
        made = random.uniform(low, high, size)
    return made.astype(array.dtype)


def _columns_of(signature: Signature, X: Any) -> list[TensorSpec]:
    """One TensorSpec a column, also where the signature has one for all of them."""
    if signature.layout == "columns":
        return list(signature.inputs)
    return [signature.inputs[0].model_copy(update={"shape": (None,)})] * X.shape[1]


def _values(X: Any, place: int) -> list[Any]:
    """A column's values that are not gaps."""
    column = X.iloc[:, place] if hasattr(X, "iloc") else X[:, place]
    return [value for value in column.tolist() if not is_gap(value)]


def _column(random: Any, way: str, count: int, spec: TensorSpec, values: list[Any], thresholds: Sequence[float]) -> Any:
    import numpy as np

    if spec.dtype == "bool":
        return random.random(count) < 0.5
    if spec.dtype not in NUMBERS or spec.categories is not None:
        pool = [*values, *(spec.categories or ODD_TEXTS)]
        return np.array([pool[place] for place in random.integers(0, len(pool), count)], dtype=object)
    made = _numbers(random, way, count, np.array(values or [0.0], dtype="float64"), thresholds)
    return np.rint(made).clip(-(2**31), 2**31) if spec.dtype == "int64" else made


def _numbers(random: Any, way: str, count: int, values: Any, thresholds: Sequence[float]) -> Any:
    import numpy as np

    chosen = random.choice(values, count)
    low, high = values.min(), values.max()
    spread = (high - low) or abs(high) or 1.0
    if way == "near":
        near = chosen * (1 + random.normal(0, 0.02, count)) + random.normal(0, 0.02 * spread, count)
        return np.where(random.random(count) < 0.5, near, near.round(2))
    if way == "range":
        return random.uniform(low - spread / 2, high + spread / 2, count)
    if way == "far":
        return chosen * 10 ** random.uniform(-3, 4, count) * random.choice([-1, 1], count)
    if way == "edges" and len(thresholds):
        edge = random.choice(thresholds, count)
        # A request's number is a short decimal; a tree's threshold often is what float32 makes of it.
        return np.where(random.random(count) < 0.5, edge, [float(f"{value:.7g}") for value in edge])
    if way == "edges":
        return random.choice([0.0, low, high, round(float(high), 1)], count)
    return chosen


def _table(X: Any, specs: list[TensorSpec], columns: list[Any]) -> Any:
    """Columns as a table of X's kind and types."""
    import numpy as np

    if not hasattr(X, "iloc"):
        return np.array([list(values) for values in columns], dtype=X.dtype).T
    import pandas as pd

    made = {}
    for place, (spec, values) in enumerate(zip(specs, columns, strict=True)):
        kind: Any = spec.dtype if spec.dtype in ("float64", "float32") else X.dtypes.iloc[place]
        made[X.columns[place]] = pd.Series(values).astype(kind)
    return pd.DataFrame(made)


def _rows_equal(first: Any, second: Any) -> Any:
    """For each row, whether two answers are the same, NaN equal to NaN."""
    equal = (first == second) | ((first != first) & (second != second))  # noqa: PLR0124
    return equal.reshape(len(equal), -1).all(axis=1)
