"""An image as a Docker engine describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from scorewright.docker_engine import connect
from scorewright.errors import DockerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scorewright.bundle import Bundle

PATIENCE = 30
"""Seconds that the engine has to answer."""


@dataclass(frozen=True)
class Picture:
    """What the engine says of an image: `docker inspect`, and its layers, the oldest last."""

    name: str
    facts: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]] = field(default=())
    bundle: Bundle | None = None
    """The bundle that should be in it."""

    @classmethod
    def of(cls, name: str, bundle: Bundle | None = None) -> Self:
        """Raises DockerError if no engine answers or it has no such image, UsageError for what is no image's name."""
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._:/@-]*", name):
            raise UsageError(
                f"There is no folder {name}, and it cannot be an image's name.",
                hint="Name a service's URL, a bundle's folder, NAME:VERSION in the registry, or an image.",
            )
        with connect(PATIENCE) as client:
            from docker.errors import ImageNotFound

            try:
                image = client.images.get(name)
            except ImageNotFound:
                raise DockerError(
                    f"{name} is no bundle's folder, no registered model, and no image that the Docker engine has.",
                    hint=f"scorewright build makes one of a bundle; docker pull {name} fetches one that is elsewhere.",
                ) from None
            return cls(name, image.attrs, image.history(), bundle)

    @property
    def config(self) -> Mapping[str, Any]:
        """What a container of it would be started with."""
        found = self.facts.get("Config") or {}
        assert isinstance(found, dict)  # noqa: S101
        return found
