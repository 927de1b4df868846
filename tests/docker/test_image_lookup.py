"""An image in a registry that is not Azure's: the Docker engine asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.deploy.image_lookup import look_up
from scorewright.deploy.image_name import ImageName
from scorewright.errors import DeployError
from tests.deploy.standin.registry import Registry
from tests.deploy.standin.server import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docker.running import Engine

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def registry(engine: Engine) -> Iterator[tuple[Registry, str]]:
    """A registry that the engine reaches, and its host."""
    found = Registry(open_=True)
    with StandIn(None, found) as running:
        yield found, f"127.0.0.1:{running.port}"


def test_the_engine_tells_the_digest_and_the_platform(registry: tuple[Registry, str]) -> None:
    known, host = registry
    digest = known.push("team/churn", "3")
    found = look_up(ImageName.parse(f"{host}/team/churn:3"), credential=None)
    assert (found.digest, found.platform, found.labels) == (digest, "linux/amd64", {})


def test_an_image_for_other_machines_is_seen(registry: tuple[Registry, str]) -> None:
    known, host = registry
    known.push("team/churn", "arm", architecture="arm64")
    assert look_up(ImageName.parse(f"{host}/team/churn:arm"), credential=None).platform == "another platform"


def test_an_image_that_is_not_there(registry: tuple[Registry, str]) -> None:
    with pytest.raises(DeployError, match=r"There is no image .*/team/never:1 in its registry"):
        look_up(ImageName.parse(f"{registry[1]}/team/never:1"), credential=None)


def test_a_registry_that_does_not_answer(engine: Engine) -> None:
    with pytest.raises(DeployError, match=r"The registry does not show 127\.0\.0\.1:1/churn:3") as caught:
        look_up(ImageName.parse("127.0.0.1:1/churn:3"), credential=None)
    assert "docker login" in caught.value.hint
