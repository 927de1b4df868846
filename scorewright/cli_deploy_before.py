"""What every deployment to a cloud does before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report


def before_sent(settings: DeploySettings, bundle: Path | None, *, unchecked: bool, report: Report) -> None:
    """The image is in its registry, runs on Linux, and was built from a bundle that answers as it should.

    Raises what is wrong: DeployError, CheckFailedError, BundleError or UsageError.
    """
    from scorewright.deploy.arm import Arm
    from scorewright.deploy.image_lookup import look_up
    from scorewright.deploy.preflight import require_checked, require_platform

    report(f"looking for {settings.image}")
    facts = look_up(settings.image, Arm.connect().credential)
    require_platform(facts)
    require_checked(bundle, facts, unchecked=unchecked, check=_checked, report=report)


def _checked(folder: Path) -> Bundle:
    from scorewright.bundle import Bundle
    from scorewright.score.check import check

    check(folder)
    return Bundle.load(folder)
