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

JUDGE = Path(os.environ.get("SCOREWRIGHT_JUDGE", Path(__file__).parents[2] / ".cache/judge/bin/azmlinfsrv"))


def require_judge() -> None:
    """Skip where azmlinfsrv is not installed; on CI that is a failure."""
    if not JUDGE.is_file():
        reason = f"azmlinfsrv is not at {JUDGE}; `make test` installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def judging(bundle: Path, log: Path) -> Iterator[str]:
    """azmlinfsrv with a bundle's score.py and model, on a free port; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AML_", "AZUREML_"))}
    with log.open("w") as written:
        server = subprocess.Popen(
            [JUDGE, "--entry_script", "score.py", "--model_dir", str(bundle), "--port", str(port)],
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=bundle,
            env=environment,
        )
    url = f"http://127.0.0.1:{port}"

    def healthy() -> bool:
        assert server.poll() is None, log.read_text()
        try:
            return httpx.get(url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(healthy)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
