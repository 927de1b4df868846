"""Whether the service would take the settings in this environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted


def look(wanted: Wanted) -> Outcome:
    if wanted.fault is not None:
        return failed(wanted.fault.message, wanted.fault.hint or "Mend the variable: docs/service.md has every one.")
    return ok("the service takes what this environment tells it")


CHECK: Check[Wanted] = Check("settings", "the service's settings in this environment", look)
