"""The chain of time-outs before this service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor import timeouts
from scorewright.doctor.finding import Check, Outcome

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Endpoint


def look(endpoint: Endpoint) -> Outcome:
    return timeouts.judge(endpoint.wanted)


CHECK: Check[Endpoint] = Check(timeouts.CHECK.name, timeouts.CHECK.looks_at, look)
