"""What a registry says of an image, asked by the real SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.deploy.image_lookup import look_up
from scorewright.deploy.image_name import ImageName
from scorewright.errors import DeployError
from tests.deploy.standin.answer import Answer
from tests.deploy.standin.login import LoggedIn, LoggedOut

if TYPE_CHECKING:
    from tests.deploy.standin.registry import Registry
    from tests.deploy.standin.server import StandIn

IMAGE = ImageName.parse("acme.azurecr.io/team/churn:3")


def test_an_image_is_found_with_its_digest_and_labels(registry: Registry) -> None:
    digest = registry.push("team/churn", "3", {"io.scorewright.bundle.sha256": "abc"})
    found = look_up(IMAGE, LoggedIn())
    assert (found.digest, found.platform) == (digest, "linux/amd64")
    assert found.labels == {"io.scorewright.bundle.sha256": "abc"}
    assert look_up(IMAGE.at(digest), LoggedIn()).digest == digest


def test_of_several_architectures_that_of_the_nodes_is_read(registry: Registry) -> None:
    arm = registry.push("team/churn", "arm", {"of": "arm"}, architecture="arm64")
    intel = registry.push("team/churn", "intel", {"of": "intel"})
    both = registry.push_index("team/churn", "3", {"arm64": arm, "amd64": intel})
    found = look_up(IMAGE, LoggedIn())
    assert (found.digest, found.platform, found.labels) == (both, "linux/amd64", {"of": "intel"})


def test_an_index_without_the_nodes_architecture_is_refused(registry: Registry) -> None:
    registry.push_index("team/churn", "3", {"arm64": registry.push("team/churn", "arm", architecture="arm64")})
    with pytest.raises(DeployError, match="has no image for linux/amd64"):
        look_up(IMAGE, LoggedIn())


def test_an_image_that_is_not_there(registry: Registry) -> None:
    with pytest.raises(DeployError, match=r"There is no image acme\.azurecr\.io/team/churn:3") as caught:
        look_up(IMAGE, LoggedIn())
    assert "docker push" in caught.value.hint


def test_an_image_without_a_registry_is_not_looked_for(standin: StandIn) -> None:
    with pytest.raises(DeployError, match="names no registry: the cloud could not pull it"):
        look_up(ImageName.parse("churn:3"), LoggedIn())
    assert standin.calls == []


def test_who_is_not_logged_in_is_told_so(registry: Registry) -> None:
    with pytest.raises(DeployError, match="not logged in to Azure"):
        look_up(IMAGE, LoggedOut())


def test_who_may_not_pull_is_told_so(registry: Registry, standin: StandIn) -> None:
    denied = Answer(403, {"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]})
    standin.fail("GET", "/manifests/", denied)
    with pytest.raises(DeployError, match="Azure refuses"):
        look_up(IMAGE, LoggedIn())
