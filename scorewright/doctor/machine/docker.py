"""Whether a Docker engine answers, for `build`, `deploy local` and images."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from scorewright.docker_engine import connect
from scorewright.doctor.finding import Check, Outcome, ok, skipped, warning
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted

PATIENCE = 5
"""Seconds that the engine has to answer."""


def look(_: Wanted) -> Outcome:
    if find_spec("docker") is None:
        return skipped(
            "the Docker SDK is not installed; images cannot be built here", "pip install 'scorewright[docker]'"
        )
    try:
        with connect(PATIENCE) as client:
            told = client.version()
    except DockerError as error:
        return warning(f"{error.message} Images cannot be built or run here.", error.hint)
    said = f"engine {told['Version']} for {told['Os']}/{told['Arch']}"
    if (told["Os"], told["Arch"]) != ("linux", "amd64"):
        return warning(f"{said}; Azure's machines are linux/amd64", "Build with `docker build --platform linux/amd64`.")
    return ok(said)


CHECK: Check[Wanted] = Check("docker", "the Docker engine", look)
