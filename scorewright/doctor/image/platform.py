"""Whether the image runs on the machines of a cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok, warning

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


def look(picture: Picture) -> Outcome:
    kind = f"{picture.facts.get('Os')}/{picture.facts.get('Architecture')}"
    said = f"{picture.name} is {str(picture.facts.get('Id'))[:19]}, for {kind}"
    if kind != "linux/amd64":
        return warning(f"{said}; Azure runs linux/amd64", "Build it with `docker build --platform linux/amd64`.")
    return ok(said)


CHECK: Check[Picture] = Check("platform", "that the engine has it, and for which machines", look)
