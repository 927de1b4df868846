"""Whether requests would be scored now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped
from scorewright.errors import ServiceError

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Endpoint


def look(endpoint: Endpoint) -> Outcome:
    if endpoint.silent or isinstance(endpoint.first, ServiceError):
        return skipped("the service cannot be reached")
    healthy, ready = endpoint.first, endpoint.ask("GET", "/readyz")
    if healthy.status == 503 or ready.status == 503:
        alive = endpoint.ask("GET", "/livez").status == 200
        return failed(
            f"GET / is answered {healthy.status}, /readyz {ready.status}: requests are not scored"
            + (", though the service runs" if alive else ""),
            "init() has not ended yet, or fails, or no scorer can be started: the service's log says which.",
        )
    if healthy.status != 200:
        return failed(
            f"GET / is answered {healthy.status}",
            "Is this the service's own address, without a path that a gateway does not pass on?",
        )
    if ready.status != 200:
        return ok(f"GET / is answered 200; /readyz {ready.status}, as by servers that have none")
    return ok(f"GET / and /readyz are answered 200{_scorers(ready.body)}")


def _scorers(body: bytes) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    count = next((value for value in told.values() if type(value) is int), None) if isinstance(told, dict) else None
    return "" if count is None else f", {count} scorer{'' if count == 1 else 's'}"


CHECK: Check[Endpoint] = Check("ready", "whether requests would be scored now", look)
