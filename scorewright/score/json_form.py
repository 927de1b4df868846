"""Values as the generated scripts write them into their answers."""

from __future__ import annotations

import math
from typing import Any


def json_form(value: Any) -> Any:
    """Nested lists as the generated scripts answer them: NaN null, infinities by name, dates in ISO form."""
    if isinstance(value, list):
        return [json_form(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
