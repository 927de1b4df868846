"""What a registry knows of an image."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # a dataclass's field
from dataclasses import dataclass, field

from scorewright.deploy.image_name import ImageName  # noqa: TC001  # a dataclass's field


@dataclass(frozen=True)
class ImageFacts:
    """An image that is there."""

    image: ImageName
    digest: str
    """sha256:... of its manifest, by which it can be held fast; empty where only an engine has it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    """os/architecture; empty where that is not known."""
