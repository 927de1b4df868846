"""What both examples do with their model: the commands a user would type, shown and run."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = 90
"""How much of a request or answer is shown, in characters."""


def walk_through(model: Path, sample: Path, out: Path, requests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Generate, check, serve, and post each request; returns the answers by the requests' titles."""
    scorewright("generate", str(model), "--sample", str(sample), "--out", str(out), "--force")
    scorewright("check", str(out))
    answers = {}
    with served(out) as url:
        for title, request in requests.items():
            print(f"\n# {title}\n  request  {_short(request)}")
            answers[title] = post(f"{url}/score", request)
            print(f"  answer   {_short(answers[title])}")
    return answers


def scorewright(*arguments: str) -> None:
    """Run a scorewright command, shown as it would be typed."""
    print(f"\n$ scorewright {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "scorewright", *arguments], check=True)


@contextmanager
def served(bundle: Path) -> Iterator[str]:
    """`scorewright serve` on a free port until the block ends; yields its URL once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    print(f"\n$ scorewright serve {bundle} --port {port}", flush=True)
    server = subprocess.Popen([sys.executable, "-m", "scorewright", "serve", str(bundle), "--port", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        while not _ready(url):
            if server.poll() is not None:
                raise SystemExit(f"The service ended with exit code {server.returncode}.")
            time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def post(url: str, body: dict[str, Any]) -> Any:
    """POST a JSON body; returns the parsed answer."""
    request = urllib.request.Request(  # noqa: S310  # the URL is this machine's own
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text):,} characters)"
