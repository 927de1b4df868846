"""Whether Docker can tell that the service in the image is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok, warning

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


def look(picture: Picture) -> Outcome:
    check = picture.config.get("Healthcheck") or {}
    if not check.get("Test") or check["Test"] == ["NONE"]:
        return warning(
            "it has no HEALTHCHECK: Docker restarts and routes as if it were always well",
            "Build it with `scorewright build`, whose Dockerfile has one.",
        )
    every, start = check.get("Interval", 30e9) / 1e9, check.get("StartPeriod", 0) / 1e9
    return ok(f"asked every {every:g} s, from {start:g} s after its start at the latest")


CHECK: Check[Picture] = Check("health", "that it has a HEALTHCHECK", look)
