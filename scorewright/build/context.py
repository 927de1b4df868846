"""What a build of the service image is given: the Dockerfile, this package, the bundle, and pip's settings."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from scorewright.build.pip_settings import pip_files
from scorewright.build.wheel import extra_requirements, package_wheel, service_requirements
from scorewright.bundle import MANIFEST, MODEL_FOLDER
from scorewright.errors import OutputExistsError, UsageError, VersionSkewError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scorewright.bundle import Bundle

DEFAULT_PYTHON = "3.11"

REFERENCE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/@-]*")
"""What an image's name is made of; whether it is one, the engine decides."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY")
"""Docker's predefined build arguments: they are in no image and no history."""


EXTRAS = {"batch": ("batch", "abfs"), "entra": ("entra",), "telemetry": ("otel", "azure-monitor")}
"""The extras of this package that an image for more than scoring has."""


@dataclass(frozen=True)
class Context:
    """A build that has not been run: everything it depends on but the base image's content."""

    tag: str
    base_image: str
    python: str
    """The minor version the model was made with; empty if the bundle does not say."""
    labels: Mapping[str, str]
    files: Mapping[str, bytes | Path]
    """The context's files by their path, their content or where it is."""

    @property
    def build_arguments(self) -> dict[str, str]:
        proxies = {key: os.environ[key] for name in PROXIES for key in (name, name.lower()) if key in os.environ}
        return {"BASE_IMAGE": self.base_image, "PYTHON_MINOR": self.python, **proxies}

    def folders(self) -> list[str]:
        """The folders that the files are in, each after the one it is in."""
        found = {str(parent) for name in self.files for parent in PurePosixPath(name).parents}
        return sorted(found - {"."})

    def tar(self) -> IO[bytes]:
        """The context as the engine takes it, in a temporary file at its beginning. The caller closes it."""
        file = tempfile.TemporaryFile()  # noqa: SIM115  # handed to the caller
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name in self.folders():
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            for name, content in self.files.items():
                entry = tarfile.TarInfo(name)
                entry.mode = 0o644
                if isinstance(content, bytes):
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
                else:
                    entry.size = content.stat().st_size
                    with content.open("rb") as source:
                        archive.addfile(entry, source)
        file.seek(0)
        return file

    def write(self, folder: Path) -> None:
        """Lay the context out in `folder`, which must be new or empty.

        Everything is readable for everyone whatever the umask: in the image it belongs to no one's user.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OutputExistsError(f"{folder} is there already.", hint="Choose a new or an empty folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.folders():
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        for name, content in self.files.items():
            path = folder / name
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                shutil.copyfile(content, path)
            path.chmod(0o644)

    def command(self, folder: Path | str) -> str:
        """The command line that builds the same image from a folder that `write` filled."""
        words = ["docker", "build", "-t", self.tag]
        words += ["--build-arg", f"BASE_IMAGE={self.base_image}", "--build-arg", f"PYTHON_MINOR={self.python}"]
        for label, value in self.labels.items():
            words += ["--label", f"{label}={value}"]
        return shlex.join([*words, str(folder)])

    def describe(self) -> str:
        """The Dockerfile and what it is given, to read."""
        return "\n".join(
            [
                _dockerfile().decode().rstrip(),
                "",
                "# Context:",
                *(f"#   {name}" for name in self.files if name != "Dockerfile"),
                "# Command:",
                f"#   {self.command('.')}",
            ]
        )


def make_context(
    bundle: Bundle,
    *,
    tag: str | None = None,
    base_image: str | None = None,
    batch: bool = False,
    entra: bool = False,
    telemetry: bool = False,
) -> Context:
    """Lay out the build of a verified bundle; with `batch`, of an image that also does batch jobs.

    With `entra`, it can check an issuer's tokens; with `telemetry`, send traces by OTLP and to Application Insights.

    Raises UsageError for a tag or base image that is none, VersionSkewError for a base image whose name says
    that its Python is not the one the model was made with.
    """
    manifest = bundle.manifest
    found = re.match(r"\d+\.\d+", manifest.versions.get("python", ""))
    python = found.group() if found else ""
    base = base_image or f"python:{python or DEFAULT_PYTHON}-slim-bookworm"
    tag = tag or default_tag(manifest.name, manifest.version)
    for what, value in (("tag", tag), ("base image", base)):
        if not REFERENCE.fullmatch(value):
            raise UsageError(f"{value!r} is no {what}.", hint="Name it like registry/name:version.")
    named = re.search(r"(?:^|/)python:(\d+\.\d+)", base)
    if named and python:
        refuse_other_python(base, named.group(1), python)
    return Context(
        tag,
        base,
        python,
        {
            "org.opencontainers.image.title": manifest.name,
            "org.opencontainers.image.version": manifest.version,
            "io.scorewright.bundle.name": manifest.name,
            "io.scorewright.bundle.version": manifest.version,
            "io.scorewright.bundle.sha256": bundle.digest,
        },
        _files(
            bundle,
            [name for name, asked in (("batch", batch), ("entra", entra), ("telemetry", telemetry)) if asked],
        ),
    )


def refuse_other_python(base: str, has: str, wanted: str) -> None:
    """Raise VersionSkewError if the base image's Python is not the one the model was made with."""
    if has != wanted:
        raise VersionSkewError(
            f"The base image {base} has Python {has}, the model was made with {wanted}.",
            hint=f"Use one with Python {wanted}: --base-image python:{wanted}-slim-bookworm",
        )


