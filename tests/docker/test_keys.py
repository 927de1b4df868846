"""A container that asks for a key: deployed with it, also by hand from the plan, and given another while it runs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.deploy.container import published_port
from scorewright.deploy.local_container import give_keys
from scorewright.deploy.local_target import Local, LocalDeployment
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import RequestError
from tests.service.servers import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.build.image import Image
    from tests.command import Command
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker

FIRST, SECOND, THIRD = "first-0123456789abc", "second-0123456789abc", "third-0123456789abc"


@pytest.fixture
def name(engine: Engine, request: pytest.FixtureRequest) -> str:
    """A name that nothing has; whatever has it at the end is removed, with the volume of its keys."""
    chosen = f"sw-test-keys-{os.getpid()}"

    def remove() -> None:
        for container in engine.client.containers.list(all=True, filters={"name": chosen}):
            container.remove(force=True, v=True)

    request.addfinalizer(remove)
    return chosen


def status(url: str, key: str | None) -> int:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.post(url + "/score", json={"data": [[13.2, 25.3, 84.1, 537.9]]}, headers=headers).status_code


def test_a_deployment_with_keys(
    tree_image: Image, name: str, engine: Engine, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = {volume.name for volume in engine.client.volumes.list()}
    monkeypatch.setenv("ONE", FIRST)
    monkeypatch.setenv("TWO", SECOND)
    words = ("--secret", "ONE", "--secret", "TWO", "--auth-key", "ONE", "--auth-key", "TWO", "--auth", "key")
    ran = command("deploy", "local", tree_image.tag, "--name", name, "--port", 0, *words)
    assert ran.exit_code == 0, ran.err
    assert FIRST not in ran.out + ran.err
    handle = Local().get(name)
    assert [status(handle.url, key) for key in (None, THIRD, FIRST, SECOND)] == [401, 401, 200, 200]
    assert httpx.get(handle.url + "/readyz").status_code == 200
    assert handle.get_keys() == (FIRST, SECOND)
    assert handle.run([[13.2, 25.3, 84.1, 537.9]]) is not None
    assert command("deploy", "local", "keys", name).out == f"{FIRST}\n{SECOND}\n"
    curl = ran.out.splitlines()[-1]
    assert curl.endswith(f'-H "Authorization: Bearer $(scorewright deploy local keys {name} | head -1)"')
    # Neither whoever inspects the container, nor what runs in it and is not the service, is shown a key.
    inspected = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True).stdout
    assert FIRST not in inspected
    assert SECOND not in inspected
    container = engine.client.containers.get(name)
    logged = handle.logs()
    assert FIRST not in logged
    assert "asks for no key" not in logged
    listing = ["docker", "exec", name, "ls", "-ln", "/run/scorewright/keys"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    assert "-r-------- 1 10001 10001" in listed
    began = container.attrs["State"]["StartedAt"]
    give_keys(container, {"primary": THIRD, "secondary": SECOND}, None)
    wait_until(lambda: status(handle.url, THIRD) == 200)
    wait_until(lambda: status(handle.url, FIRST) == 401)
    assert status(handle.url, SECOND) == 200
    container.reload()
    assert container.attrs["State"]["StartedAt"] == began
    handle.delete()
    assert {volume.name for volume in engine.client.volumes.list()} == volumes


def test_the_printed_plan_does_the_same(tree_image: Image, name: str, tmp_path: Path, engine: Engine) -> None:
    settings = DeploySettings.of(
        tree_image.tag, name=name, auth="key", auth_keys=("ONE",), secrets={"ONE": FIRST, "OTHER": "hidden too"}
    )
    todo = Local(port=0).plan(settings)
    todo.write(tmp_path)
    script = (tmp_path / "run.sh").read_text("utf-8")
    assert FIRST not in script
    secrets = {"ONE": FIRST, "OTHER": "hidden too"}
    ran = subprocess.run(
        ["sh", "-eu", str(tmp_path / "run.sh")],
        env={**os.environ, **secrets},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    handle = Local().get(name)
    wait_until(lambda: handle.status().healthy)
    assert (status(handle.url, FIRST), status(handle.url, None), handle.get_keys()) == (200, 401, (FIRST,))


def test_a_notebooks_handle_without_its_key_is_refused(tree_image: Image, name: str) -> None:
    settings = DeploySettings.of(tree_image.tag, name=name, auth="key", auth_keys=("ONE",), secrets={"ONE": FIRST})
    target = Local(port=0)
    handle = target.apply(target.plan(settings))
    assert handle.run([[13.2, 25.3, 84.1, 537.9]]) == Local().get(name).run([[13.2, 25.3, 84.1, 537.9]])
    with pytest.raises(RequestError, match="The service asks for a key"):
        LocalDeployment(handle.name, handle.port, handle.curl).run([[13.2, 25.3, 84.1, 537.9]])


def test_a_mounted_file_that_is_replaced(tree_image: Image, name: str, tmp_path: Path, engine: Engine) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "all").write_text(f"{FIRST}\n{SECOND}\n")
    for path in (keys, keys / "all"):
        path.chmod(0o755)
    words = f"docker run --detach --name {name} --read-only --tmpfs /tmp --cap-drop ALL --publish 127.0.0.1::5001"
    mount = ["--volume", f"{keys}:/etc/keys:ro", "--env", "SCOREWRIGHT_KEYS_PATH=/etc/keys"]
    subprocess.run([*shlex.split(words), *mount, tree_image.tag], check=True, capture_output=True)
    container = engine.client.containers.get(name)
    url = f"http://127.0.0.1:{published_port(container)}"
    wait_until(lambda: _ready(url))
    assert [status(url, key) for key in (None, FIRST, SECOND, THIRD)] == [401, 200, 200, 401]
    (keys / "new").write_text(f"{SECOND}\n{THIRD}\n")
    (keys / "new").chmod(0o644)
    (keys / "new").replace(keys / "all")
    wait_until(lambda: [status(url, key) for key in (FIRST, SECOND, THIRD)] == [401, 200, 200])
    assert json.loads(httpx.get(url + "/livez").content) == {"status": "alive"}


def _ready(url: str) -> bool:
    try:
        return httpx.get(url + "/readyz").status_code == 200
    except httpx.TransportError:
        return False
