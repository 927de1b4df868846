"""The chain of time-outs where the bundle is going to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor import timeouts
from scorewright.doctor.finding import Check, Outcome

if TYPE_CHECKING:
    from scorewright.doctor.bundle.patient import Patient


def look(patient: Patient) -> Outcome:
    return timeouts.judge(patient.wanted)


CHECK: Check[Patient] = Check(timeouts.CHECK.name, timeouts.CHECK.looks_at, look)
