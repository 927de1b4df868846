"""Time that is over: in the queue, in run(), in run_many(), and in C code, which hears no signal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.servers import WAIT_SECONDS, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Serve, Server

SCRIPT = """
import collections, itertools, json, os, time


def init():
    pass


def run(raw):
    request = json.loads(raw)
    if "until" in request:
        open(request["until"] + ".started", "w").close()
        while not os.path.exists(request["until"]):
            time.sleep(0.005)
    if request.get("do") == "spin":
        while True:
            pass
    if request.get("do") == "stick":
        collections.deque(itertools.repeat(0), maxlen=0)
    if request.get("do") == "abort":
        os.abort()
    return request["name"]


def run_many(raws):
    return [run(raw) for raw in raws]
"""

TOLD = {"message": "Scoring timeout after 400 ms"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bundle = write_bundle(tmp_path_factory.mktemp("b"), SCRIPT)
    with serving(cwd=bundle) as serve:
        yield serve(str(bundle)).ready()


def ask(server: Server, budget: int | None = None, **request: object) -> httpx.Response:
    headers = {} if budget is None else {"x-scoring-timeout-ms": str(budget)}
    return httpx.post(server.url + "/score", json={"name": "x", **request}, headers=headers, timeout=WAIT_SECONDS)


def test_a_clients_budget_interrupts_its_run(server: Server) -> None:
    scorers = server.scorers()
    answer = ask(server, 400, do="spin")
    assert (answer.status_code, answer.json()) == (500, TOLD)
    assert answer.headers["x-ms-run-function-failed"] == "True"
    assert ask(server, 400).json() == "x"
    assert server.scorers() == scorers


@pytest.mark.parametrize("budget", ["", "0", "-1", "1.5", "soon", "1" * 11, "½"])
def test_a_budget_that_is_none_is_refused(budget: str, server: Server) -> None:
    headers = {b"x-scoring-timeout-ms": budget.encode()}
    for path in ("/score", "/v2/models/hand-written/infer"):
        answer = httpx.post(server.url + path, json={}, headers=headers, timeout=WAIT_SECONDS)
        assert answer.status_code == 400
        assert "x-scoring-timeout-ms" in answer.text
        assert "whole number of milliseconds" in answer.text


def test_one_that_takes_too_long_in_a_batch_does_not_use_up_the_others_time(server: Server, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    with ThreadPoolExecutor(10) as threads:
        held = threads.submit(ask, server, until=str(hold))
        wait_until((tmp_path / "hold.started").exists)
        sent = [threads.submit(ask, server, 5000, name=n, do="spin" if n == 2 else "") for n in range(6)]
        wait_until(lambda: server.connections() == 7)
        hold.touch()
        answers = [one.result(WAIT_SECONDS) for one in sent]
        assert held.result(WAIT_SECONDS).json() == "x"
    assert [answer.status_code for answer in answers] == [200, 200, 500, 200, 200, 200]
    assert [answer.json() for answer in answers if answer.status_code == 200] == [0, 1, 3, 4, 5]
    assert answers[2].json() == {"message": "Scoring timeout after 5000 ms"}


def test_a_request_whose_time_passes_in_the_queue_is_not_scored(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", SCRIPT))).ready()
    hold, never = tmp_path / "hold", tmp_path / "never"
    with ThreadPoolExecutor(2) as threads:
        held = threads.submit(ask, server, until=str(hold))
        wait_until((tmp_path / "hold.started").exists)
        assert ask(server, 400, until=str(never)).json() == TOLD
        hold.touch()
        assert held.result(WAIT_SECONDS).json() == "x"
    assert ask(server).json() == "x"
    assert not (tmp_path / "never.started").exists()


def test_who_waits_longer_than_the_queue_allows_is_503(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", SCRIPT)), "--max-queue-wait-ms", "200").ready()
    hold = tmp_path / "hold"
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(ask, server, until=str(hold))
        wait_until((tmp_path / "hold.started").exists)
        refused = ask(server)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json() == {"message": "The request has waited 200 ms for a scorer, as long as it may."}
        hold.touch()
        assert held.result(WAIT_SECONDS).json() == "x"


def test_a_scorer_stuck_in_c_is_replaced_and_its_neighbours_are_answered(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", SCRIPT))).ready()
    (scorer,) = server.scorers()
    hold = tmp_path / "hold"
    with ThreadPoolExecutor(10) as threads:
        held = threads.submit(ask, server, until=str(hold))
        wait_until((tmp_path / "hold.started").exists)
        stuck = threads.submit(ask, server, 5000, do="stick")
        patient = [threads.submit(ask, server, name=n) for n in range(4)]
        wait_until(lambda: server.connections() == 6)
        hold.touch()
        held.result(WAIT_SECONDS)
        assert stuck.result(WAIT_SECONDS).json() == {"message": "Scoring timeout after 5000 ms"}
        assert [one.result(WAIT_SECONDS).json() for one in patient] == [0, 1, 2, 3]
    server.line(rf"Scorer {scorer} is ended: it is at work, and its time to answer was over")
    server.line(rf"Scorer {scorer} died: it was killed by SIGKILL. It is replaced.")
    assert scorer not in server.scorers()


def test_one_that_kills_its_scorer_in_a_batch_is_found_out_and_fails_alone(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", SCRIPT))).ready()
    hold = tmp_path / "hold"
    with ThreadPoolExecutor(10) as threads:
        held = threads.submit(ask, server, until=str(hold))
        wait_until((tmp_path / "hold.started").exists)
        sent = [threads.submit(ask, server, name=n, do="abort" if n == 3 else "") for n in range(8)]
        wait_until(lambda: server.connections() == 9)
        hold.touch()
        answers = [one.result(WAIT_SECONDS) for one in sent]
        assert held.result(WAIT_SECONDS).json() == "x"
    assert [answer.status_code for answer in answers] == [200] * 3 + [500] + [200] * 4
    assert [answer.json() for answer in answers if answer.status_code == 200] == [0, 1, 2, 4, 5, 6, 7]
    assert "ended unexpectedly" in answers[3].json()["message"]
    assert len(server.scorers()) == 1
