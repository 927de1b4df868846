"""How the requests are divided between blue and green."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from scorewright.deploy.aks_place import SLOTS
from scorewright.deploy.shares import HINT, require_whole
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def complete(weights: Mapping[str, int]) -> dict[str, int]:
    """The percentages of all slots: one that is not named gets none.

    Raises UsageError for a slot that there is not, and unless they are 100 together.
    """
    if unknown := [slot for slot in weights if slot not in SLOTS]:
        raise UsageError(f"There is no slot {unknown[0]}: blue and green divide the requests.", hint=HINT)
    require_whole(weights)
    return {slot: weights.get(slot, 0) for slot in SLOTS}


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
