"""Whether the image says at which port it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok, warning

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


PORT = "5001/tcp"


def look(picture: Picture) -> Outcome:
    exposed = sorted(picture.config.get("ExposedPorts") or {})
    if PORT not in exposed:
        return warning(
            f"it exposes {', '.join(exposed) or 'no port'}, targets ask 5001",
            "Build it with `scorewright build`, or add EXPOSE 5001 to its Dockerfile.",
        )
    return ok(f"it exposes {', '.join(exposed)}")


CHECK: Check[Picture] = Check("port", "that it exposes port 5001", look)
