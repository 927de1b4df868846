"""All checks of a bundle, in the order in which they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.bundle import memory, start, time_outs, versions, whole

if TYPE_CHECKING:
    from scorewright.doctor.bundle.patient import Patient
    from scorewright.doctor.finding import Check

CHECKS: tuple[Check[Patient], ...] = (whole.CHECK, versions.CHECK, start.CHECK, memory.CHECK, time_outs.CHECK)
