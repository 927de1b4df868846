"""Whether an answer is the right one."""

from __future__ import annotations

import json
import math
from typing import Any

RELATIVE = 1e-5
ABSOLUTE = 1e-7
"""Numbers may differ so much: a server may score a row in other company, whose sums are rounded otherwise."""

_SHOWN = 60


def difference(wanted: bytes, found: bytes) -> str:
    """Where an answer's body differs from the wanted one, in words; empty if it does not."""
    if found == wanted:
        return ""
    try:
        parsed = json.loads(found)
    except ValueError:
        return f"the answer is not JSON: {_short(found.decode('utf-8', 'replace'))}"
    return differs(json.loads(wanted), parsed)


def differs(wanted: Any, found: Any, place: str = "the answer") -> str:
    """Where a parsed answer differs from the wanted one, in words; empty if it does not."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if wanted.keys() != found.keys():
            return f"{place} has the keys {_short(', '.join(found))}, not {_short(', '.join(wanted))}"
        named = ((wanted[key], found[key], key if place == "the answer" else f"{place}.{key}") for key in wanted)
        return next((words for one, other, at in named if (words := differs(one, other, at))), "")
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"{place} has {len(found)} items, not {len(wanted)}"
        items = ((one, other, f"{place}[{at}]") for at, (one, other) in enumerate(zip(wanted, found, strict=True)))
        return next((words for one, other, at in items if (words := differs(one, other, at))), "")
    if _equal(wanted, found):
        return ""
    return f"{place} is {_short(json.dumps(found))}, not {_short(json.dumps(wanted))}"


def joined(answers: list[Any]) -> Any:
    """The answer to all rows at once, from the answers to each alone; None if they cannot be put together."""
    first = answers[0]
    if isinstance(first, dict) and all(isinstance(one, dict) and one.keys() == first.keys() for one in answers):
        together = {key: joined([one[key] for one in answers]) for key in first}
        return None if None in together.values() else together
    if all(isinstance(one, list) for one in answers):
        return [item for one in answers for item in one]
    return None


def _equal(wanted: Any, found: Any) -> bool:
    numbers = (int, float)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, int) and isinstance(found, int):
        return wanted == found  # labels and indices, in which the last digit counts as much as the first
    if isinstance(wanted, numbers) and isinstance(found, numbers):
        if math.isnan(wanted) and math.isnan(found):
            return True
        return math.isclose(wanted, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(wanted == found)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
