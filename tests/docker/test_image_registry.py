"""`scorewright register` to a registry of images: a real one, Debian's docker-registry."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.build import image
from scorewright.bundle import MANIFEST
from tests.docker.running import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.build.context import Context
    from scorewright.bundle import Bundle
    from tests.command import Command
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker

CONFIG = """\
version: 0.1
storage: {filesystem: {rootdirectory: "%s"}}
http: {addr: "%s"}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its host and port."""
    if shutil.which("docker-registry") is None:
        if os.environ.get("CI"):
            pytest.fail("docker-registry is not installed")
        pytest.skip("docker-registry is not installed")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "config.yml").write_text(CONFIG % (folder / "images", host))
    with subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_for(host, lambda: _answers(host))
        yield host
        process.terminate()


@pytest.fixture(autouse=True)
def names(engine: Engine, registry: str) -> Iterator[None]:
    """The engine has none of the registry's names at the end."""
    yield
    for one in engine.client.images.list():
        for tag in one.tags:
            if tag.startswith(registry):
                engine.client.images.remove(tag, noprune=True)


def build_empty(engine: Engine, todo: Context) -> None:
    built = io.BytesIO(b"FROM scratch\nCOPY Dockerfile /\n")
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(built.getvalue())
        archive.addfile(entry, built)
    context.seek(0)
    engine.client.images.build(
        fileobj=context, custom_context=True, tag=todo.tag, labels=dict(todo.labels), rm=True, forcerm=True
    )


def _answers(host: str) -> bool | None:
    try:
        return True if httpx.get(f"http://{host}/v2/").status_code == 200 else None
    except httpx.TransportError:
        return None


def test_a_bundle_is_pushed_once_with_its_metrics_and_never_another_in_its_place(
    registry: str,
    tree_bundle: Bundle,
    engine: Engine,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # To push half a gigabyte would take half a minute and show no more: an image of nothing but its labels is built.
    monkeypatch.setattr(image, "run", lambda todo, _: build_empty(engine, todo))
    url = f"docker://{registry}/team"
    words = ("--metric", "accuracy=0.93", "--tag", "stage=trial", "--registry", url)
    ran = command("register", tree_bundle.root, *words, "--json")
    assert ran.exit_code == 0, ran.err
    said = json.loads(ran.out)
    tag = f"{registry}/team/tree:1"
    assert (said["image"], said["new"]) == (tag, True)

    # Another machine's engine has none of it.
    engine.client.images.remove(tag)
    labels = engine.client.images.pull(said["digest"]).labels
    assert labels["io.scorewright.metric.accuracy"] == "0.93"
    assert labels["io.scorewright.tag.stage"] == "trial"
    assert labels["io.scorewright.bundle.sha256"] == tree_bundle.digest

    again = command("register", tree_bundle.root, *words)
    assert (again.exit_code, again.out) == (0, f"{tag} is registered already.\n")

    other = tmp_path / "other"
    shutil.copytree(tree_bundle.root, other)
    changed = tree_bundle.manifest.model_copy(update={"notes": ("another",)})
    (other / MANIFEST).write_text(changed.to_json(), "utf-8")
    refused = command("register", other, "--registry", url)
    assert refused.exit_code == 16
    assert f"{tag} is registered with another content" in refused.err


def test_a_registry_that_does_not_answer_is_named(tree_bundle: Bundle, engine: Engine, command: Command) -> None:
    ran = command("register", tree_bundle.root, "--registry", "docker://127.0.0.1:9/team")
    assert ran.exit_code == 16
    assert "127.0.0.1:9/team refused:" in ran.err
    assert "Does 127.0.0.1:9 answer" in ran.err
