"""Runs the build of a service image on a Docker engine."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scorewright.build.context import make_context, refuse_other_python
from scorewright.bundle import Bundle
from scorewright.docker_engine import connect
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from docker import DockerClient

    from scorewright.build.context import Context

TAIL = 15
"""Lines of a failed step that are shown."""

_STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(r"^(Removing intermediate container|---> (Running in )?[0-9a-f]{12}$)|^$")

NO_BASE_IMAGE = (
    "The base image is neither on this engine nor to be had from its registry: pull or import it, or name another "
    "with --base-image."
)

_CAUSES = (
    (
        r"certificate verify failed|SSLError",
        "The package index's certificate is not trusted inside the build: set PIP_CERT to the bundle that this "
        "machine trusts.",
    ),
    (
        r"NewConnectionError|Temporary failure in name resolution|Network is unreachable|ConnectTimeout",
        "The build does not reach the package index: see to HTTPS_PROXY or PIP_INDEX_URL.",
    ),
    (
        r"No matching distribution found|Could not find a version",
        "No wheel of this release fits the base image's Python and platform: pin another release in the bundle's "
        "requirements.txt, or choose another --base-image.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "The bundle's requirements.txt and the service need different releases of the package named above.",
    ),
    (r"no space left on device", "The engine's disk is full: `docker system prune` frees what nothing uses."),
)


@dataclass(frozen=True)
class Image:
    """An image that was built: its tag, its id, its size in bytes, and what is in it."""

    tag: str
    id: str
    size: int
    base_image: str
    labels: Mapping[str, str]


class Progress(Protocol):
    """Who is told how a build comes along."""

    def step(self, number: int, total: int, instruction: str) -> None:
        """A step of the Dockerfile begins."""

    def line(self, text: str) -> None:
        """The step says something."""


def build(
    bundle: Bundle | Path | str,
    *,
    tag: str | None = None,
    base_image: str | None = None,
    batch: bool = False,
    entra: bool = False,
    telemetry: bool = False,
    progress: Progress | None = None,
) -> Image:
    """Build the image that serves a bundle; with `batch`, one that also does batch jobs.

    With `entra`, it can check an issuer's tokens; with `telemetry`, send traces by OTLP and to Application Insights.

    Raises BundleError if the bundle is not what its manifest says, VersionSkewError if the base image has
    another Python than the model was made with, DockerError if there is no engine or a step fails.
    """
    verified = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    context = make_context(verified, tag=tag, base_image=base_image, batch=batch, entra=entra, telemetry=telemetry)
    return run(context, progress)


def run(context: Context, progress: Progress | None = None) -> Image:
    """Build what `make_context` laid out."""
    with connect() as client, context.tar() as tar:
        from docker.errors import APIError

        _check_python(client, context)
        try:
            events = client.api.build(
                fileobj=tar,
                custom_context=True,
                tag=context.tag,
                buildargs=context.build_arguments,
                labels=dict(context.labels),
                rm=True,
                forcerm=True,
                decode=True,
            )
            follow(events, progress, context.base_image)
            built = client.images.get(context.tag)
        except APIError as error:
            said = str(error.explanation)
            raise DockerError(f"The engine refused the build: {said}", hint=_hint(said)) from None
        return Image(context.tag, str(built.id), int(built.attrs["Size"]), context.base_image, context.labels)


def follow(events: Iterable[Mapping[str, object]], progress: Progress | None, base_image: str) -> None:
    """Report what the engine says; raise DockerError with the last lines of the step that failed."""
    instruction = ""
    failure: DockerError | None = None
    tail: deque[str] = deque(maxlen=TAIL)
    # The engine's answer is read to its end also after a failure: the connection is free again then.
    for event in events:
        if "error" in event:
            reason = str(event["error"]).strip()
            shown = "".join(f"\n  {line}" for line in tail if line != reason)
            hint = NO_BASE_IMAGE if instruction.startswith("FROM") else _hint("\n".join([*tail, reason]))
            failure = DockerError(f"The build failed at `{instruction}`:{shown}\n  {reason}", hint=hint)
        for line in str(event.get("stream") or event.get("status") or "").splitlines():
            said = _COLOUR.sub("", line).strip()
            if step := _STEP.match(said):
                instruction = " ".join(step.group(3).split()).replace("${BASE_IMAGE}", base_image)
                tail.clear()
                if progress:
                    progress.step(int(step.group(1)), int(step.group(2)), instruction)
            elif not _NOISE.match(said):
                tail.append(said)
                if progress:
                    progress.line(said)
    if failure is not None:
        raise failure


def _check_python(client: DockerClient, context: Context) -> None:
    """Docker's own Python images say their version; where one is here, a wrong one is refused before the build."""
    from docker.errors import ImageNotFound

    try:
        settings = client.images.get(context.base_image).attrs["Config"]["Env"] or []
    except ImageNotFound:
        return
    version = dict(setting.split("=", 1) for setting in settings).get("PYTHON_VERSION", "")
    if version and context.python:
        refuse_other_python(context.base_image, ".".join(version.split(".")[:2]), context.python)


def _hint(said: str) -> str:
    return next((hint for pattern, hint in _CAUSES if re.search(pattern, said)), "")
