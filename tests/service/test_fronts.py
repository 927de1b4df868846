"""Several fronts on one port: they share the scorers, and each may die without the others."""

from __future__ import annotations

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.servers import OBEDIENT, TOGETHER, WAIT_SECONDS, alive, connected, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Serve, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fronts")
    with serving(cwd=folder) as serve:
        yield serve(str(write_bundle(folder / "b", TOGETHER)), "--http-workers", "3", "--worker-count", "2").ready()


def echo(client: httpx.Client, value: int) -> object:
    return client.post("/score", json={"echo": value}).json()


def wait_until_it_tells_of_two(client: httpx.Client) -> None:
    wait_until(lambda: client.get("/readyz").json() == {"status": "ready", "scorers": 2})


def test_every_front_scores_and_tells_of_every_scorer(server: Server) -> None:
    wait_until(lambda: len(server.fronts()) == 2)
    clients = [httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) for _ in range(40)]
    for number, client in enumerate(clients):
        assert client.post("/score", json={"echo": number}).json() == number
    for client in clients:
        wait_until_it_tells_of_two(client)
    assert all(server.connections(pid) > 0 for pid in [server.process.pid, *server.fronts()])
    with ThreadPoolExecutor(40) as threads:
        for turn in range(20):
            answers = threads.map(
                lambda pair: pair[1].post("/score", json={"echo": pair[0]}).json(), enumerate(clients)
            )
            assert list(answers) == list(range(40)), turn
    for client in clients:
        client.close()


def test_a_front_that_dies_is_replaced_and_the_others_go_on(server: Server) -> None:
    victim, other = server.fronts()
    os.kill(victim, signal.SIGKILL)
    server.line(rf"Front {victim} died: it was killed by SIGKILL. It is replaced.")
    wait_until(lambda: len(server.fronts()) == 2)
    assert other in server.fronts()
    for number in range(30):
        assert httpx.post(server.url + "/score", json={"echo": number}, timeout=WAIT_SECONDS).json() == number


def test_a_scorer_that_dies_is_replaced_for_every_front(server: Server) -> None:
    victim = server.scorers()[0]
    os.kill(victim, signal.SIGKILL)
    server.line(f"Scorer {victim} died")
    clients = [httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) for _ in range(20)]
    for number, client in enumerate(clients):
        assert client.post("/score", json={"echo": number}).json() == number
        wait_until_it_tells_of_two(client)
        client.close()


def test_the_port_of_several_fronts_is_not_shared_with_another_service(server: Server, tmp_path: Path) -> None:
    port = str(httpx.URL(server.url).port)
    with serving(cwd=tmp_path) as serve:
        for count in ("1", "2"):
            second = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", count, SCOREWRIGHT_PORT=port)
            assert second.process.wait(WAIT_SECONDS) == 9
            second.line(f"Port {port} of 127.0.0.1 cannot be listened on")


def test_what_any_front_accepted_is_answered_before_the_end(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", TOGETHER)), "--http-workers", "2").ready()
    wait_until(lambda: len(server.fronts()) == 1)
    (front,) = server.fronts()
    (scorer,) = server.scorers()
    hold = tmp_path / "hold"
    with ThreadPoolExecutor(30) as threads:
        held = threads.submit(httpx.post, server.url + "/score", json={"until": str(hold)}, timeout=WAIT_SECONDS)
        wait_until((tmp_path / "hold.started").exists)
        sent = [
            threads.submit(httpx.post, server.url + "/score", json={"echo": n}, timeout=WAIT_SECONDS) for n in range(20)
        ]
        wait_until(lambda: sum(server.connections(pid) for pid in (server.process.pid, front)) == 21)
        server.process.send_signal(signal.SIGTERM)
        server.line("Stopping")
        hold.touch()
        assert held.result(WAIT_SECONDS).json() == "held"
        assert [one.result(WAIT_SECONDS).json() for one in sent] == list(range(20))
    assert server.process.wait(WAIT_SECONDS) == 0
    assert not alive(front)
    assert not alive(scorer)


def test_nothing_is_left_of_a_service_that_is_killed(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", "2").ready()
    wait_until(lambda: len(server.fronts()) == 1)
    left = [*server.fronts(), *server.scorers()]
    server.process.kill()
    wait_until(lambda: not any(alive(pid) for pid in left))


def test_a_service_that_was_hurried_says_so_whoever_had_the_request(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", TOGETHER)), "--http-workers", "2").ready()
    wait_until(lambda: len(server.fronts()) == 1)
    (front,) = server.fronts()
    with ThreadPoolExecutor(1) as threads:
        clients = [httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) for _ in range(20)]
        theirs = next(client for client in clients if _asks(client, server, front))
        held = threads.submit(theirs.post, "/score", json={"until": str(tmp_path / "hold")})
        wait_until((tmp_path / "hold.started").exists)
        for client in clients:
            if client is not theirs:
                client.close()
        server.process.send_signal(signal.SIGTERM)
        server.line("Stopping")
        server.process.send_signal(signal.SIGTERM)
        assert held.result(WAIT_SECONDS).status_code == 503
        assert server.process.wait(WAIT_SECONDS) == 9


def _asks(client: httpx.Client, server: Server, front: int) -> bool:
    """Whether this client's connection is this front's."""
    before = server.connections(front)
    client.get("/livez")
    return server.connections(front) > before


def test_a_front_that_does_not_obey_does_not_keep_the_service_from_ending(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--http-workers", "2").ready()
    wait_until(lambda: len(server.fronts()) == 1)
    (front,) = server.fronts()
    os.kill(front, signal.SIGSTOP)
    server.process.send_signal(signal.SIGTERM)
    server.line("Stopping")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(WAIT_SECONDS) == 9
    assert not alive(front)


def test_a_front_that_dies_is_started_again_whatever_has_become_of_the_files(serve: Serve, tmp_path: Path) -> None:
    """It is told of the bundle by the main process: what is on disk by then may be another one."""
    bundle = write_bundle(tmp_path / "b", OBEDIENT)
    server = serve(str(bundle), "--http-workers", "2").ready()
    wait_until(lambda: len(server.fronts()) == 1)
    (former,) = server.fronts()
    bundle.rename(tmp_path / "elsewhere")
    os.kill(former, signal.SIGKILL)
    server.line("died: it was killed by SIGKILL. It is replaced in")
    wait_until(lambda: server.fronts() not in ([], [former]))
    (fresh,) = server.fronts()
    for number in range(20):
        assert httpx.post(server.url + "/score", json={"echo": number}, timeout=WAIT_SECONDS).json() == number
    with contextlib.ExitStack() as stack:
        client = connected(stack, server, fresh)
        assert client.get("/v2/models/hand-written").json()["name"] == "hand-written"


def test_fronts_are_told_of_a_script_with_much_to_tell(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", OBEDIENT, swagger__json='{"x": "' + "x" * 400_000 + '"}')
    server = serve(str(bundle), "--http-workers", "2", "--worker-count", "2", AML_APP_ROOT=str(bundle)).ready()
    wait_until(lambda: len(server.fronts()) == 1)
    fronts = server.fronts()
    for number in range(20):
        with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
            assert echo(client, number) == number
            wait_until_it_tells_of_two(client)
    assert server.fronts() == fronts
