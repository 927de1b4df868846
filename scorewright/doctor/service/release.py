"""Which server it is, and of which release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright import __version__
from scorewright.doctor.finding import Check, Outcome, ok, skipped, warning
from scorewright.errors import ServiceError

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Endpoint


def look(endpoint: Endpoint) -> Outcome:
    if isinstance(endpoint.first, ServiceError):
        return skipped("the service cannot be reached")
    told = endpoint.first.headers.get("x-ms-server-version", "")
    name, _, release = told.partition("/")
    if name != "scorewright":
        return skipped(f"it says {told[:80]!r}" if told else "it does not say what it is")
    if release != __version__:
        return warning(
            f"it is scorewright {release}, this command {__version__}",
            "Build and deploy the image again, or ask with the release that it has.",
        )
    return ok(told)


CHECK: Check[Endpoint] = Check("version", "which server it is, and of which release", look)
