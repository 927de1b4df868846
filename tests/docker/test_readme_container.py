"""The README's block on containers, as a reader would type it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.docker.running import wait_for
from tests.test_readme import blocks

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker


def healthy(url: str) -> bool | None:
    try:
        return True if httpx.get(url).status_code == 200 else None
    except httpx.TransportError:
        return None


def test_build_and_docker_run(engine: Engine, tree_bundle: Bundle, tmp_path: Path) -> None:
    (block,) = blocks("docker")
    build, run = (shlex.split(line) for line in block.splitlines())
    assert build[:3] == ["scorewright", "build", "cancer"]
    (tmp_path / "cancer").symlink_to(tree_bundle.root)
    command = [str(Path(sys.executable).parent / "scorewright"), *build[1:]]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=280)

    assert run[:2] == ["docker", "run"]
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        try:
            wait_for("http://127.0.0.1:5001", lambda: healthy("http://127.0.0.1:5001"))
            assert httpx.get("http://127.0.0.1:5001/docs").status_code == 200
        finally:
            for container in engine.client.containers.list(filters={"ancestor": run[-1]}):
                container.stop()
        assert client.wait(timeout=60) == 0
    engine.client.images.remove(run[-1], noprune=True)
