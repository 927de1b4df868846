"""A registry of images: what is registered is the image that serves a bundle, under the bundle's name and version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorewright.docker_engine import connect
from scorewright.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from docker import DockerClient

SCHEME = "docker://"
DIGEST_LABEL = "io.scorewright.bundle.sha256"
METRIC_LABEL = "io.scorewright.metric."
TAG_LABEL = "io.scorewright.tag."

_ADDRESS = re.compile(r"[a-zA-Z0-9.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


@dataclass(frozen=True)
class ImageRegistry:
    """`docker://HOST[:PORT][/PATH]`; what `docker login` gave this user is used."""

    address: str

    @classmethod
    def of(cls, url: str) -> ImageRegistry:
        """Raises UsageError for a URL that cannot be meant."""
        address = url.removeprefix(SCHEME).rstrip("/")
        if not url.startswith(SCHEME) or not _ADDRESS.fullmatch(address):
            raise UsageError(
                f"{url!r} is no registry.", hint="Name a folder, or an image registry like docker://HOST:PORT/PATH."
            )
        return cls(address)

    def tag(self, image: str) -> str:
        """What an image is called here."""
        return f"{self.address}/{image}"

    def has(self, tag: str, digest: str) -> bool:
        """Whether the image of this bundle is there under this tag.

        Raises RegistryError if another image is, or if the registry does not answer.
        """
        from docker.errors import APIError, NotFound

        with connect() as client:
            try:
                client.images.get_registry_data(tag)
            except NotFound:
                return False
            except APIError as error:
                raise self._refused(str(error.explanation)) from None
            # Labels are in the image, not in its name; what is on this engine already is not transferred again.
            try:
                labels = client.images.pull(tag).labels
            except APIError as error:
                raise self._refused(str(error.explanation)) from None
        if labels.get(DIGEST_LABEL) == digest:
            return True
        raise RegistryError(
            f"{tag} is registered with another content.",
            hint="Versions do not change: generate the bundle with another --version.",
        )

    def push(self, tag: str, report: Callable[[str], None]) -> str:
        """Send an image of this engine there. Its digest, by which it can be named for good."""
        with connect() as client:
            return self._pushed(client, tag, report)

    def _pushed(self, client: DockerClient, tag: str, report: Callable[[str], None]) -> str:
        repository, _, version = tag.rpartition(":")
        digest = ""
        for event in client.images.push(repository, tag=version, stream=True, decode=True):
            if "error" in event:
                raise self._refused(str(event["error"]))
            digest = event.get("aux", {}).get("Digest", digest)
            if "status" in event:
                report(f"pushing {tag}: {event['status']}")
        return f"{repository}@{digest}"

    def _refused(self, said: str) -> RegistryError:
        host = self.address.split("/")[0]
        if re.search(r"unauthorized|authentication|denied|no basic auth", said, re.IGNORECASE):
            return RegistryError(
                f"{self.address} does not let this user in: {said}", hint=f"docker login {host}, or ask for the right."
            )
        return RegistryError(f"{self.address} refused: {said}", hint=f"Does {host} answer, and is it a registry?")


def labels(metrics: Mapping[str, float], tags: Mapping[str, str]) -> dict[str, str]:
    """Metrics and tags as an image carries them."""
    return {
        **{f"{METRIC_LABEL}{key}": repr(value) for key, value in metrics.items()},
        **{f"{TAG_LABEL}{key}": value for key, value in tags.items()},
    }
