"""Whether the base image is recent enough to have its distribution's security fixes."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok, skipped, warning

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


OLD = 90
"""Days after which a base image has been rebuilt several times."""


def look(picture: Picture) -> Outcome:
    # The oldest layer is the base image's. Reproducible builds date theirs 1970, or not at all.
    created = int(picture.layers[-1].get("Created") or 0) if picture.layers else 0
    if created < datetime(2014, 1, 1).timestamp():
        return skipped("its base image does not say when it was made")
    days = (time.time() - created) / 86400
    said = f"its base image was made {days:.0f} days ago"
    if days > OLD:
        return warning(said, "Pull the base image again (docker pull), and build with it: it has fixes since.")
    return ok(said)


CHECK: Check[Picture] = Check("age", "when its base image was made", look)
