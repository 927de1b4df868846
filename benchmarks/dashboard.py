"""docs/monitoring/dashboard.json as a picture, under a load test: `make dashboard`.

A real service of the breast-cancer example is asked by `scorewright loadtest`, scraped by a real Prometheus, and broken
a little on the way, so that every panel has something to show. Prometheus then answers the dashboard's own queries.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.errors import BenchmarkError
from benchmarks.panels import SCRAPE_SECONDS, Look, Window, look
from benchmarks.picture import draw
from tests.prometheus import scraping
from tests.service.servers import serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.service.servers import Server

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "docs/monitoring/dashboard.json"
OUT = DASHBOARD.with_suffix(".png")

SERVICE = ("--worker-count", "2", "--http-workers", "2", "--max-queue-wait-ms", "500")
BAD_BODY = {"data": [["not a number"]]}
BAD_EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 0.15
"""How long who sends bad requests waits: so much shorter than SERVICE lets a request wait for a scorer that some have
left, and are not late, when halted scorers go on."""


@dataclass(frozen=True)
class Moment:
    """Something that is done so many seconds after what was before it."""

    seconds: float
    do: Callable[[Server], object]


def kill_scorer(server: Server) -> None:
    """Kill one of the scorers."""
    os.kill(server.scorers()[0], signal.SIGKILL)


def kill_front(server: Server) -> None:
    """Kill one of the fronts."""
    os.kill(server.fronts()[0], signal.SIGKILL)


def halt(server: Server) -> None:
    """Let no scorer go on."""
    for pid in server.scorers():
        os.kill(pid, signal.SIGSTOP)


def resume(server: Server) -> None:
    """Let them go on."""
    for pid in server.scorers():
        os.kill(pid, signal.SIGCONT)


BATCH = ("--scenario", "mixed", "--rate", "50", "--bulk-rows", "20000", "--duration", "15s")
LOADS: tuple[tuple[tuple[str, ...], tuple[Moment, ...]], ...] = (
    (("--ramp", "25..200/s", "--duration", "15s"), ()),
    (("--rate", "150", "--duration", "45s"), (Moment(15, kill_scorer), Moment(15, kill_front))),
    (("--rate", "100", "--duration", "25s"), (Moment(12, halt), Moment(1.5, resume))),
    (BATCH, ()),
)
LAST = ("--rate", "120", "--duration", "35s")
LAST_SECONDS = 25
"""When in the last load the dashboard is looked at: as one does, while it lasts."""


def run(folder: Path, dashboard: dict[str, Any]) -> Look:
    """Train, serve, scrape, load, and look."""
    for program in ("prometheus", "pgrep"):
        if shutil.which(program) is None:
            raise BenchmarkError(f"{program} is not installed; on Debian: apt-get install prometheus procps.")
    _command("examples/breast_cancer.py", str(folder))
    data = folder / "batch"
    data.mkdir()
    with serving(cwd=folder) as serve:
        server = serve(str(folder / "breast-cancer"), *SERVICE, "--batch-data", str(data)).ready()
        with scraping(server.url, folder, job="breast-cancer", interval=f"{SCRAPE_SECONDS}s") as client:
            wait_until(
                lambda: bool(client.get("/query", params={"query": "scorewright_ready"}).json()["data"]["result"])
            )
            begun = time.time()
            looks: list[Look] = []
            last = Moment(LAST_SECONDS, lambda _: looks.append(look(client, dashboard, Window(begun, time.time()))))
            with _bad_requests(server.url):
                for words, moments in (*LOADS, (LAST, (last,))):
                    print("scorewright loadtest", *words, flush=True)
                    words = (server.url, "--bundle", str(folder / "breast-cancer"), "--bulk-data", str(data), *words)
                    _load(server, words, moments)
    return looks[0]


def _load(server: Server, words: Sequence[str], moments: Sequence[Moment]) -> None:
    """A load test, and what happens in it. Raises BenchmarkError if that comes to its end before, or fails."""
    # Some requests fail, since they are made to.
    told = ["--slo", "errors<100%"]
    scenario = [] if "--scenario" in words else ["--scenario", "realtime"]
    words = [sys.executable, "-m", "scorewright", "loadtest", *words, *scenario, *told]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            for moment in moments:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(moment.seconds)
                    raise BenchmarkError(f"The load test ended early: {process.communicate()[1].strip()[-500:]}")
                moment.do(server)
            _, said = process.communicate()
        finally:
            process.terminate()
    if process.returncode:
        raise BenchmarkError(f"The load test ended with {process.returncode}: {said.strip()[-500:]}")


@contextmanager
def _bad_requests(url: str) -> Iterator[None]:
    """Somebody who sends what cannot be scored, and does not wait long."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
            while not over.wait(BAD_EVERY_SECONDS):
                # A front that is killed hangs up, and scorers that are halted answer too late.
                with suppress(httpx.TransportError):
                    client.post("/score", json=BAD_BODY)

    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(ask)
        try:
            yield
        finally:
            over.set()
        asking.result()


def _command(*words: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")


if __name__ == "__main__":
    try:
        with tempfile.TemporaryDirectory() as made:
            draw(run(Path(made), json.loads(DASHBOARD.read_text("utf-8"))), OUT)
    except BenchmarkError as error:
        sys.exit(f"Error: {error}")
    print(OUT)
