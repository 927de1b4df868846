"""An image's name, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from scorewright.errors import UsageError

_PATTERN = re.compile(
    r"(?:(?P<registry>localhost(?::\d+)?|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?|[A-Za-z0-9-]+:\d+)/)?"
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)

AZURE_REGISTRIES = (".azurecr.io", ".azurecr.us", ".azurecr.cn")


@dataclass(frozen=True)
class ImageName:
    """[registry/]repository[:tag][@digest]"""

    registry: str
    """Empty for Docker Hub, and for an image that only an engine has."""
    repository: str
    tag: str
    """Empty if none is given; that means latest unless there is a digest."""
    digest: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises UsageError if `text` is no image's name."""
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{text!r} cannot be an image's name.",
                hint="Write it like churn:3 or myregistry.azurecr.io/churn:3, with @sha256:... for a digest.",
            )
        return cls(**{part: value or "" for part, value in found.groupdict().items()})

    @property
    def short(self) -> str:
        """The last word of the repository: a name for what runs the image."""
        return self.repository.rsplit("/", 1)[-1]

    @property
    def in_azure(self) -> bool:
        """Whether the registry is an Azure container registry."""
        return self.registry.endswith(AZURE_REGISTRIES)

    def at(self, digest: str) -> ImageName:
        """The same image held fast by its digest; a tag beside it would mean nothing."""
        return ImageName(self.registry, self.repository, "", digest)

    def __str__(self) -> str:
        registry = f"{self.registry}/" if self.registry else ""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{registry}{self.repository}{tag}{digest}"
