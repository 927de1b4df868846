"""`scorewright deploy local` with a real engine, from the first request to the last."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.bundle import MANIFEST, Bundle, Manifest, hash_files
from scorewright.deploy.local_target import Local, LocalDeployment
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import DockerError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.build.image import Image
    from tests.command import Command
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """A name that nothing has; whatever has it at the end is removed."""
    chosen = f"sw-test-{uuid.uuid4().hex[:8]}"
    yield chosen
    for container in engine.client.containers.list(all=True, filters={"name": chosen}):
        container.remove(force=True)


@pytest.fixture
def deployed(name: str, tree_image: Image) -> LocalDeployment:
    return applied(Local(port=0), tree_image, name)


def applied(target: Local, image: Image, name: str) -> LocalDeployment:
    return target.apply(target.plan(DeploySettings.of(image.tag, name=name)))


def with_script(source: Path, folder: Path, init: str) -> Path:
    """A bundle whose entry script's init() is `init`."""
    shutil.copytree(source, folder)
    (folder / "score.py").write_text(f"def init():\n    {init}\n\n\ndef run(raw_data):\n    return raw_data\n", "utf-8")
    manifest = Bundle.load(source).manifest
    files = {key: digest for key, digest in hash_files(folder).items() if key in manifest.files}
    data = {**manifest.model_dump(mode="json"), "files": files}
    (folder / MANIFEST).write_text(Manifest.model_validate(data).to_json(), "utf-8")
    return folder


def names(engine: Engine) -> set[str]:
    return {str(container.name) for container in engine.client.containers.list(all=True)}


def test_the_whole_way(
    tree_image: Image, name: str, command: Command, request_and_answer: tuple[object, object], engine: Engine
) -> None:
    asked, expected = request_and_answer
    ran = command("deploy", "local", tree_image.tag, "--name", name, "--port", 0)
    assert ran.exit_code == 0, ran.err
    assert ran.out.startswith(f"{name} answers at http://127.0.0.1:")
    assert "healthy after" in ran.err

    curl = shlex.split(ran.out.splitlines()[-1])
    answer = subprocess.run(curl, capture_output=True, check=True, timeout=60).stdout
    assert json.loads(answer) == expected

    handle = Local().get(name)
    assert handle.run(asked) == expected

    state = json.loads(command("deploy", "local", "status", name, "--json").out)
    assert state == {
        "name": name,
        "target": "local",
        "image": tree_image.tag,
        "state": "running",
        "healthy": True,
        "url": handle.url,
        "detail": "",
    }
    assert name in command("deploy", "local", "list").out
    assert name in {one["name"] for one in json.loads(command("deploy", "local", "list", "--json").out)}
    logged = command("deploy", "local", "logs", name).out
    assert "listens on" in logged
    assert json.loads(command("deploy", "local", "logs", name, "--json").out)["name"] == name
    assert command("deploy", "local", "logs", name, "--tail", 1).out == logged.splitlines(keepends=True)[-1]

    deleted = command("deploy", "local", "delete", name)
    assert deleted.out == f"{name} is deleted.\n"
    assert name not in names(engine)
    again = command("deploy", "local", "delete", name)
    assert again.exit_code == 10
    assert f"Nothing is deployed as {name}" in again.err


def test_it_is_reached_from_this_machine_only_and_hardened(deployed: LocalDeployment, engine: Engine) -> None:
    container = engine.client.containers.get(deployed.name)
    host = container.attrs["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Tmpfs"] == {"/tmp": ""}
    assert [one["HostIp"] for one in container.attrs["NetworkSettings"]["Ports"]["5001/tcp"]] == ["127.0.0.1"]


def test_limits_and_variables_arrive(
    tree_image: Image, name: str, engine: Engine, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "hunter2")
    ran = command(
        *("deploy", "local", tree_image.tag, "--name", name, "--port", 0),
        *("--memory", "700m", "--cpu", "0.5", "--secret", "API_KEY", "--json"),
    )
    assert ran.exit_code == 0, ran.err
    container = engine.client.containers.get(name)
    assert container.attrs["HostConfig"]["Memory"] == 700 * 1024 * 1024
    assert container.attrs["HostConfig"]["NanoCpus"] == 500_000_000
    assert container.exec_run(["printenv", "API_KEY"]).output == b"hunter2\n"
    assert "hunter2" not in ran.out + ran.err
    assert set(json.loads(ran.out)) == {"name", "scoring_uri", "curl"}
    assert container.attrs["Config"]["Healthcheck"]["Test"][0] == "CMD"


def test_the_handle_of_the_python_api(deployed: LocalDeployment, engine: Engine) -> None:
    assert deployed.scoring_uri == f"http://127.0.0.1:{deployed.port}/score"
    assert deployed.run([[17.99, 10.38, 122.8, 1001.0]])["predict_proba"][0][0] > 0.5
    with pytest.raises(RequestError) as caught:
        deployed.run([[1.0, 2.0]])
    assert caught.value.status == 400
    assert deployed.status().healthy
    assert "listens on" in deployed.logs()
    deployed.delete()
    assert deployed.name not in names(engine)


