"""Whether a probe is answered well within the time that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, warning
from scorewright.doctor.words import seconds

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Endpoint

PROBES = 5


def look(endpoint: Endpoint) -> Outcome:
    if endpoint.silent:
        return endpoint.silent
    return judge(max(endpoint.ask("GET", "/").seconds for _ in range(PROBES)), endpoint.wanted.probes.timeout)


def judge(slowest: float, timeout: float) -> Outcome:
    """The slowest of a few probes against the time that one has, both in seconds."""
    said = f"the slowest of {PROBES} took {seconds(slowest)}, a probe has {seconds(timeout)}"
    remedy = "Give probes more with --probe-timeout, or the service more CPU: its front must not wait for it."
    if slowest >= timeout:
        return failed(f"{said}: a healthy service would be restarted", remedy)
    return warning(said, remedy) if slowest > timeout / 2 else ok(said)


CHECK: Check[Endpoint] = Check("probes", "how fast GET / is answered, against a probe's time-out", look)
