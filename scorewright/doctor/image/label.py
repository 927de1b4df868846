"""Whether the image says which bundle is in it, and it is the one that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, warning

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


DIGEST = "io.scorewright.bundle.sha256"


def look(picture: Picture) -> Outcome:
    labels = picture.config.get("Labels") or {}
    digest = str(labels.get(DIGEST) or "")
    if not digest:
        return warning(
            "it does not say which bundle is in it: nothing can be checked before it is deployed",
            "Build it with `scorewright build`.",
        )
    said = f"{labels.get('io.scorewright.bundle.name')}:{labels.get('io.scorewright.bundle.version')}, {digest[:12]}"
    if picture.bundle is not None and picture.bundle.digest != digest:
        return failed(
            f"in it is {said}; the bundle {picture.bundle.root} is {picture.bundle.digest[:12]}",
            f"Build it again: scorewright build {picture.bundle.root} -t {picture.name}",
        )
    return ok(said + (", as the bundle" if picture.bundle else ""))


CHECK: Check[Picture] = Check("label", "which bundle is in it, against --bundle", look)
