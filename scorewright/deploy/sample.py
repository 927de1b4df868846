"""A first request for what was deployed: the bundle's own sample, as a command line."""

from __future__ import annotations

import io
import posixpath
import shlex
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from docker.models.containers import Container

SAMPLE = "sample_request.json"
INLINE = 600
"""Bytes of a sample that a command line still shows well."""


def curl_line(container: Container, uri: str, keys: str = "") -> str:
    """A curl command that scores the sample of the bundle that the container serves, baked in or mounted.

    `keys` is a command that prints the keys, where one is asked for.
    """
    key = _key(keys)
    curl = ["curl", "-sS", "-H", "Content-Type: application/json", "--data-binary"]
    place = _place(container)
    sample = _copied(container, place)
    if not sample:
        return shlex.join([*curl, '{"data": []}', uri]) + key
    if len(sample) <= INLINE:
        return shlex.join([*curl, " ".join(sample.decode().split()), uri]) + key
    return (
        f"{shlex.join(['docker', 'exec', str(container.name), 'cat', place])} | {shlex.join([*curl, '@-', uri])}{key}"
    )


def curl_file_line(bundle: Path | None, uri: str, keys: str = "") -> str:
    """A curl command that scores a bundle's sample from here; without a bundle an empty request.

    `keys` is a command that prints the keys, where one is asked for: no key stands in the line itself.
    """
    curl = ["curl", "-sS", "-H", "Content-Type: application/json"]
    data = ["--data-binary", f"@{bundle / SAMPLE}" if bundle is not None else '{"data": []}', uri]
    return f"{shlex.join(curl)}{_key(keys)} {shlex.join(data)}"


def _key(keys: str) -> str:
    return f' -H "Authorization: Bearer $({keys} | head -1)"' if keys else ""


def _place(container: Container) -> str:
    settings = dict(setting.split("=", 1) for setting in container.attrs["Config"]["Env"] or [])
    return posixpath.join(settings.get("SCOREWRIGHT_BUNDLE", "/var/azureml-app"), SAMPLE)


def _copied(container: Container, place: str) -> bytes:
    from docker.errors import NotFound

    try:
        chunks, _ = container.get_archive(place)
    except NotFound:
        return b""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        file = archive.extractfile(posixpath.basename(place))
        return file.read() if file else b""
