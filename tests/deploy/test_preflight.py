"""What must be so before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.bundle import Bundle
from scorewright.deploy.image_facts import ImageFacts
from scorewright.deploy.image_name import ImageName
from scorewright.deploy.preflight import (
    BUNDLE_LABEL,
    NameRule,
    prepared,
    require_checked,
    require_guarded,
    require_platform,
)
from scorewright.deploy.settings import DeploySettings
from scorewright.deploy.target import silent
from scorewright.errors import BundleError, CheckFailedError, DeployError, UsageError
from tests.deploy.standin.login import LoggedIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.standin.registry import Registry

IMAGE = ImageName.parse("acme.azurecr.io/churn:3")


def test_a_name_that_does_not_fit_is_refused_with_the_rule() -> None:
    rule = NameRule("[a-z]+", "lower-case letters")
    rule.check("churn", "there")
    with pytest.raises(UsageError, match="'Churn' cannot be a deployment's name on there: it takes lower-case letters"):
        rule.check("Churn", "there")


def test_open_to_everyone_must_be_meant() -> None:
    settings = DeploySettings.of("churn")
    require_guarded(settings, public=False, insecure=False)
    require_guarded(settings, public=True, insecure=True)
    with pytest.raises(UsageError, match="anyone could ask it without a key"):
        require_guarded(settings, public=True, insecure=False)
    require_guarded(DeploySettings.of("churn", auth="key"), public=True, insecure=False)


def test_what_is_in_the_image_is_what_was_checked(hand_made: Bundle) -> None:
    said: list[str] = []
    facts = ImageFacts(IMAGE, "sha256:0", {BUNDLE_LABEL: hand_made.digest})
    require_checked(hand_made.root, facts, unchecked=False, check=Bundle.load, report=said.append)
    assert said == [f"checking {hand_made.root}"]


@pytest.mark.parametrize(("labels", "says"), [({BUNDLE_LABEL: "f" * 64}, "ffffffffffff"), ({}, "nothing of a bundle")])
def test_an_image_of_another_bundle_is_refused(hand_made: Bundle, labels: dict[str, str], says: str) -> None:
    facts = ImageFacts(IMAGE, "sha256:0", labels)
    with pytest.raises(BundleError, match=f"built from another bundle .* says {says}") as caught:
        require_checked(hand_made.root, facts, unchecked=False, check=Bundle.load, report=silent)
    assert "scorewright build" in caught.value.hint


def test_a_bundle_that_fails_its_check_goes_nowhere(hand_made: Bundle) -> None:
    def check(_: Path) -> Bundle:
        raise CheckFailedError("init(): no weights")

    facts = ImageFacts(IMAGE, "sha256:0", {BUNDLE_LABEL: hand_made.digest})
    with pytest.raises(CheckFailedError, match="no weights"):
        require_checked(hand_made.root, facts, unchecked=False, check=check, report=silent)


def test_a_bundle_that_nobody_names_must_be_meant() -> None:
    facts = ImageFacts(IMAGE, "sha256:0")
    require_checked(None, facts, unchecked=True, check=Bundle.load, report=silent)
    with pytest.raises(UsageError, match="Which bundle is in the image") as caught:
        require_checked(None, facts, unchecked=False, check=Bundle.load, report=silent)
    assert "--unchecked" in caught.value.hint


def test_an_image_for_other_machines_is_refused() -> None:
    require_platform(ImageFacts(IMAGE, "sha256:0", platform="linux/amd64"))
    with pytest.raises(DeployError, match="is an image for linux/arm64; the nodes are linux/amd64"):
        require_platform(ImageFacts(IMAGE, "sha256:0", platform="linux/arm64"))


def test_what_is_prepared_is_held_by_its_digest(registry: Registry, hand_made: Bundle) -> None:
    digest = registry.push("churn", "3", {BUNDLE_LABEL: hand_made.digest})
    settings = DeploySettings.of(str(IMAGE), cpu=2)
    ready = prepared(settings, hand_made.root, credential=LoggedIn(), unchecked=False, check=Bundle.load, report=silent)
    assert str(ready.image) == f"acme.azurecr.io/churn@{digest}"
    assert (ready.name, ready.cpu) == ("churn", 2)
