"""azmlinfsrv, Azure's own inference server, from an environment of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = Path(__file__).parents[2] / ".cache"

JUDGE = CACHE / "judge/bin/azmlinfsrv"


AZURE = CACHE / "azure/bin/python"
"""The Python of an environment that has us, flask and azureml-core."""


PLAIN = CACHE / "plain/bin/python"
"""The Python of an environment that has us and no flask: what our tests need brings it along."""


def require_judge() -> None:
    """Skip where azmlinfsrv, or what it is compared with, is not installed; on CI that is a failure."""
    _require(JUDGE)
    _require(PLAIN)


def require_azure() -> None:
    """The same for the environment with azureml-core."""
    _require(AZURE)


def _require(installed: Path) -> None:
    if not installed.is_file():
        reason = f"there is no {installed}; `make test` installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def judging(bundle: Path, log: Path) -> Iterator[str]:
    """azmlinfsrv with a bundle's score.py and model, on a free port; yields its URL."""
    with judging_with(bundle, log, "--entry_script", "score.py", "--model_dir", str(bundle)) as url:
        yield url


@contextmanager
def judging_with(folder: Path, log: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """azmlinfsrv with these arguments, started in this folder; yields its URL once it is healthy."""
    with starting(folder, log, *arguments, **environment) as url:

        def healthy() -> bool:
            assert "Shutting down: Master" not in log.read_text(), log.read_text()
            try:
                return httpx.get(url, timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(healthy)
        yield url


@contextmanager
def starting(folder: Path, log: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """The same; yields its URL once it listens."""
    port = free_port()
    with log.open("w") as written:
        server = subprocess.Popen(
            [JUDGE, *arguments, "--port", str(port)],
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(environment),
        )

    def listens() -> bool:
        assert server.poll() is None, log.read_text()
        return "Listening at" in log.read_text()

    try:
        wait_until(listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def judged_exit(folder: Path, *arguments: str, **environment: str) -> int:
    """The exit code of an azmlinfsrv that does not get to serve."""
    words = [str(JUDGE), *arguments, "--port", str(free_port())]
    return subprocess.run(
        words, cwd=folder, env=_environment(environment), capture_output=True, timeout=60, check=False
    ).returncode


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _environment(more: dict[str, str]) -> dict[str, str]:
    ours = ("AML_", "AZUREML_", "SCOREWRIGHT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more
