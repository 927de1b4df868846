"""What must be so before anything is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright import api_key
from scorewright.deploy.image_lookup import look_up
from scorewright.errors import BundleError, DeployError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.image_facts import ImageFacts
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report

BUNDLE_LABEL = "io.scorewright.bundle.sha256"
"""The image's label that says which bundle is in it."""


@dataclass(frozen=True)
class NameRule:
    """What a target takes as a name."""

    pattern: str
    words: str
    """The same in words, with the least and the greatest length."""

    def check(self, name: str, target: str) -> None:
        """Raises UsageError if `name` is none that the target takes."""
        if not re.fullmatch(self.pattern, name):
            raise UsageError(
                f"{name!r} cannot be a deployment's name on {target}: it takes {self.words}.",
                hint="Choose another with --name.",
            )


def require_guarded(settings: DeploySettings, *, public: bool, insecure: bool) -> None:
    """Raises UsageError if everybody on the internet could ask the service, and nobody has said that this is meant."""
    if public and not settings.guarded and not insecure:
        raise UsageError(
            f"{settings.name} would have a public address, and anyone could ask it without a key.",
            hint="Keep it private, ask for a key with --auth key, or say --insecure if that is meant.",
        )


def require_keys(settings: DeploySettings) -> None:
    """Raises UsageError if the service is to ask for a key, and is given none, too many, or one it would refuse."""
    if settings.auth == "key" and not settings.auth_keys:
        raise UsageError(
            "--auth key: which key? The service is given yours, and makes none.",
            hint="export SCORING_KEY=$(openssl rand -hex 32), and add: --secret SCORING_KEY --auth-key SCORING_KEY",
        )
    if len(settings.auth_keys) > 2:
        raise UsageError("A service has a primary and a secondary key, no third.", hint="Name two with --auth-key.")
    for name in settings.auth_keys:
        if fault := api_key.fault(settings.secrets[name].get_secret_value()):
            raise UsageError(f"--auth-key {name}: {fault}.", hint=api_key.HINT)


def require_checked(
    bundle: Path | None,
    facts: ImageFacts,
    *,
    unchecked: bool,
    check: Callable[[Path], Bundle],
    report: Report,
) -> None:
    """Prove that what is in the image answers as it should, by `check` of the bundle that it was built from.

    `check` raises what is wrong with a bundle. Raises UsageError if nobody says which bundle it is (or `unchecked`),
    BundleError if the image was built from another.
    """
    if unchecked:
        return
    if bundle is None:
        raise UsageError(
            "Which bundle is in the image? It is checked before anything is sent.",
            hint="Name its folder with --bundle, or go on without a check: --unchecked.",
        )
    report(f"checking {bundle}")
    checked = check(bundle)
    inside = facts.labels.get(BUNDLE_LABEL)
    if inside != checked.digest:
        raise BundleError(
            f"{facts.image} was built from another bundle than {bundle}: it says {_short(inside)}, "
            f"the folder is {_short(checked.digest)}.",
            hint=f"Build and push it again: scorewright build {bundle} -t {facts.image}",
        )


def require_platform(facts: ImageFacts) -> None:
    """Raises DeployError for an image that no Linux node on x86-64 could run."""
    if facts.platform and facts.platform != "linux/amd64":
        raise DeployError(
            f"{facts.image} is an image for {facts.platform}; the nodes are linux/amd64.",
            hint="Build it there, or with `docker build --platform linux/amd64`.",
        )


def prepared(
    settings: DeploySettings,
    bundle: Path | None,
    *,
    credential: Any,
    unchecked: bool,
    check: Callable[[Path], Bundle],
    report: Report,
) -> DeploySettings:
    """The settings with the image held fast by its digest, once its registry has it and its bundle was checked.

    Raises DeployError for an image that cannot be run, and what `require_checked` raises.
    """
    report(f"looking for {settings.image}")
    facts = look_up(settings.image, credential)
    require_platform(facts)
    require_checked(bundle, facts, unchecked=unchecked, check=check, report=report)
    return settings.model_copy(update={"image": settings.image.at(facts.digest)})


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "nothing of a bundle"
