"""Whether the service answers at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok
from scorewright.doctor.words import seconds
from scorewright.errors import ServiceError

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Endpoint


def look(endpoint: Endpoint) -> Outcome:
    if isinstance(endpoint.first, ServiceError):
        raise endpoint.first
    return ok(f"{endpoint.place} answers in {seconds(endpoint.first.seconds)}")


CHECK: Check[Endpoint] = Check("reachable", "whether the service answers at all", look)
