"""Several deployments behind one port: shares, the header, and nothing lost while anything changes."""

from __future__ import annotations

import io
import json
import uuid
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scorewright.deploy import local_endpoint
from scorewright.deploy.local_target import Local, LocalDeployment
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import DockerError, RequestError, UsageError
from tests.docker.load import Load, asked
from tests.docker.test_deploy_local import with_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.build.image import Image
    from scorewright.bundle import Bundle
    from tests.command import Command
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker

REQUEST = {"data": [[17.99, 10.38, 122.8, 1001.0]]}
HAPROXY = b"""\
FROM python:3.11-slim-bookworm
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
"""


@pytest.fixture(scope="module")
def router_image(engine: Engine) -> str:
    """HAProxy as Debian has it: its own image is in a registry that may be out of reach."""
    built, _ = engine.client.images.build(fileobj=io.BytesIO(HAPROXY), tag="sw-test/haproxy:1", rm=True)
    return str(built.tags[0])


@pytest.fixture(scope="module")
def target(router_image: str) -> Local:
    return Local(port=0, deployment="blue", router_image=router_image)


@pytest.fixture(scope="module")
def green_bundle(tree_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that answers otherwise."""
    folder = with_script(tree_bundle.root, tmp_path_factory.mktemp("green") / "bundle", "pass")
    for path in (folder.parent, folder):
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def name(engine: Engine) -> Iterator[str]:
    """An endpoint's, of which nothing is left."""
    chosen = f"sw-test-{uuid.uuid4().hex[:8]}"
    yield chosen
    local_endpoint.LocalEndpoint(engine.client, chosen).delete()


@pytest.fixture(scope="module")
def endpoint(name: str, target: Local, tree_image: Image, green_bundle: Path) -> LocalDeployment:
    """With a blue and a green deployment."""
    settings = DeploySettings.of(tree_image.tag, name=name)
    target.apply(target.plan(settings))
    green = replace(target, deployment="green", bundle=green_bundle)
    return green.apply(green.plan(settings))


def left(engine: Engine, name: str) -> list[object]:
    """What is there of an endpoint."""
    mine: dict[str, str | list[str] | bool] = {"label": f"io.scorewright.endpoint={name}"}
    client = engine.client
    return [
        *client.containers.list(all=True, filters=mine),
        *client.networks.list(filters=mine),
        *client.volumes.list(filters=mine),
    ]


def test_the_first_gets_all_until_others_are_given_a_share(endpoint: LocalDeployment, target: Local) -> None:
    assert target.traffic(endpoint.name) == {"blue": 100, "green": 0}
    assert Counter(asked(endpoint.port, REQUEST)[1] for _ in range(50)) == {"blue": 50}
    status = target.status(endpoint.name)
    assert (status.healthy, status.detail) == (True, "blue=100 green=0")
    names = {one.name for one in target.deployments()}
    assert {endpoint.name, f"{endpoint.name}-blue", f"{endpoint.name}-green"} <= names


def test_shares_are_kept_and_the_header_decides_before_them(
    endpoint: LocalDeployment, target: Local, command: Command
) -> None:
    ran = command("deploy", "local", "traffic", endpoint.name, "blue=90", "green=10")
    assert (ran.exit_code, ran.out) == (0, "blue        90 %\ngreen       10 %\n")
    counted = Counter(asked(endpoint.port, REQUEST)[1] for _ in range(500))
    # Of 500 answers 50 are green; chance alone would be within 4 standard deviations of it.
    assert counted.total() == 500
    assert 50 - 4 * 6.7 < counted["green"] < 50 + 4 * 6.7
    assert json.loads(command("deploy", "local", "traffic", endpoint.name, "--json").out) == {"blue": 90, "green": 10}

    for deployment in ("blue", "green"):
        pinned = [asked(endpoint.port, REQUEST, deployment) for _ in range(20)]
        assert {(status, by) for status, by, _ in pinned} == {(200, deployment)}
    assert "predict_proba" in asked(endpoint.port, REQUEST, "blue")[2]
    assert endpoint.run(REQUEST, deployment="green") == json.dumps(REQUEST)
    with pytest.raises(RequestError, match="has no deployment of the name in the header") as refused:
        endpoint.run(REQUEST, deployment="red")
    assert refused.value.status == 404


def test_nothing_is_lost_while_shares_change_and_a_deployment_is_replaced(
    endpoint: LocalDeployment, target: Local, tree_image: Image, engine: Engine
) -> None:
    target.traffic(endpoint.name, {"blue": 100})
    before = engine.client.containers.get(f"{endpoint.name}-blue").id
    with Load(endpoint.port, REQUEST) as load:
        load.wait(100)
        for _ in range(3):
            target.traffic(endpoint.name, {"green": 100})
            load.wait(100)
            target.traffic(endpoint.name, {"blue": 100})
            load.wait(100)
        again = replace(target, force=True)
        again.apply(again.plan(DeploySettings.of(tree_image.tag, name=endpoint.name)))
        load.wait(100)
    assert load.failures == []
    assert set(load.answers) == {"blue", "green"}
    assert load.answers.total() > 700
    after = engine.client.containers.get(f"{endpoint.name}-blue")
    assert after.id != before
    assert target.traffic(endpoint.name) == {"blue": 100, "green": 0}


def test_it_goes_on_without_the_command_and_after_a_restart_of_the_engine(
    endpoint: LocalDeployment, engine: Engine
) -> None:
    for part in ("", "-blue", "-green"):
        container = engine.client.containers.get(f"{endpoint.name}{part}")
        assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert container.attrs["HostConfig"]["ReadonlyRootfs"] is True
        assert container.attrs["HostConfig"]["CapDrop"] == ["ALL"]
    router = engine.client.containers.get(endpoint.name)
    router.restart(timeout=10)
    again = Local().get(endpoint.name)
    assert Local().traffic(endpoint.name) == {"blue": 100, "green": 0}
    with Load(again.port, REQUEST) as load:
        load.wait(20)
    assert set(load.answers) == {"blue"}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"blue": 90}, "are 90 together"),
        ({"blue": 90, "green": 20}, "are 110 together"),
        ({"blue": 110, "green": -10}, "must be 100"),
        ({"blue": 50, "red": 50}, "has no deployment red"),
        ({}, "are 0 together"),
    ],
)
def test_shares_that_cannot_be_meant(
    endpoint: LocalDeployment, target: Local, weights: dict[str, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        target.traffic(endpoint.name, weights)
    assert target.traffic(endpoint.name) == {"blue": 100, "green": 0}


def test_a_deployment_that_fails_changes_nothing(
    endpoint: LocalDeployment, target: Local, tree_bundle: Bundle, tree_image: Image, tmp_path: Path
) -> None:
    broken = with_script(tree_bundle.root, tmp_path / "broken", "raise RuntimeError('no such weights')")
    settings = DeploySettings.of(tree_image.tag, name=endpoint.name)
    before = {one.name for one in target.deployments()}
    fails = replace(target, bundle=broken, force=True)
    with pytest.raises(DockerError, match="no such weights"):
        fails.apply(fails.plan(settings))
    assert {one.name for one in target.deployments()} == before
    assert target.traffic(endpoint.name) == {"blue": 100, "green": 0}
    assert asked(Local().get(endpoint.name).port, REQUEST)[:2] == (200, "blue")


def test_an_interrupted_replacement_is_finished_by_the_next(
    endpoint: LocalDeployment, target: Local, tree_image: Image, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = replace(target, force=True)
    todo = again.plan(DeploySettings.of(tree_image.tag, name=endpoint.name))

    with monkeypatch.context() as patch:
        patch.setattr(local_endpoint.LocalEndpoint, "_retire", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            again.apply(todo)
    port = Local().get(endpoint.name).port
    assert asked(port, REQUEST)[:2] == (200, "blue")
    again.apply(todo)
    behind = local_endpoint.LocalEndpoint(engine.client, endpoint.name).containers()
    assert [one.name for one in behind] == [f"{endpoint.name}-blue", f"{endpoint.name}-green"]
    assert asked(port, REQUEST)[:2] == (200, "blue")


def test_a_first_deployment_that_was_killed_is_made_anew(
    engine: Engine, target: Local, tree_image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"sw-test-{uuid.uuid4().hex[:8]}"
    todo = target.plan(DeploySettings.of(tree_image.tag, name=name))
    # As kill -9 leaves it: the deployment runs, its router is made, and was told nothing.
    with monkeypatch.context() as patch:
        patch.setattr("docker.models.containers.Container.remove", lambda *_, **__: None)
        patch.setattr("docker.models.volumes.Volume.remove", lambda *_, **__: None)
        patch.setattr("docker.models.networks.Network.remove", lambda *_, **__: None)
        patch.setattr("scorewright.deploy.router._write", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            target.apply(todo)
    assert len(left(engine, name)) == 4
    try:
        made = target.apply(todo)
        assert asked(made.port, REQUEST)[:2] == (200, "blue")
        assert len(left(engine, name)) == 4
    finally:
        local_endpoint.LocalEndpoint(engine.client, name).delete()
    assert left(engine, name) == []


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_names_that_are_taken(endpoint: LocalDeployment, tree_image: Image, command: Command) -> None:
    taken = command(*("deploy", "local", tree_image.tag, "--name", endpoint.name, "--deployment", "blue"))
    assert (taken.exit_code, "is deployed already" in taken.err) == (10, True)
    plain = command("deploy", "local", tree_image.tag, "--name", endpoint.name, "--port", 0, "--force")
    assert (plain.exit_code, f"as part of the endpoint {endpoint.name}" in plain.err) == (10, True)
    under = command("deploy", "local", "traffic", f"{endpoint.name}-blue", "blue=100")
    assert (under.exit_code, "is one container, and not an endpoint" in under.err) == (10, True)


def test_only_what_has_no_share_is_deleted_alone_and_the_rest_together(
    endpoint: LocalDeployment, engine: Engine, command: Command
) -> None:
    name = endpoint.name
    refused = command("deploy", "local", "delete", f"{name}-blue")
    assert refused.exit_code == 10
    assert f"{name}-blue gets 100 % of the requests" in refused.err
    assert command("deploy", "local", "delete", f"{name}-green").exit_code == 0
    assert Local().traffic(name) == {"blue": 100}
    assert command("deploy", "local", "delete", name).out == f"{name} is deleted.\n"
    assert left(engine, name) == []
    gone = command("deploy", "local", "traffic", name)
    assert (gone.exit_code, f"There is no endpoint {name}" in gone.err) == (10, True)
    assert "--deployment blue" in gone.err


def test_a_router_that_cannot_be_had_leaves_nothing(tree_image: Image, engine: Engine, target: Local) -> None:
    name = f"sw-test-{uuid.uuid4().hex[:8]}"
    without = replace(target, router_image="127.0.0.1:9/sw-test/no-haproxy:1")
    with pytest.raises(DockerError, match="cannot be fetched"):
        without.apply(without.plan(DeploySettings.of(tree_image.tag, name=name)))
    assert left(engine, name) == []
