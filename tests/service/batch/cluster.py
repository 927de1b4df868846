"""A Dask scheduler and workers, each a process, as on a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 30.0


@dataclass
class DaskCluster:
    """The scheduler's address and the processes."""

    address: str
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny: nobody starts it again."""
        words = ["dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory"]
        process = started(self.folder, *words, str(self.folder))
        self.workers.append(process)
        return process


def started(folder: Path, command: str, *words: str) -> subprocess.Popen[bytes]:
    """One of Dask's own commands."""
    log = (folder / f"{command}.log").open("ab")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{command}", *words],
            stdout=log,
            stderr=log,
            # Warnings of theirs are not ours.
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )


@contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[DaskCluster]:
    """A scheduler on a free port of this machine, with so many workers."""
    file = folder / "scheduler.json"
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = started(folder, "dask_scheduler", *words)
    cluster = None
    try:
        until = time.monotonic() + START_SECONDS
        while not file.exists() or not file.read_text().strip():
            assert scheduler.poll() is None, (folder / "dask_scheduler.log").read_text()
            assert time.monotonic() < until, "the scheduler does not start"
            time.sleep(0.02)
        cluster = DaskCluster(json.loads(file.read_text())["address"], folder)
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        for process in [*(cluster.workers if cluster else []), scheduler]:
            process.kill()
            process.wait()