def default_tag(name: str, version: str) -> str:
    """A bundle's name and version as an image's. A repository name is lower case, with single separators inside."""
    repository = re.sub(r"[._-]{2,}", "-", name.lower())[:200].strip("._-")
    return f"{repository}:{version}"


def _files(bundle: Bundle, also: list[str]) -> dict[str, bytes | Path]:
    names = ["requirements.txt", *(["requirements-batch.txt"] if "batch" in also else [])]
    pinned = "".join(f"{line}\n" for name in names for line in _lines(bundle, name))
    needed = (*service_requirements(), *extra_requirements({extra for name in also for extra in EXTRAS[name]}))
    wheel, content = package_wheel()
    found: dict[str, bytes | Path] = {"Dockerfile": _dockerfile()}
    found |= {f"pip/{name}": data for name, data in pip_files().items()}
    found |= {
        "requirements/model.txt": pinned.encode(),
        "requirements/service.txt": "".join(f"{line}\n" for line in needed).encode(),
        "requirements/constraints.txt": _constraints(pinned, also).encode(),
        f"package/{wheel}": content,
    }
    # As Azure ML lays a model out. Only what the manifest vouches for goes in.
    model = f"azureml-models/{bundle.manifest.name}/{bundle.manifest.version}"
    for name in (MANIFEST, *sorted(bundle.manifest.files)):
        inside = f"{model}/{name}" if name.startswith(f"{MODEL_FOLDER}/") else name
        found[f"app/{inside}"] = bundle.path(name)
    return found


def _lines(bundle: Bundle, name: str) -> list[str]:
    path = bundle.path(name)
    # The one for batches begins by naming the other, which is there already.
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [line for line in lines if line.split() != ["-r", "requirements.txt"]]


def _constraints(pinned: str, also: list[str]) -> str:
    """The releases the service was tested with; none if the bundle pins one of them, for its model needs that one."""
    names = ("constraints.txt", *(f"constraints-{name}.txt" for name in also))
    shipped = "".join(files("scorewright.build").joinpath(name).read_text("utf-8") for name in names)
    pins = {_package(line) for line in pinned.splitlines()} - {""}
    return "" if pins & {_package(line) for line in shipped.splitlines()} else shipped


def _package(line: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0]).lower()


def _dockerfile() -> bytes:
    return files("scorewright.build").joinpath("Dockerfile").read_bytes()
