"""What a notebook deploys with, in one call: it knows all parts, as the commands do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.bundle import Bundle

if TYPE_CHECKING:
    from scorewright.deploy.local_target import LocalDeployment
    from scorewright.deploy.target import Report


def local(
    source: Bundle | Path | str,
    *,
    name: str | None = None,
    port: int = 0,
    deployment: str | None = None,
    force: bool = False,
    unchecked: bool = False,
    report: Report | None = None,
    **settings: Any,
) -> LocalDeployment:
    """Run a bundle on this machine's Docker engine: `scorewright.deploy.local`.

    `source` is a bundle, its folder, or `name:version` in the registry: it is checked (unless `unchecked`) and its
    image built; a string that is none of these is the name of an image that is there already. `port` 0 takes a free
    one, `force` replaces a deployment of the same name, `deployment` puts it behind the endpoint `name` beside others.
    `report` is told how it comes along, a line at a time: try `print`. More `settings`, such as memory="1g", are those
    of DeploySettings.

    Raises UsageError for settings that do not fit, BundleError or CheckFailedError for a bundle that is not as it
    should be, DockerError for what the engine refuses or a container that does not get healthy.
    """
    from scorewright.build.context import default_tag
    from scorewright.deploy.local_target import Local
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import silent
    from scorewright.registry.reference import bundle_or_image

    tell = _news(report) if report else silent
    given: Bundle | Path | str | None = source
    if isinstance(source, str):
        given = bundle_or_image(source)
    bundle = Bundle.load(given) if isinstance(given, Path) else given if isinstance(given, Bundle) else None
    image = default_tag(bundle.manifest.name, bundle.manifest.version) if bundle else str(source)
    target = Local(port=port, force=force, deployment=deployment)
    plan = target.plan(DeploySettings.of(image, name=name, **settings))
    if bundle is not None:
        checked_image(bundle, image, unchecked=unchecked, report=tell)
    return target.apply(plan, tell)


def checked_image(bundle: Bundle, tag: str, *, unchecked: bool, report: Report) -> None:
    """Check a bundle and build its image. Raises CheckFailedError, or DockerError if a step of the build fails."""
    from scorewright.build.image import build
    from scorewright.score.check import check

    if not unchecked:
        report(f"checking {bundle.root}")
        check(bundle.root, on_step=lambda step: report(f"checking {bundle.root}: {step.name} {step.detail}"))
    build(bundle, tag=tag, progress=_Steps(report, tag))


def _news(report: Report) -> Report:
    """Tells what has not just been told."""
    said = [""]

    def tell(text: str) -> None:
        if text != said[-1]:
            said[:] = [text]
            report(text)

    return tell


class _Steps:
    """Tells of the steps of a build."""

    def __init__(self, report: Report, tag: str) -> None:
        self._report = report
        self._tag = tag

    def step(self, number: int, total: int, instruction: str) -> None:
        self._report(f"building {self._tag}: step {number} of {total}: {instruction.split(maxsplit=1)[0]}")

    def line(self, text: str) -> None:
        """Too much to be told."""
