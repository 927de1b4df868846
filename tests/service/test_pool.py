"""Scorers that die: what they were scoring fails, they are replaced, and health tells the truth meanwhile."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.memory import available
from tests.service.servers import OBEDIENT, WAIT_SECONDS, alive, children, runs, wait_until, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Serve

DIED = {"message": "The process scoring this request ended unexpectedly. Check the logs for more info."}


def test_a_killed_scorer_fails_what_it_scored_and_is_replaced_while_the_queue_waits(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--max-concurrent-requests-per-instance", "2").ready()
    hold = tmp_path / "hold"
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client, ThreadPoolExecutor(4) as threads:
        held = threads.submit(client.post, "/score", json={"until": str(hold)})
        wait_until((tmp_path / "hold.started").exists)
        pair = [threads.submit(client.post, "/score", json={"echo": number}) for number in range(2)]
        wait_until(lambda: any(answer.done() for answer in pair))
        (scorer,) = server.scorers()
        os.kill(scorer, signal.SIGKILL)
        failed = held.result(WAIT_SECONDS)
        assert (failed.status_code, failed.json()) == (500, DIED)
        assert failed.headers["x-ms-run-function-failed"] == "True"
        assert failed.headers["x-request-id"]
        assert sorted(answer.result(WAIT_SECONDS).status_code for answer in pair) == [200, 429]
        server.line(rf"Scorer {scorer} died: it was killed by SIGKILL. It is replaced.")
        assert scorer not in server.scorers()
        assert client.get("/").text == "Healthy"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_request_that_kills_its_scorer_fails_alone(number: int, serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT))).ready()
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        for value in range(3):
            assert client.post("/score", json={"kill": int(number)}).json() == DIED
            assert client.post("/score", json={"echo": value}).json() == value


def test_more_scorers_than_there_is_memory_for_are_refused_with_the_numbers(serve: Serve, tmp_path: Path) -> None:
    room = available()
    assert room is not None
    count = 200
    script = OBEDIENT.replace("def init():", f"def init():\n    global kept\n    kept = b'x' * {room // count}\n")
    server = serve(str(write_bundle(tmp_path / "b", script)), "--worker-count", str(count))
    assert server.process.wait(WAIT_SECONDS) == 9
    server.line(rf"worker_count is {count} and the first scorer has [\d,]+ MB of its own: all take [\d,]+ MB, beside")
    server.line("Ask for fewer scorers, or give the container more memory.")


def test_health_is_true_while_no_scorer_can_be_had(serve: Serve, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    script = OBEDIENT + f"\nif os.path.exists({str(broken)!r}):\n    raise ValueError('broken meanwhile')\n"
    server = serve(str(write_bundle(tmp_path / "b", script))).ready()
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        broken.touch()
        assert client.post("/score", json={"kill": int(signal.SIGKILL)}).status_code == 500
        server.line("A scorer cannot be replaced")
        server.line("ValueError: broken meanwhile")
        for path in ("/", "/readyz"):
            assert client.get(path).status_code == 503
        assert client.get("/livez").status_code == 200
        answer = client.post("/score", json={"echo": 1})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "none could be started" in answer.json()["message"]
        broken.unlink()
        wait_until(lambda: client.get("/").status_code == 200)
        assert client.post("/score", json={"echo": 1}).json() == 1
    assert server.end() == 0


def test_with_two_scorers_one_death_leaves_the_service_ready(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--worker-count", "2").ready()
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        wait_until(lambda: client.get("/readyz").json()["scorers"] == 2)
        first, second = server.scorers()
        os.kill(first, signal.SIGKILL)
        server.line(f"Scorer {first} died")
        assert client.post("/score", json={"echo": 1}).json() == 1
        wait_until(lambda: client.get("/readyz").json()["scorers"] == 2)
        assert second in server.scorers()


def test_what_a_scorer_has_started_ends_with_it(serve: Serve, tmp_path: Path) -> None:
    script = OBEDIENT.replace("def init():", "def init():\n    os.fork() or os.execvp('sleep', ['sleep', '60'])\n")
    server = serve(str(write_bundle(tmp_path / "b", script))).ready()
    (scorer,) = server.scorers()
    (child,) = children(scorer)
    os.kill(scorer, signal.SIGKILL)
    server.line(f"Scorer {scorer} died")
    wait_until(lambda: not runs(child))
    wait_until(lambda: [len(children(pid)) for pid in server.scorers()] == [1])
    (child,) = (one for pid in server.scorers() for one in children(pid))
    assert server.end() == 0
    wait_until(lambda: not runs(child))


def test_a_child_that_outlives_its_scorer_does_not_keep_it_in_service(serve: Serve, tmp_path: Path) -> None:
    script = OBEDIENT.replace("def init():", "def init():\n    os.fork() or os.execvp('sleep', ['sleep', '60'])\n")
    # All that is open, the socket to the front among it.
    inherit = "[os.set_inheritable(fd, True) for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]"
    # In a group of its own, it is not ended with its scorer.
    script = script.replace("os.fork() or", f"{inherit}\n    os.fork() or os.setsid() or")
    server = serve(str(write_bundle(tmp_path / "b", script))).ready()
    (scorer,) = server.scorers()
    (child,) = children(scorer)
    try:
        with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
            os.kill(scorer, signal.SIGKILL)
            assert client.post("/score", json={"echo": 1}).json() in (1, DIED)
            assert alive(child)
            assert client.post("/score", json={"echo": 2}).json() == 2
    finally:
        for survivor in (child, *(pid for scorer in server.scorers() for pid in children(scorer))):
            os.kill(survivor, signal.SIGKILL)


def test_a_request_to_a_scorer_that_has_just_died_idle_waits_for_its_replacement(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT))).ready()
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        for value in range(5):
            (scorer,) = server.scorers()
            os.kill(scorer, signal.SIGKILL)
            assert client.post("/score", json={"echo": value}).json() == value
            wait_until(lambda: client.get("/readyz").status_code == 200)
