"""Builds on a real engine: what they redo, what they refuse, and where they may be started from."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sklearn.tree import DecisionTreeClassifier

import scorewright
from scorewright.build import wheel
from scorewright.build.context import make_context
from scorewright.build.image import build, run
from scorewright.bundle import MANIFEST, Bundle, Manifest, hash_files
from scorewright.errors import DockerError, VersionSkewError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from scorewright.build.image import Image
    from tests.command import Command
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker

REPOSITORY = Path(__file__).parents[2]
CACHED = "---> Using cache"


class Steps:
    """Which steps of a build were done, and which taken from the cache."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.cached: list[str] = []

    def step(self, number: int, total: int, instruction: str) -> None:
        self.done.append(instruction)

    def line(self, text: str) -> None:
        if text == CACHED:
            self.cached.append(self.done.pop())

    def work(self) -> list[str]:
        """The steps that wrote something anew."""
        return [step for step in self.done if step.startswith(("COPY", "RUN"))]


def rebuilt(bundle: Bundle) -> Steps:
    steps = Steps()
    build(bundle, tag="sw-test/rebuilt:1", progress=steps)
    return steps


def test_nothing_is_done_twice(tree_image: Image, tree_bundle: Bundle) -> None:
    assert rebuilt(tree_bundle).work() == []


def test_a_changed_model_redoes_the_last_layer_only(tree_image: Image, tree_bundle: Bundle, tmp_path: Path) -> None:
    other = DecisionTreeClassifier(max_depth=1).fit([[0.0] * 4, [1.0] * 4], [0, 1])
    # The folder's name is the cache's business too: only what is in it may count.
    changed = scorewright.generate(other, [[0.0] * 4], name="tree", out=tmp_path / os.urandom(4).hex())
    assert changed.manifest.files["model/model.joblib"] != tree_bundle.manifest.files["model/model.joblib"]
    steps = rebuilt(changed)
    assert steps.work() == ["COPY app/ /var/azureml-app/"]
    assert any(step.startswith("RUN python3 -m pip") for step in steps.cached)


