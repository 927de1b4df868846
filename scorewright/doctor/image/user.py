"""Whether what runs in the image is not root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, warning

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


def look(picture: Picture) -> Outcome:
    user = str(picture.config.get("User") or "")
    name = user.partition(":")[0]
    if name in ("", "0", "root"):
        return failed(
            f"it runs as root ({user or 'no user is set'})",
            "Build it with `scorewright build`, or end its Dockerfile with USER 10001:10001.",
        )
    if not name.isdigit():
        return warning(
            f"it runs as {user}, by name",
            "Kubernetes (runAsNonRoot) wants a number: USER 10001:10001 in the Dockerfile.",
        )
    return ok(f"it runs as {user}")


CHECK: Check[Picture] = Check("user", "that it does not run as root", look)
