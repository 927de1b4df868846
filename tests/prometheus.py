"""A real Prometheus that scrapes a service."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from typing import TYPE_CHECKING

import httpx
import yaml

from tests.service.servers import WAIT_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@contextlib.contextmanager
def scraping(
    url: str,
    folder: Path,
    *,
    job: str,
    interval: str,
    labels: Mapping[str, str] | None = None,
    rules: Sequence[Path] = (),
) -> Iterator[httpx.Client]:
    """A client of the API of a Prometheus that scrapes the service at `url` until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    target = {"targets": [httpx.URL(url).netloc.decode()], "labels": dict(labels or {})}
    config = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [{"job_name": job, "static_configs": [target]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    words = [
        *("prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"),
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log, cwd=folder) as process:
        try:
            with httpx.Client(base_url=f"http://{address}/api/v1", timeout=WAIT_SECONDS) as client:
                wait_until(lambda: process.poll() is not None or _answers(client))
                assert process.poll() is None, (folder / "log").read_text()
                yield client
        finally:
            process.terminate()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/status/runtimeinfo").status_code == 200
    except httpx.TransportError:
        return False
