"""Whether two answers are the same, and where they first differ."""

from __future__ import annotations

import math
from typing import Any

RELATIVE = 1e-5
ABSOLUTE = 1e-6
"""A batch of another size may be summed in another order: float32 answers then differ in their last digits."""


def difference(expected: Any, found: Any, where: str = "$") -> str:
    """An empty string if the answers are equal (numbers within 1e-5 relative), else the first place that is not."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            return f"{where} has the keys {sorted(found)}, expected {sorted(expected)}"
        pairs = ((f"{where}.{key}", expected[key], found[key]) for key in expected)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{where} has {len(found)} items, expected {len(expected)}"
        pairs = (
            (f"{where}[{place}]", one, other) for place, (one, other) in enumerate(zip(expected, found, strict=True))
        )
    else:
        return "" if _equal(expected, found) else f"{where} is {found!r}, expected {expected!r}"
    return next((words for at, one, other in pairs if (words := difference(one, other, at))), "")


def _equal(expected: Any, found: Any) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int) and isinstance(found, int):
        return expected == found  # a label: 100001 is not nearly 100000
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return math.isclose(expected, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(expected == found)
