"""What is around the service goes wrong: disk, clock, names, memory. It scores all the same, or says why not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.servers import OBEDIENT, WAIT_SECONDS, held, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from tests.service.servers import Serve, Server

CLOCK = """
import os, time
real = time.time

def shifted():
    with open(os.environ["TEST_CLOCK"]) as shift:
        return real() + float(shift.read() or 0)

time.time = shifted
"""

NAMES = """
import os, socket, time
real = socket.getaddrinfo

def unknown(host, *arguments, **named):
    try:
        return real(host, *arguments, **{**named, "flags": socket.AI_NUMERICHOST})
    except socket.gaierror:
        time.sleep(float(os.environ["TEST_NAMES_SECONDS"]))
        raise

socket.getaddrinfo = unknown
"""

ASKS_THE_CLOCK = OBEDIENT.replace(
    'if do == "echo":', 'if do == "time":\n        return time.time()\n    if do == "echo":'
)

LITTLE_MEMORY = """
import resource

resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, resource.RLIM_INFINITY))
"""
"""The tests' own process may have more already: TensorFlow's tests run in it, too."""

MEMORY = """
def init():
    pass

def run(raw):
    return len(bytearray(int(raw)))
"""


def score(server: Server, content: object) -> httpx.Response:
    return httpx.post(server.url + "/score", json=content, timeout=WAIT_SECONDS)


def customized(folder: Path, code: str) -> dict[str, str]:
    """The environment in which every Python process runs this code first."""
    (folder / "sitecustomize.py").write_text(code)
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *([before] if before else [])])}


def test_a_log_that_takes_no_more_stops_nothing(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "scorewright", "serve", str(bundle), "--port", "0"], stdout=full, stderr=full
        )
    try:
        wait_until(lambda: bool(listening(process.pid)))
        url = f"http://127.0.0.1:{listening(process.pid)[0]}"
        wait_until(lambda: httpx.get(f"{url}/readyz", timeout=WAIT_SECONDS).status_code == 200)
        for content, expected in (({"print": "x" * 100_000}, {}), ({"echo": 1}, 1)):
            assert httpx.post(f"{url}/score", json=content, timeout=WAIT_SECONDS).json() == expected
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def listening(pid: int) -> list[int]:
    """Ports that a process listens on, from /proc."""
    sockets = held(pid)
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


def test_without_a_disk_to_write_to_there_are_no_jobs_and_all_else(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    server = serve(str(bundle), SCOREWRIGHT_BATCH_DATA="/proc/nothing").ready()
    told = httpx.post(server.url + "/batch/jobs", json={"input": "a", "output": "b"}, timeout=WAIT_SECONDS)
    assert told.status_code in (403, 404, 503)
    assert told.json()["message"]
    assert score(server, {"echo": 1}).json() == 1
    assert "Traceback" not in server.log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_under_jobs(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    data = tmp_path / "data"
    data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(data)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        (data / "rows.csv").write_text("a\n1\n")
        with pytest.raises(OSError, match="No space left"), (data / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass
        server = serve(str(bundle), SCOREWRIGHT_BATCH_DATA=str(data)).ready()
        asked = {"input": "rows.csv", "output": "scored"}
        told = httpx.post(server.url + "/batch/jobs", json=asked, timeout=WAIT_SECONDS)
        assert told.status_code == 503
        assert told.json()["message"]
        assert score(server, {"echo": 1}).json() == 1
        assert server.end() == 0
        assert "Traceback" not in server.log
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def test_a_clock_that_jumps_neither_ends_nor_prolongs_anything(tmp_path: Path) -> None:
    shift, until = tmp_path / "shift", tmp_path / "until"
    shift.write_text("0")
    bundle = write_bundle(tmp_path / "bundle", ASKS_THE_CLOCK)
    environment = customized(tmp_path, CLOCK) | {"TEST_CLOCK": str(shift), "SCORING_TIMEOUT_MS": "60000"}
    environment |= {"WORKER_TIMEOUT": "60", "SCOREWRIGHT_MAX_QUEUE_WAIT_MS": "60000"}
    with serving() as serve, ThreadPoolExecutor() as pool:
        server = serve(str(bundle), **environment).ready()
        kept = httpx.Client(base_url=server.url, timeout=WAIT_SECONDS)
        held = pool.submit(score, server, {"until": str(until)})
        wait_until(tmp_path.joinpath("until.started").exists)
        waiting = pool.submit(score, server, {"echo": "after all"})
        for day in (86_400, -86_400, 10**9):
            shift.write_text(str(day))
            assert kept.get("/livez").status_code == 200
        until.touch()
        assert held.result().json() == "held"
        assert waiting.result().json() == "after all"
        assert score(server, {"time": 0}).json() > time.time() + 10**8
        hung = {"until": str(tmp_path / "never")}
        over = kept.post("/score", json=hung, headers={"x-scoring-timeout-ms": "200"})
        assert (over.status_code, over.json()) == (500, {"message": "Scoring timeout after 200 ms"})
        kept.close()
        assert server.end() == 0


@pytest.mark.parametrize("seconds", ["0", "600"], ids=["no names", "slow names"])
def test_nothing_asks_for_names(tmp_path: Path, serve: Serve, seconds: str) -> None:
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    server = serve(str(bundle), TEST_NAMES_SECONDS=seconds, **customized(tmp_path, NAMES)).ready()
    assert score(server, {"echo": 1}).json() == 1
    assert server.end() == 0


def test_memory_that_is_not_there_fails_a_request_and_no_more(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", MEMORY)
    with serving() as serve:
        server = serve(str(bundle), **customized(tmp_path, LITTLE_MEMORY)).ready()
        assert score(server, 1000).json() == 1000
        assert score(server, 8 * 2**30).status_code == 500
        assert score(server, 1000).json() == 1000
        assert "MemoryError" in server.log
        assert server.end() == 0


def test_too_little_memory_to_start_is_said(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", MEMORY.replace("    pass", "    bytearray(8 * 2**30)"))
    with serving() as serve:
        server = serve(str(bundle), **customized(tmp_path, LITTLE_MEMORY))
        assert server.process.wait(WAIT_SECONDS) == 3
        server.line("MemoryError")
