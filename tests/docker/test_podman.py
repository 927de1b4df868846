"""The Deployment that is rendered for a cluster, run by podman: hardened as it says, and it scores.

podman honours the security context, the limits and the read-only root; it passes over startup and readiness probes,
and reads Secrets in a way of its own, so there are none here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from scorewright.deploy.aks_place import AksPlace
from scorewright.deploy.aks_plan import make_plan
from scorewright.deploy.settings import DeploySettings
from tests.docker.running import wait_for
from tests.kubectl import require_kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorewright.build.image import Image

pytestmark = [pytest.mark.docker, pytest.mark.podman]

NAME = "sw-test-tree"
CONTAINER = f"{NAME}-pod-0-service"
CACHE = Path(__file__).parents[2] / ".cache" / "podman"


@pytest.fixture(scope="module")
def podman() -> Callable[..., str]:
    """Runs podman; its output. Without one the test is skipped; on CI that is a failure."""
    ready = subprocess.run([str(Path(__file__).parent / "podman.sh")], capture_output=True, text=True, check=False)
    if ready.returncode != 0:
        if os.environ.get("CI"):
            pytest.fail(ready.stderr.strip())
        pytest.skip(ready.stderr.strip())
    environment = {**os.environ, "CONTAINERS_CONF": str(CACHE / "containers.conf")}

    def run(*words: str) -> str:
        ran = subprocess.run(["podman", *words], env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


@pytest.fixture(scope="module")
def loaded(podman: Callable[..., str], tree_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image's name where podman has it."""
    archive = tmp_path_factory.mktemp("image") / "image.tar"
    subprocess.run(["docker", "save", "--output", str(archive), tree_image.tag], check=True)
    podman("load", "--quiet", "--input", str(archive))
    archive.unlink()
    name = f"localhost/{tree_image.tag}"
    yield name
    podman("rmi", "--force", name)


@pytest.fixture
def port(podman: Callable[..., str], loaded: str, tmp_path: Path) -> Iterator[int]:
    """The port of this machine under which the rendered Deployment answers."""
    require_kubectl()
    settings = DeploySettings.of(loaded, name=NAME, cpu=1, memory="600m", env={"GREETING": "a b"})
    make_plan(settings, AksPlace("ml", overlay="dev")).write(tmp_path)
    built = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path / "overlays/dev")], capture_output=True, text=True, check=True
    )
    objects = list(yaml.safe_load_all(built.stdout))
    (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
    # podman has no Services: the pod's own port is published.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        chosen = int(free.getsockname()[1])
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["ports"][0] |= {"hostPort": chosen, "hostIP": "127.0.0.1"}
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(objects), "utf-8")
    podman("play", "kube", str(manifest))
    yield chosen
    podman("play", "kube", "--down", str(manifest))


def test_the_rendered_deployment_runs_hardened_and_scores(
    podman: Callable[..., str], port: int, request_and_answer: tuple[object, object]
) -> None:
    asked, expected = request_and_answer
    wait_for("healthy", lambda: healthy(port))
    answer = httpx.post(f"http://127.0.0.1:{port}/score", json=asked, timeout=60)
    assert (answer.status_code, answer.json()) == (200, expected)

    found: dict[str, Any] = json.loads(podman("inspect", CONTAINER))[0]
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert found["Config"]["User"] == "10001:10001"
    assert found["EffectiveCaps"] in (None, [])
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["Memory"] == 600 * 2**20
    assert host["CpuQuota"] == host["CpuPeriod"] == 100_000
    assert podman("exec", CONTAINER, "printenv", "GREETING") == "a b\n"
    assert podman("exec", CONTAINER, "sh", "-c", "touch /tmp/x && ! touch /x 2>/dev/null && echo only /tmp") == (
        "only /tmp\n"
    )


def healthy(port: int) -> bool | None:
    try:
        return True if httpx.get(f"http://127.0.0.1:{port}/").status_code == 200 else None
    except httpx.TransportError:
        return None
