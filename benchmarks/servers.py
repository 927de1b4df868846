"""Server processes: started on the same processors, waited for, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from benchmarks import memory
from benchmarks.errors import ContenderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PROCESSORS = 2
"""How many processors everything shares, the load generator too."""

START_SECONDS = 120.0
STOP_SECONDS = 20.0
SETTLE_SECONDS = 30.0
POLL_SECONDS = 0.01
WINDOW_SECONDS = 0.1
IDLE_SHARE = 0.2
"""A server that uses less of a processor than this for WINDOW_SECONDS is at rest (its clock ticks every 10 ms)."""


@dataclass(frozen=True)
class Launch:
    """How a server is started, and how one sees that it scores."""

    command: Sequence[str]
    port: int
    score_path: str
    ready_path: str
    ready_words: tuple[str, int] = ("", 0)
    """Words of its log, and how often they must be there: a worker that is not loaded yet does not take part."""
    folder: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    """Variables of this process that it must not see."""


@dataclass
class Server:
    """A server that is ready."""

    process: subprocess.Popen[bytes]
    url: str
    start_seconds: float
    """From its start until its health check answered 200."""

    def settle(self) -> None:
        """Wait until it has done what it was asked, clients that are gone included."""
        end = time.monotonic() + SETTLE_SECONDS
        used = memory.processor_seconds(self.process.pid)
        while time.monotonic() < end:
            time.sleep(WINDOW_SECONDS)
            before, used = used, memory.processor_seconds(self.process.pid)
            if used - before < IDLE_SHARE * WINDOW_SECONDS:
                return


def processors() -> list[int]:
    """The processors that everything runs on."""
    return sorted(os.sched_getaffinity(0))[:PROCESSORS]


def pinned(words: Sequence[str]) -> list[str]:
    """The command, on those processors."""
    return ["taskset", "--cpu-list", ",".join(map(str, processors())), *words]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(launch: Launch, log: Path) -> Iterator[Server]:
    """A server until the block ends. Raises ContenderError with its last words if it does not become ready."""
    foreign = ("AML_", "AZUREML_", "SCOREWRIGHT_", "MLSERVER_", *launch.without)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    begun = time.monotonic()
    with log.open("wb") as written:
        process = subprocess.Popen(
            pinned(launch.command),
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=launch.folder,
            env={**environment, **launch.environment},
            # A group of its own, so that what it started ends with it.
            start_new_session=True,
        )
    try:
        seconds = _wait(process, launch, log, begun)
        yield Server(process, f"http://127.0.0.1:{launch.port}{launch.score_path}", seconds)
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], launch: Launch, log: Path, begun: float) -> float:
    """Seconds until the health check answered 200; returns when every worker is loaded."""
    url = f"http://127.0.0.1:{launch.port}{launch.ready_path}"
    words, times = launch.ready_words
    ready = None
    with httpx.Client(timeout=START_SECONDS) as client:
        while time.monotonic() - begun < START_SECONDS:
            if process.poll() is not None:
                raise ContenderError(f"ended with {process.returncode} at its start: {_last_words(log)}")
            if ready is None:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(url).status_code == 200:
                        ready = time.monotonic() - begun
            if ready is not None and (not times or log.read_text(errors="replace").count(words) >= times):
                return ready
            time.sleep(POLL_SECONDS)
    raise ContenderError(f"not ready after {START_SECONDS:.0f} s: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line]
    return f"{(errors or lines or ['nothing'])[-1][-300:]} (in {log})"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