def test_a_large_sample_is_taken_out_of_the_container_by_the_curl_line(
    tree_image: Image, tree_bundle: Bundle, name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "large"
    shutil.copytree(tree_bundle.root, folder)
    rows = [[17.99, 10.38, 122.8, 1001.0]] * 100
    (folder / "sample_request.json").write_text(json.dumps({"data": rows, "method": "predict"}), "utf-8")
    files = hash_files(folder)
    data = {**tree_bundle.manifest.model_dump(mode="json"), "files": files}
    (folder / MANIFEST).write_text(Manifest.model_validate(data).to_json(), "utf-8")
    deployment = applied(Local(port=0, bundle=folder), tree_image, name)
    assert deployment.curl.startswith(f"docker exec {name} cat /bundle/sample_request.json | curl ")
    answer = subprocess.run(["bash", "-c", deployment.curl], capture_output=True, check=True, timeout=60).stdout
    assert json.loads(answer) == {"predict": [0] * 100}


def test_a_name_that_is_taken(deployed: LocalDeployment, tree_image: Image, command: Command) -> None:
    before = Local().get(deployed.name)
    refused = command("deploy", "local", tree_image.tag, "--name", deployed.name, "--port", 0)
    assert refused.exit_code == 10
    assert "is deployed already" in refused.err
    assert "--force" in refused.err
    assert Local().get(deployed.name) == before

    replaced = command("deploy", "local", tree_image.tag, "--name", deployed.name, "--port", deployed.port, "--force")
    assert replaced.exit_code == 0, replaced.err
    assert Local().get(deployed.name).port == deployed.port
    assert [one.name for one in Local().deployments()].count(deployed.name) == 1


def test_a_container_of_someone_else_is_never_touched(
    tree_image: Image, name: str, engine: Engine, command: Command
) -> None:
    other = engine.client.containers.create(tree_image.tag, name=name)
    ran = command("deploy", "local", tree_image.tag, "--name", name, "--port", 0, "--force")
    assert ran.exit_code == 10
    assert "was not deployed by scorewright" in ran.err
    assert command("deploy", "local", "delete", name).exit_code == 10
    assert name not in {one.name for one in Local().deployments()}
    other.reload()
    assert other.status == "created"


def test_a_port_that_is_taken(tree_image: Image, name: str, engine: Engine, command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = command("deploy", "local", tree_image.tag, "--name", name, "--port", port)
    assert ran.exit_code == 10
    assert f"Port {port} on 127.0.0.1 is taken" in ran.err
    assert "--port 0" in ran.err
    assert name not in names(engine)


def test_an_image_that_is_not_there(name: str, engine: Engine, command: Command) -> None:
    ran = command("deploy", "local", "sw-test/never-built:1", "--name", name)
    assert ran.exit_code == 10
    assert "There is no image sw-test/never-built:1" in ran.err
    assert "scorewright build" in ran.err


def test_an_init_that_fails_is_shown_and_nothing_is_left(
    tree_image: Image, tree_bundle: Bundle, name: str, tmp_path: Path, engine: Engine, command: Command
) -> None:
    broken = with_script(tree_bundle.root, tmp_path / "broken", "raise RuntimeError('no such weights')")
    ran = command("deploy", "local", tree_image.tag, "--name", name, "--port", 0, "--bundle", broken)
    assert ran.exit_code == 10
    assert "ended with exit code 3 before it was healthy; it was removed" in ran.err
    assert "RuntimeError: no such weights" in ran.err
    assert "scorewright check" in ran.err
    assert name not in names(engine)


def test_one_that_never_gets_healthy_is_given_up(
    tree_image: Image, tree_bundle: Bundle, name: str, tmp_path: Path, engine: Engine, command: Command
) -> None:
    endless = with_script(
        tree_bundle.root, tmp_path / "endless", "import time; print('loading', flush=True); time.sleep(600)"
    )
    ran = command("deploy", "local", tree_image.tag, "--name", name, "--port", 0, "--bundle", endless, "--timeout", 3)
    assert ran.exit_code == 10
    assert "was not healthy within 3 s; it was removed" in ran.err
    assert "loading" in ran.err
    assert "--timeout" in ran.err
    assert name not in names(engine)


def test_one_that_wants_more_memory_than_it_may_have_is_told_so(
    tree_image: Image, tree_bundle: Bundle, name: str, tmp_path: Path, command: Command
) -> None:
    hungry = with_script(tree_bundle.root, tmp_path / "hungry", "global kept; kept = bytearray(b'x') * 2_000_000_000")
    ran = command(
        *("deploy", "local", tree_image.tag, "--name", name, "--port", 0),
        *("--bundle", hungry, "--memory", "300m", "--timeout", 60),
    )
    assert ran.exit_code == 10
    assert "--memory" in ran.err


def test_what_ran_before_runs_again_if_its_replacement_fails(
    deployed: LocalDeployment, tree_image: Image, tree_bundle: Bundle, tmp_path: Path, engine: Engine
) -> None:
    broken = with_script(tree_bundle.root, tmp_path / "broken", "raise RuntimeError('no such weights')")
    said: list[str] = []
    target = Local(deployed.port, broken, force=True)
    todo = target.plan(DeploySettings.of(tree_image.tag, name=deployed.name))
    before = engine.client.containers.get(deployed.name).id
    with pytest.raises(DockerError, match="no such weights"):
        target.apply(todo, said.append)
    assert f"starting the {deployed.name} of before again" in said
    assert engine.client.containers.get(deployed.name).id == before
    assert engine.client.containers.get(deployed.name).status == "running"
    assert f"{deployed.name}.new" not in names(engine)


def test_a_stopped_deployment_says_so(deployed: LocalDeployment, engine: Engine) -> None:
    engine.client.containers.get(deployed.name).stop()
    found: Any = Local().status(deployed.name)
    assert (found.state, found.healthy, found.url, found.detail) == ("exited", False, "", "ended with exit code 0")
    with pytest.raises(DockerError, match="does not run: exited"):
        Local().get(deployed.name)
