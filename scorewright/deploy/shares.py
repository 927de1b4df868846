"""How a person writes who gets how many of the requests, the same for every target."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HINT = "Write it like blue=90 green=10."


def read_shares(words: Iterable[str]) -> dict[str, int]:
    """Percentages by deployment, from words like blue=90 or blue=90%.

    Raises UsageError for what is not of that form, and for a deployment that is named twice.
    """
    found: dict[str, int] = {}
    for word in words:
        parts = re.fullmatch(r"([a-zA-Z][-a-zA-Z0-9]*)=([0-9]{1,3})%?", word)
        if parts is None or int(parts[2]) > 100:
            raise UsageError(f"{word!r} is no share of the requests.", hint=HINT)
        if parts[1] in found:
            raise UsageError(f"{parts[1]} is named twice.", hint=HINT)
        found[parts[1]] = int(parts[2])
    return found


def require_whole(shares: Mapping[str, int], *, or_none: bool = False) -> None:
    """Raises UsageError unless the shares are 100 together, or, if `or_none`, 0: an endpoint that answers nobody."""
    total = sum(shares.values())
    if min(shares.values(), default=0) < 0 or total not in ((0, 100) if or_none else (100,)):
        said = " + ".join(map(str, shares.values())) or "none"
        raise UsageError(
            f"The shares are {total} together ({said}); they must be 100{' or 0' if or_none else ''}.", hint=HINT
        )
