"""Whether this Python is one that Scorewright runs on."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, warning

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted

OLDEST, NEWEST = (3, 11), (3, 13)


def look(_: Wanted) -> Outcome:
    here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return failed(f"{here}; Scorewright runs on 3.11 to 3.13", "Make an environment with one of these.")
    if platform.system() != "Linux":
        return warning(
            f"{here}; the service is made for Linux", "Build an image and run it: scorewright build, deploy local."
        )
    return ok(here)


CHECK: Check[Wanted] = Check("python", "this Python's release and system", look)
