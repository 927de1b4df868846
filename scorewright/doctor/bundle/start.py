"""Whether a scorer gets ready in the time that probes leave it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped, warning
from scorewright.doctor.words import seconds
from scorewright.errors import CheckFailedError

if TYPE_CHECKING:
    from scorewright.doctor.bundle.patient import Patient

SLOWER = 4
"""How many times slower a small machine in a cloud may well be: ACI's default is one vCPU, with a cold disk."""


def look(patient: Patient) -> Outcome:
    started = patient.started
    if isinstance(started, CheckFailedError):
        raise started
    if isinstance(started, str):
        return skipped(started)
    return judge(started.seconds, patient.wanted.probes.start)


def judge(needed: float, given: float) -> Outcome:
    """What a scorer needs to get ready here, and what probes leave it, both in seconds."""
    said = f"a scorer is ready after {seconds(needed)} here; probes leave it {seconds(given)}"
    enough = max(1, round(needed * SLOWER + 0.5))
    remedy = f"Deploy with --timeout {enough}: a slower target would restart it for ever."
    if needed >= given:
        return failed(said, remedy)
    return warning(said, remedy) if needed * SLOWER > given else ok(said)


CHECK: Check[Patient] = Check("start", "how long init() takes, against start-up probes", look)
