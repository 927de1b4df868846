"""Requests as they come under load: of several sizes and methods, none like the other, and some of them bad."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorewright.bundle import Signature

SIZES = (1, 1, 2, 1, 3, 1, 5, 1, 17, 1, 2, 1, 33, 1)
SEED = 20261121

BAD_REQUEST = '{"data": {"scorewright": []}}'
"""A request no model takes: run_many must refuse it without spoiling its neighbours."""


def mixed_requests(signature: Signature, data: Any) -> list[str]:
    """Requests made of the sample's rows, their numbers changed a little; every fourth is bad.

    data  "data" of the sample request. Not every model takes every changed number: some may be refused.
    """
    chance = random.Random(SEED)  # noqa: S311  # no secret: a trial that can be repeated
    methods = sorted(signature.methods)
    rows = _rows(data, several=len(signature.inputs) > 1 and signature.layout == "tensors")
    requests = []
    for number, size in enumerate(SIZES):
        chosen = [_changed(row, chance) for row in chance.choices(rows, k=size)]
        requests.append(json.dumps({"data": chosen, "method": methods[number % len(methods)]}))
        if number % 3 == 2:
            requests.append(BAD_REQUEST)
    return requests


def _rows(data: Any, *, several: bool) -> list[Any]:
    """The sample row by row; of a model with several inputs, as one object a row."""
    if not several:
        return list(data)
    return [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]


def _changed(value: Any, chance: random.Random) -> Any:
    """Fractions only: whole numbers may be indices or categories."""
    if isinstance(value, dict):
        return {key: _changed(item, chance) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, chance) for item in value]
    return value * chance.uniform(0.8, 1.25) if isinstance(value, float) else value
