"""Whether a converted model answers as the model itself does, and by how much not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.bundle import MethodParity
from scorewright.difference import RELATIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Answers = dict[str, Any]
    """One array a method (Keras: an output), its first dimension the row."""

WORST = float("inf")
LOOSEST = 1e-4
"""A model that differs from itself by more than this is no measure of another."""


def same(parity: MethodParity) -> bool:
    """Whether the answers are equal: every label, and every number within 1e-5 relative.

    Networks sum float32 in another order for one row than for many, and then differ from themselves by as much: no
    more can be asked of a conversion.
    """
    return not parity.labels and parity.relative <= max(RELATIVE, min(parity.itself, LOOSEST))


def compared(expected: Any, found: Any) -> MethodParity:
    """The differences between two arrays of the same shape: NaN and infinities must stand in the same places."""
    import numpy as np

    rows = len(expected)
    if expected.dtype.kind != "f":
        other = (expected != found).reshape(rows, -1).any(axis=1)
        return MethodParity(rows=rows, labels=int(other.sum()), absolute=0.0, relative=0.0)
    a, b = expected.astype("float64"), found.astype("float64")
    finite = np.isfinite(a)
    if not ((finite == np.isfinite(b)).all() and _named(a[~finite]) == _named(b[~finite])):
        return MethodParity(rows=rows, labels=0, absolute=WORST, relative=WORST)
    a, b = np.where(finite, a, 0.0), np.where(finite, b, 0.0)
    apart = np.abs(a - b)
    largest = 1.0 if are_probabilities(a) else np.abs(a).max(axis=0)
    # A column of differences that should be 0 has no scale: what is less than 1e-12 is rounding.
    scale = np.maximum(np.abs(a), np.maximum(largest / 10, 1e-12 / RELATIVE))
    return MethodParity(rows=rows, labels=0, absolute=float(apart.max()), relative=float((apart / scale).max()))


def are_probabilities(answer: Any) -> bool:
    """Whether each row has numbers from 0 to 1, one a class, that sum up to 1."""
    import numpy as np

    several = answer.ndim == 2 and answer.shape[1] > 1 and answer.dtype.kind == "f"
    return several and bool((answer >= 0).all() and np.allclose(answer.sum(axis=1), 1, atol=1e-3))


def summed(several: Sequence[MethodParity]) -> MethodParity:
    """The differences of several comparisons as those of one."""
    return MethodParity(
        rows=sum(one.rows for one in several),
        labels=sum(one.labels for one in several),
        absolute=max(one.absolute for one in several),
        relative=max(one.relative for one in several),
        itself=max(one.itself for one in several),
    )


def told(name: str, parity: MethodParity) -> str:
    """What was measured of a method, in words."""
    if parity.labels:
        return f"{name} gives another label to {parity.labels} of {parity.rows} rows"
    if parity.relative == WORST:
        return f"{name} answers a number where the model answers NaN or an infinity, or the reverse"
    if not parity.absolute:
        return f"{name} answers {parity.rows} rows alike"
    words = f"{name} differs by up to {parity.relative:.1g} relative ({parity.absolute:.1g} absolute)"
    if parity.relative > RELATIVE and parity.itself:
        words += f", the model alone and in company by {parity.itself:.1g},"
    return f"{words} in {parity.rows} rows"


def answered(ask: Callable[[Any], Answers], rows: Any) -> tuple[Any, Answers | None, int]:
    """The rows that the model answers, its answers, and how many rows it refuses.

    A model refuses a whole batch for one row of it, so batches are halved until the row is found.
    """
    try:
        return rows, ask(rows), 0
    except Exception:  # whatever the framework raises, it does not answer
        if len(first(rows)) == 1:
            return None, None, 1
    half = len(first(rows)) // 2
    parts = [answered(ask, part) for part in (taken(rows, slice(half)), taken(rows, slice(half, None)))]
    refused = sum(count for _, _, count in parts)
    kept = [(some, answers) for some, answers, _ in parts if answers is not None]
    if not kept:
        return None, None, refused
    return joined([some for some, _ in kept]), joined([answers for _, answers in kept]), refused


def first(rows: Any) -> Any:
    """Something with as many items as there are rows: tensors come as a dict of them."""
    return next(iter(rows.values())) if isinstance(rows, dict) else rows


def taken(rows: Any, part: slice) -> Any:
    """Some of the rows: of a table, a list, an array, or of each array of a dict."""
    if isinstance(rows, dict):
        return {name: taken(array, part) for name, array in rows.items()}
    return rows.iloc[part] if hasattr(rows, "iloc") else rows[part]


def joined(parts: list[Any]) -> Any:
    """Parts of rows or answers as one."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], dict):
        return {name: joined([part[name] for part in parts]) for name in parts[0]}
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    import numpy as np

    return np.concatenate(parts)


def _named(values: Any) -> list[str]:
    return [str(value) for value in values.tolist()]
