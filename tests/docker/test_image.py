"""The image of a real bundle, run for real."""

from __future__ import annotations

import shutil
import textwrap
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scorewright.bundle import MANIFEST, Bundle
from tests.docker.running import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.build.image import Image
    from tests.docker.running import Engine, Running

pytestmark = pytest.mark.docker

HARDENED: dict[str, Any] = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}


@pytest.fixture(scope="module")
def running(engine: Engine, tree_image: Image) -> Iterator[Running]:
    """One plain `docker run` that several tests look at."""
    with ExitStack() as stack:
        yield engine.run(tree_image.tag, stack).until_healthy()


@pytest.fixture
def copy(tree_bundle: Bundle, tmp_path: Path) -> Path:
    """The bundle in a folder that the test may change."""
    return shutil.copytree(tree_bundle.root, tmp_path / "copy")


def test_a_plain_docker_run_answers_the_sample(running: Running, request_and_answer: tuple[object, object]) -> None:
    asked, expected = request_and_answer
    answer = running.score(asked)
    assert answer.status_code == 200, answer.text
    assert answer.json() == expected


def test_it_runs_as_a_numbered_user_that_is_not_root(running: Running) -> None:
    assert running.exec("id", "-u") == (0, "10001\n")


def test_a_read_only_root_without_rights_and_with_any_user_will_do(
    engine: Engine,
    tree_image: Image,
    containers: ExitStack,
    request_and_answer: tuple[object, object],
) -> None:
    asked, expected = request_and_answer
    hardened = engine.run(tree_image.tag, containers, user="4711:4711", **HARDENED).until_healthy()
    assert hardened.score(asked).json() == expected
    assert hardened.exec("id", "-u") == (0, "4711\n")
    assert hardened.exec("touch", "/var/azureml-app/file")[0] != 0


def test_sigterm_ends_it_quickly_and_cleanly(engine: Engine, tree_image: Image, containers: ExitStack) -> None:
    started = engine.run(tree_image.tag, containers).until_healthy()
    began = time.monotonic()
    started.container.kill("SIGTERM")
    assert started.until_ended() == 0
    assert time.monotonic() - began < 5


def test_a_killed_scorer_is_replaced_and_buried(
    engine: Engine, tree_image: Image, containers: ExitStack, request_and_answer: tuple[object, object]
) -> None:
    # As process 1 the service has no one else to take its dead children away.
    started = engine.run(tree_image.tag, containers).until_healthy()
    asked, expected = request_and_answer
    before = children(started)
    assert started.exec("sh", "-c", f"kill -9 {' '.join(before)}") == (0, "")

    def replaced() -> bool | None:
        now = children(started)
        return True if now and not set(now) & set(before) and "Z" not in now.values() else None

    wait_for("another scorer and no zombie", replaced)
    assert started.score(asked).json() == expected


@pytest.mark.parametrize("port", [5001, 8080])
def test_docker_itself_finds_it_healthy(engine: Engine, tree_image: Image, containers: ExitStack, port: int) -> None:
    started = engine.run(
        tree_image.tag,
        containers,
        port=port,
        environment={"SCOREWRIGHT_PORT": str(port)},
        healthcheck={"interval": 200_000_000},
    )
    assert wait_for("a health status", lambda: started.health) == "healthy"


def test_docker_itself_finds_it_unhealthy_on_another_port(
    engine: Engine, tree_image: Image, containers: ExitStack
) -> None:
    check = engine.client.images.get(tree_image.tag).attrs["Config"]["Healthcheck"]["Test"]
    started = engine.run(tree_image.tag, containers).until_healthy()
    assert check[0] == "CMD"
    assert started.exec(*check[1:])[0] == 0
    assert started.exec("env", "SCOREWRIGHT_PORT=5999", *check[1:])[0] != 0


def test_a_mounted_bundle_is_served_instead(
    engine: Engine, tree_image: Image, containers: ExitStack, copy: Path, request_and_answer: tuple[object, object]
) -> None:
    # The image's own model is hidden, so that only the mounted one can answer.
    mounted = engine.run(
        tree_image.tag,
        containers,
        volumes={str(copy): {"bind": "/bundle", "mode": "ro"}},
        tmpfs={"/var/azureml-app": ""},
        environment={"SCOREWRIGHT_BUNDLE": "/bundle"},
        **HARDENED,
    ).until_healthy()
    asked, expected = request_and_answer
    assert mounted.score(asked).json() == expected


def test_a_model_that_azure_ml_mounts_is_used(
    engine: Engine, tree_image: Image, containers: ExitStack, copy: Path, request_and_answer: tuple[object, object]
) -> None:
    # As a v2 deployment has it: the folder of a registered model, under the name and version it was registered by.
    mounted = engine.run(
        tree_image.tag,
        containers,
        volumes={str(copy / "model"): {"bind": "/var/azureml-app/azureml-models/registered/7/model", "mode": "ro"}},
        tmpfs={"/var/azureml-app/azureml-models/tree": ""},
        environment={"AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models/registered/7"},
    ).until_healthy()
    asked, expected = request_and_answer
    assert mounted.score(asked).json() == expected


