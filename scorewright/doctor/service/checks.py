"""All checks of a running service, in the order in which they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.service import guarded, probe_time, reachable, ready, release, routes, sample, time_outs, tls

if TYPE_CHECKING:
    from scorewright.doctor.finding import Check
    from scorewright.doctor.service.endpoint import Endpoint

CHECKS: tuple[Check[Endpoint], ...] = (
    reachable.CHECK,
    tls.CHECK,
    guarded.CHECK,
    ready.CHECK,
    release.CHECK,
    routes.CHECK,
    probe_time.CHECK,
    time_outs.CHECK,
    sample.CHECK,
)
