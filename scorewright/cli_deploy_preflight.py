"""What the commands prove before anything is sent to a cloud or a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report


def prepare(settings: DeploySettings, bundle: Path | None, *, unchecked: bool, report: Report) -> DeploySettings:
    """The settings with the image by its digest, once it is there and its bundle passes `scorewright check`."""
    from scorewright.deploy.arm import Arm
    from scorewright.deploy.preflight import prepared

    credential = Arm.connect().credential if settings.image.in_azure else None
    return prepared(settings, bundle, credential=credential, unchecked=unchecked, check=_checked, report=report)


def _checked(folder: Path) -> Bundle:
    from scorewright.bundle import Bundle
    from scorewright.score.check import check

    check(folder)
    return Bundle.load(folder)