def test_a_score_py_of_ones_own_is_served_in_place_of_azures_server(
    engine: Engine, tree_image: Image, containers: ExitStack, tmp_path: Path
) -> None:
    """The words that azmlinfsrv takes, in an image without flask; @rawhttp and AMLResponse are there all the same."""
    script = """
        import os
        from azureml.contrib.services.aml_request import rawhttp
        from azureml.contrib.services.aml_response import AMLResponse
        def init():
            global word
            word = open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "word.txt")).read()
        @rawhttp
        def run(request):
            told = [word, request.method, request.args["a"], request.get_data(as_text=True)]
            return AMLResponse(told, 201, json_str=True)
        """
    (tmp_path / "score.py").write_text(textwrap.dedent(script))
    (tmp_path / "word.txt").write_text("modelled")
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755)
    mounted = engine.run(
        tree_image.tag,
        containers,
        command=["scorewright", "serve", "--entry_script", "/code/score.py", "--model_dir", "/code"],
        volumes={str(tmp_path): {"bind": "/code", "mode": "ro"}},
        **HARDENED,
    ).until_healthy()
    answer = httpx.post(f"{mounted.url}/score?a=1", content=b"body")
    assert (answer.status_code, answer.json()) == (201, ["modelled", "POST", "1", "body"])
    assert "it asks for no key" in mounted.logs


def test_a_changed_model_is_refused(engine: Engine, tree_image: Image, containers: ExitStack, copy: Path) -> None:
    model = next(path for path in (copy / "model").iterdir())
    model.write_bytes(model.read_bytes() + b"\0")
    mounted = engine.run(
        tree_image.tag,
        containers,
        volumes={str(copy): {"bind": "/bundle", "mode": "ro"}},
        environment={"SCOREWRIGHT_BUNDLE": "/bundle"},
    )
    assert mounted.until_ended() == 6
    assert "has changed since the bundle was made" in mounted.logs
    assert "Traceback" not in mounted.logs


def test_a_model_made_with_another_release_is_refused(
    engine: Engine, tree_image: Image, containers: ExitStack, copy: Path
) -> None:
    path = copy / MANIFEST
    text = path.read_text("utf-8")
    version = Bundle.load(copy).manifest.versions["scikit-learn"]
    path.write_text(text.replace(f'"scikit-learn": "{version}"', '"scikit-learn": "1.5.0"'), "utf-8")
    mounted = engine.run(
        tree_image.tag,
        containers,
        volumes={str(copy): {"bind": "/bundle", "mode": "ro"}},
        environment={"SCOREWRIGHT_BUNDLE": "/bundle"},
    )
    assert mounted.until_ended() == 7
    assert "scikit-learn 1.5.0 made the model" in mounted.logs
    assert version in mounted.logs


def test_it_holds_no_compiler_no_pip_no_cache_and_no_other_framework(running: Running) -> None:
    for program in ("gcc", "cc", "g++", "make", "curl"):
        assert running.exec("sh", "-c", f"command -v {program}")[0] != 0, program
    _, packages = running.exec("ls", *_glob(running, "/opt/venv/lib/python3.*/site-packages"))
    names = packages.lower().split()
    assert {"scorewright", "sklearn", "fastapi"} <= set(names)
    assert not [
        name for name in names if name.startswith(("tensorflow", "keras", "azureml", "pip", "docker", "pyarrow"))
    ]
    code, found = running.exec("find", "/", "-xdev", "-path", "/proc", "-prune", "-o", "-path", "*/.cache/*", "-print")
    assert found.replace("find: ", "").count("/.cache/") == 0, (code, found)


def test_what_it_imports_is_compiled(running: Running) -> None:
    _, compiled = running.exec("sh", "-c", "ls /opt/venv/lib/python3.*/site-packages/scorewright/__pycache__")
    assert "cli.cpython-311.pyc" in compiled


def test_azures_variable_for_the_model_is_left_to_azure(running: Running) -> None:
    assert running.exec("printenv", "AZUREML_MODEL_DIR") == (1, "")
    assert running.exec("printenv", "AML_APP_ROOT") == (0, "/var/azureml-app\n")


def test_labels_port_and_command_are_what_others_rely_on(
    engine: Engine, tree_image: Image, tree_bundle: Bundle
) -> None:
    config = engine.client.images.get(tree_image.tag).attrs["Config"]
    assert config["Labels"] == {
        "org.opencontainers.image.title": "tree",
        "org.opencontainers.image.version": "1",
        "io.scorewright.bundle.name": "tree",
        "io.scorewright.bundle.version": "1",
        "io.scorewright.bundle.sha256": tree_bundle.digest,
    }
    assert config["ExposedPorts"] == {"5001/tcp": {}}
    assert config["Cmd"] == ["scorewright", "serve"]
    assert config["User"] == "10001:10001"


def test_pips_settings_stay_outside(engine: Engine, tree_image: Image, running: Running) -> None:
    history = str(engine.client.images.get(tree_image.tag).history())
    assert "PIP_" not in history
    assert "pip.conf" not in history
    assert running.exec("ls", "/src")[0] != 0


def children(running: Running) -> dict[str, str]:
    """The children of process 1 and their states, without those that `docker exec` puts there."""
    code, listed = running.exec("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; true")
    assert code == 0
    # pid (name) state parent ...
    fields = [(line.split(" ", 1)[0], line.rsplit(") ", 1)[1].split()) for line in listed.splitlines()]
    return {pid: rest[0] for pid, rest in fields if rest[1] == "1"}


def _glob(running: Running, pattern: str) -> list[str]:
    return running.exec("sh", "-c", f"echo {pattern}")[1].split()
