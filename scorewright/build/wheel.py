"""This package as a wheel, made from what is installed, so that an image can be built outside the repository."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from importlib.metadata import Distribution
    from importlib.resources.abc import Traversable

PACKAGE = "scorewright"

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the same package is the same wheel byte for byte, and the builder's cache holds."""

_EXTRA = re.compile(r"\bextra\s*==\s*[\"']([^\"']+)")

WHEEL = f"Wheel-Version: 1.0\nGenerator: {PACKAGE}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def package_wheel() -> tuple[str, bytes]:
    """The file name and content of a wheel of the scorewright that runs now, editable checkout or installed.

    Contract: the binary distribution format (PEP 427), for pure Python.
    """
    installed = _distribution()
    stem = f"{PACKAGE}-{installed.version}"
    content = {f"{PACKAGE}/{name}": data for name, data in _walk(files(PACKAGE))}
    content |= _metadata(installed, f"{stem}.dist-info")
    return f"{stem}-py3-none-any.whl", _zip(content, f"{stem}.dist-info/RECORD")


def service_requirements() -> tuple[str, ...]:
    """What this package requires to serve: its dependencies without those of its extras."""
    requires = _distribution().requires or []
    return tuple(sorted(line for line in requires if not _EXTRA.search(line)))


def extra_requirements(extras: Collection[str]) -> tuple[str, ...]:
    """What it requires besides for these of its extras."""
    requires = _distribution().requires or []
    found = ((line.partition(";")[0].strip(), _EXTRA.search(line)) for line in requires)
    return tuple(sorted(line for line, extra in found if extra and extra[1] in extras))


def _distribution() -> Distribution:
    try:
        return distribution(PACKAGE)
    except PackageNotFoundError:
        raise DockerError(
            f"{PACKAGE} is imported from a folder, but not installed, so that it cannot be put into an image.",
            hint="pip install scorewright, or `pip install -e .` in a checkout.",
        ) from None


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.is_file() and not entry.name.endswith(".pyc"):
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _metadata(installed: Distribution, folder: str) -> dict[str, bytes]:
    content = {f"{folder}/WHEEL": WHEEL.encode()}
    for name in ("METADATA", "entry_points.txt"):
        content[f"{folder}/{name}"] = (installed.read_text(name) or "").encode()
    for path in installed.files or ():
        inside = PurePosixPath(*path.parts[1:])
        if path.parts[0] == folder and inside.parts[0] == "licenses":
            content[f"{folder}/{inside}"] = path.read_binary()
    return content


def _zip(content: dict[str, bytes], record: str) -> bytes:
    lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in content.items()]
    content = {**content, record: "".join([*lines, f"{record},,\n"]).encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
