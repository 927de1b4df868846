"""An image made ready to be deployed, built here or checked where it is: it knows all parts, as the commands do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.bundle import Bundle

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report


def prepare(
    settings: DeploySettings,
    bundle: Path | None,
    *,
    unchecked: bool,
    report: Report,
    credential: Any = None,
) -> DeploySettings:
    """The settings with the image by its digest, once it is there and its bundle passes `scorewright check`.

    An Azure registry is asked by `credential`; as the shell is logged in, unless given.
    """
    from scorewright.deploy.arm import Arm
    from scorewright.deploy.preflight import prepared

    if settings.image.in_azure and credential is None:
        credential = Arm.connect().credential
    return prepared(settings, bundle, credential=credential, unchecked=unchecked, check=checked, report=report)


def checked(folder: Path) -> Bundle:
    """The bundle in a folder, once it passes its check. Raises CheckFailedError or BundleError."""
    from scorewright.score.check import check

    check(folder)
    return Bundle.load(folder)


def checked_image(bundle: Bundle, tag: str, *, unchecked: bool, report: Report) -> None:
    """Check a bundle and build its image. Raises CheckFailedError, or DockerError if a step of the build fails."""
    from scorewright.build.image import build
    from scorewright.score.check import check

    if not unchecked:
        report(f"checking {bundle.root}")
        check(bundle.root, on_step=lambda step: report(f"checking {bundle.root}: {step.name} {step.detail}"))
    build(bundle, tag=tag, progress=_Steps(report, tag))


class _Steps:
    """Tells of the steps of a build."""

    def __init__(self, report: Report, tag: str) -> None:
        self._report = report
        self._tag = tag

    def step(self, number: int, total: int, instruction: str) -> None:
        self._report(f"building {self._tag}: step {number} of {total}: {instruction.split(maxsplit=1)[0]}")

    def line(self, text: str) -> None:
        """Too much to be told."""
