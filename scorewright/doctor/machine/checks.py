"""All checks of this machine, in the order in which they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor import timeouts
from scorewright.doctor.machine import azure_login, docker, memory, packages, port, python, settings

if TYPE_CHECKING:
    from scorewright.doctor.finding import Check
    from scorewright.doctor.wanted import Wanted

CHECKS: tuple[Check[Wanted], ...] = (
    python.CHECK,
    packages.CHECK,
    settings.CHECK,
    port.CHECK,
    memory.CHECK,
    timeouts.CHECK,
    docker.CHECK,
    azure_login.CHECK,
)
