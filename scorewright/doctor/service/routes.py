"""Whether the routes that clients and tools ask are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped, warning

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Endpoint

ROUTES = {"/v2": "the Open Inference Protocol", "/swagger.json": "the description that Azure's tools read"}


def look(endpoint: Endpoint) -> Outcome:
    if endpoint.silent:
        return endpoint.silent
    found = {path: endpoint.ask("GET", path, key=endpoint.key).status for path in ROUTES}
    said = ", ".join(f"{path} {status}" for path, status in found.items())
    if broken := [path for path, status in found.items() if status >= 500]:
        return failed(f"{said}: {ROUTES[broken[0]]} fails", "The service's log says why.")
    if locked := [path for path, status in found.items() if status in (401, 403)]:
        if endpoint.key is None:
            return skipped(f"{said}: {locked[0]} asks for a key", "Give it by $SCOREWRIGHT_KEY or --key-file.")
        return failed(f"{said}: the key is refused", "Is it a key of this service, and not replaced since?")
    if found["/swagger.json"] != 200:
        return warning(f"{said}: there is no description", "Azure's tools will not show how it is asked.")
    return ok(said + ("" if found["/v2"] == 200 else ": an entry script has no Open Inference Protocol"))


CHECK: Check[Endpoint] = Check("routes", "the answers of /v2 and /swagger.json", look)