def test_a_changed_scorewright_does_not_fetch_its_dependencies_again(
    tree_image: Image, tree_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "scorewright"
    shutil.copytree(REPOSITORY / "scorewright", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "changed.py").write_text(f"# {os.urandom(8).hex()}\n", "utf-8")
    monkeypatch.setattr(wheel, "files", lambda _: package)
    assert [" ".join(step.split()[:4]) for step in rebuilt(tree_bundle).work()] == [
        "COPY package/ /src/package/",
        "RUN python3 -m pip",
        "COPY --from=package /opt/package/opt/venv /opt/venv",
        "COPY app/ /var/azureml-app/",
    ]


def test_the_command_builds_and_says_what(tree_bundle: Bundle, engine: Engine, command: Command) -> None:
    ran = command("build", tree_bundle.root, "-t", "sw-test/command:1", "--json")
    assert ran.exit_code == 0, ran.err
    said = json.loads(ran.out)
    image = engine.client.images.get("sw-test/command:1")
    assert said["id"] == image.id
    assert said["size"] == image.attrs["Size"]
    assert said["tag"] == "sw-test/command:1"
    assert said["labels"]["io.scorewright.bundle.sha256"] == tree_bundle.digest
    assert "COPY app/ /var/azureml-app/" in ran.err
    plain = command("build", tree_bundle.root, "-t", "sw-test/command:1")
    assert plain.out == f"sw-test/command:1  {said['id'][7:19]}  {said['size'] / 1e6:.0f} MB\n"


def test_a_base_image_that_says_it_has_another_python_is_refused(
    tree_bundle: Bundle, engine: Engine, command: Command
) -> None:
    dockerfile = b"FROM python:3.11-slim-bookworm\nENV PYTHON_VERSION=3.12.1\n"
    engine.client.images.build(fileobj=io.BytesIO(dockerfile), tag="sw-test/other-python:1", rm=True)
    with pytest.raises(VersionSkewError, match=r"has Python 3\.12, the model was made with 3\.11"):
        build(tree_bundle, tag="sw-test/refused:1", base_image="sw-test/other-python:1")
    assert command("build", tree_bundle.root, "--base-image", "sw-test/other-python:1").exit_code == 7


def test_a_base_image_that_does_not_say_so_is_found_out(tree_bundle: Bundle, engine: Engine) -> None:
    context = dataclasses.replace(make_context(tree_bundle, tag="sw-test/refused:1"), python="3.12")
    with pytest.raises(DockerError, match=r"The base image has Python 3\.11, the model was made with 3\.12\."):
        run(context)


def test_a_base_image_that_is_nowhere_comes_with_a_hint(tree_bundle: Bundle, engine: Engine) -> None:
    with pytest.raises(DockerError, match="sw-test-nowhere") as caught:
        build(tree_bundle, tag="sw-test/refused:1", base_image="localhost:1/sw-test-nowhere:1")
    assert "base image" in caught.value.hint


def test_a_release_without_a_wheel_is_named_with_the_failed_step(
    hand_made: Bundle, engine: Engine, command: Command
) -> None:
    root = hand_made.root
    (root / "requirements.txt").write_text("numpy==0.0.1\n", "utf-8")
    names = hand_made.manifest.files
    files_now = {name: digest for name, digest in hash_files(root).items() if name in names}
    data = {**hand_made.manifest.model_dump(mode="json"), "files": files_now}
    (root / MANIFEST).write_text(Manifest.model_validate(data).to_json(), "utf-8")
    ran = command("build", root)
    assert ran.exit_code == 10
    assert "The build failed at `RUN python3 -m pip" in ran.err
    assert "No matching distribution found for numpy==0.0.1" in ran.err
    assert "pin another release in the bundle's requirements.txt" in ran.err


def test_the_written_context_builds_the_same_image(
    tree_image: Image, tree_bundle: Bundle, engine: Engine, tmp_path: Path
) -> None:
    context = make_context(tree_bundle, tag="sw-test/written:1")
    context.write(tmp_path / "context")
    built, _ = engine.client.images.build(
        path=str(tmp_path / "context"),
        tag=context.tag,
        buildargs=context.build_arguments,
        labels=dict(context.labels),
        rm=True,
    )
    assert built.id == tree_image.id


def test_buildkit_builds_it_too(
    tree_bundle: Bundle,
    engine: Engine,
    containers: ExitStack,
    request_and_answer: tuple[object, object],
    tmp_path: Path,
) -> None:
    context = make_context(tree_bundle, tag="sw-test/buildkit:1")
    context.write(tmp_path / "context")
    arguments = [word for key, value in context.build_arguments.items() for word in ("--build-arg", f"{key}={value}")]
    # Debian's client has BuildKit built in; a newer one first on the PATH may lack its plugin.
    client = shutil.which("docker", path="/usr/bin:" + os.environ["PATH"])
    assert client is not None
    subprocess.run(
        [client, "build", "--quiet", "-t", context.tag, *arguments, str(tmp_path / "context")],
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        check=True,
        timeout=280,
        capture_output=True,
    )
    asked, expected = request_and_answer
    assert engine.run(context.tag, containers).until_healthy().score(asked).json() == expected


def test_an_installed_wheel_outside_the_repository_builds_the_same(
    tree_image: Image, tree_bundle: Bundle, engine: Engine, tmp_path: Path
) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", str(tmp_path), str(REPOSITORY)]
    subprocess.run(pip, check=True, timeout=200)
    built = next(tmp_path.glob("scorewright-*.whl"))
    with zipfile.ZipFile(built) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if name.startswith("scorewright/")}
    with zipfile.ZipFile(io.BytesIO(wheel.package_wheel()[1])) as archive:
        assert content == {name: archive.read(name) for name in archive.namelist() if name.startswith("scorewright/")}

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    constraints = str(REPOSITORY / "constraints" / "dev.txt")
    install = [str(python), "-m", "pip", "install", "-qq", "-c", constraints, f"scorewright[docker] @ {built.as_uri()}"]
    subprocess.run(install, check=True, timeout=280)
    ran = subprocess.run(
        [str(tmp_path / "venv/bin/scorewright"), "build", str(tree_bundle.root), "-t", "sw-test/outside:1", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["labels"] == dict(tree_image.labels)
    output = engine.client.containers.run("sw-test/outside:1", ["scorewright", "--version"], remove=True)
    assert output.decode() == f"scorewright {scorewright.__version__}\n"


def test_the_root_dockerfile_is_the_one_that_is_used() -> None:
    shipped = files("scorewright.build").joinpath("Dockerfile").read_bytes()
    assert (REPOSITORY / "Dockerfile").read_bytes() == shipped


def test_the_engine_script_has_nothing_to_do_twice(engine: Engine) -> None:
    ran = subprocess.run(
        [str(REPOSITORY / "tests/docker/engine.sh")], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.startswith("engine: ready: ")
    assert len(ran.stdout.splitlines()) == 1
