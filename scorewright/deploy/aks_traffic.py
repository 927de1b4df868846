"""How the requests are divided between blue and green."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from scorewright.deploy.aks_place import SLOTS
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def parse(words: Sequence[str]) -> dict[str, int]:
    """Percentages by slot, from words like blue=90; a slot that is not named gets none.

    Raises UsageError unless they sum to 100, and for a slot that is named twice.
    """
    weights: dict[str, int] = dict.fromkeys(SLOTS, 0)
    named: set[str] = set()
    for word in words:
        slot, equals, share = word.partition("=")
        if slot in named:
            raise UsageError(f"{slot} is named twice.", hint="Write each one once: blue=90 green=10.")
        named.add(slot)
        share = share.removesuffix("%")
        if slot not in weights or not equals or not share.isdecimal():
            raise UsageError(f"{word!r} is no share of the requests.", hint="Write it like blue=90 green=10.")
        weights[slot] = int(share)
    if sum(weights.values()) != 100:
        raise UsageError(
            f"The shares sum to {sum(weights.values())}, not to 100.", hint="Write it like blue=90 green=10."
        )
    return weights


def of_route(route: Mapping[str, Any], name: str) -> dict[str, int]:
    """The weights that an HTTPRoute has, by slot; empty for one that divides nothing."""
    shares = route["spec"]["rules"][-1]["backendRefs"]
    known = {f"{name}-{slot}": str(slot) for slot in SLOTS}
    return {known[one["name"]]: int(one.get("weight", 1)) for one in shares if one["name"] in known}


def weighted(route: Mapping[str, Any], name: str, weights: Mapping[str, int]) -> dict[str, Any]:
    """The JSON patch that gives a route other weights, and nothing else."""
    rule = len(route["spec"]["rules"]) - 1
    shares = cast("list[dict[str, Any]]", route["spec"]["rules"][rule]["backendRefs"])
    slots = {f"{name}-{slot}": share for slot, share in weights.items()}
    value = [{**share, "weight": slots.get(share["name"], 0)} for share in shares]
    return {"op": "replace", "path": f"/spec/rules/{rule}/backendRefs", "value": value}
