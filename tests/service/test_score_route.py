"""/score over real HTTP: answers, headers, and every kind of bad input."""

from __future__ import annotations

import asyncio
import json
import re
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.servers import OBEDIENT, TOGETHER, WAIT_SECONDS, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Serve, Server

LIMIT = 1000


@pytest.fixture(scope="module")
def server(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "b", OBEDIENT)
    return serve_once(str(bundle), "--max-body-bytes", str(LIMIT), "--access-log").ready()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def together(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "b", TOGETHER)
    return serve_once(str(bundle), "--worker-count", "2").ready()


@pytest.mark.parametrize("value", [{}, True, 1.5, "text", "é", [[0.1, 0.9]], {"predict": [1]}])
def test_answers_are_what_run_returned_as_json(value: object, client: httpx.Client) -> None:
    answer = client.post("/score", json={"echo": value})
    assert (answer.status_code, answer.content) == (200, json.dumps(value).encode())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert re.fullmatch(r"\d+\.\d{3}", answer.headers["x-ms-run-fn-exec-ms"])
    assert answer.headers["x-ms-server-version"].startswith("scorewright/")
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])


def test_a_get_gives_run_the_query_as_json(client: httpx.Client) -> None:
    assert client.get("/score", params={"raw": "1", "list": ["a", "2"]}).json() == '{"raw": 1, "list": ["a", 2]}'


def test_ids_are_echoed(client: httpx.Client) -> None:
    answer = client.post("/score", json={"echo": 1}, headers={"x-request-id": "r", "x-ms-client-request-id": "c"})
    assert (answer.headers["x-request-id"], answer.headers["x-ms-client-request-id"]) == ("r", "c")
    assert answer.headers["x-ms-request-id"] == "c"


@pytest.mark.parametrize("path", ["/score", "/"])
@pytest.mark.parametrize("name", ["x-request-id", "x-ms-client-request-id"])
def test_an_id_that_is_too_long_is_431(path: str, name: str, client: httpx.Client) -> None:
    answer = client.get(path, headers={name: "i" * 101})
    assert answer.status_code == 431
    assert "must not exceed 100 characters" in answer.json()["message"]
    assert answer.headers["x-request-id"]


def test_an_error_in_run_is_logged_with_its_id_and_hidden_from_the_client(server: Server, client: httpx.Client) -> None:
    answer = client.post("/score", json={"raise": "the secret reason"}, headers={"x-request-id": "find-me"})
    assert (answer.status_code, answer.headers["x-ms-run-function-failed"]) == (500, "True")
    assert answer.json() == {"message": "An unexpected error occurred in scoring script. Check the logs for more info."}
    assert "x-ms-run-fn-exec-ms" not in answer.headers
    server.line(r"ERROR \[\d+\] find-me run\(\) failed")
    server.line("ValueError: the secret reason")


def test_an_exit_in_run_costs_only_its_request(server: Server, client: httpx.Client) -> None:
    before = server.scorers()
    assert client.post("/score", json={"exit": 7}).status_code == 500
    assert client.post("/score", json={"echo": 1}).json() == 1
    assert server.scorers() == before


def test_what_run_prints_reaches_the_log_at_once(server: Server, client: httpx.Client) -> None:
    assert client.post("/score", json={"print": "hello from the script"}).json() == {}
    server.line(r"INFO \[\d+\] [0-9a-f-]{36} hello from the script$")


def test_a_response_of_the_scripts_own(client: httpx.Client) -> None:
    answer = client.post("/score", json={"status": 418})
    assert (answer.status_code, answer.text) == (418, "said so")
    assert answer.headers.get_list("x-mine") == ["a", "b"]
    assert answer.headers["x-request-id"] != "not mine"


def test_an_access_log_line_for_each_request(server: Server, client: httpx.Client) -> None:
    client.post("/score", json={"echo": 1}, headers={"x-request-id": "seen"})
    server.line(r"INFO \[\d+\] seen POST /score 200 \d+\.\d{3}ms 1$")
    client.post("/score", content=b"\xff", headers={"x-request-id": "refused"})
    server.line(r"INFO \[\d+\] refused POST /score 400 \d+\.\d{3}ms \d+$")


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"\xff\xfe{}", 400, "Input cannot be decoded as UTF-8: 'utf-8' codec can't decode byte 0xff in position 0"),
        (b"[" * LIMIT, 400, "too deep, says the script"),
        (b"x" * (LIMIT + 1), 413, f"The request body is larger than {LIMIT} bytes"),
        (iter([b"x" * 600, b"x" * 600]), 413, f"The request body is larger than {LIMIT} bytes"),
    ],
)
def test_a_bad_body_is_refused(content: bytes, status: int, message: str, client: httpx.Client) -> None:
    answer = client.post("/score", content=content)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)
    assert answer.headers["x-request-id"]
    assert client.post("/score", json={"echo": 1}).json() == 1


def test_an_empty_body_goes_to_the_script(client: httpx.Client) -> None:
    """As under azmlinfsrv, whose undecorated run() is called with an empty string."""
    assert client.post("/score", content=b"").json() == "nothing"


def test_a_body_of_just_the_limit_is_taken(client: httpx.Client) -> None:
    body = json.dumps({"raw": ""}).ljust(LIMIT).encode()
    assert client.post("/score", content=body).json() == body.decode()
    assert client.post("/score", content=iter([body[:400], body[400:]])).json() == body.decode()


def test_a_large_body_is_refused_before_it_is_sent(server: Server) -> None:
    with connected(server) as raw:
        raw.sendall(b"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000000\r\n\r\n")
        raw.settimeout(WAIT_SECONDS)
        answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_are_405(method: str, client: httpx.Client) -> None:
    answer = client.request(method, "/score")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_options_is_answered(client: httpx.Client) -> None:
    answer = client.options("/score")
    assert (answer.status_code, answer.content) == (200, b"")


def test_many_at_once_each_get_their_own_answer(together: Server) -> None:
    async def all_of(values: list[int]) -> list[int]:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        async with httpx.AsyncClient(base_url=together.url, timeout=WAIT_SECONDS, limits=limits) as client:
            answers = await asyncio.gather(*(client.post("/score", json={"echo": value}) for value in values))
        return [answer.json() for answer in answers]

    values = list(range(200))
    assert asyncio.run(all_of(values)) == values


requests = st.one_of(
    st.builds(lambda value: (json.dumps({"echo": value}).encode(), 200, value), st.integers() | st.text()),
    st.builds(lambda text: (json.dumps({"raise": text}).encode(), 500, None), st.text()),
    st.builds(lambda body: (b"\xff" + body, 400, None), st.binary(max_size=20)),
    st.just((b"", 200, "nothing")),
    st.just((b'{"object": 1}', 500, None)),
    st.just((b'{"many": "raise", "echo": 1}', 500, None)),
)


@given(st.lists(requests, min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_whatever_shares_a_batch_each_request_keeps_its_own_answer(
    together: Server, asked: list[tuple[bytes, int, object]]
) -> None:
    async def all_of() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=together.url, timeout=WAIT_SECONDS) as client:
            return await asyncio.gather(*(client.post("/score", content=body) for body, _, _ in asked))

    for (_, status, value), answer in zip(asked, asyncio.run(all_of()), strict=True):
        assert answer.status_code == status
        if status == 200:
            assert answer.json() == value


def test_a_full_queue_is_429_and_what_waited_is_one_batch(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", TOGETHER)), "--max-concurrent-requests-per-instance", "5").ready()
    hold = tmp_path / "hold"

    async def overload() -> tuple[list[httpx.Response], object, list[object]]:
        async with httpx.AsyncClient(base_url=server.url, timeout=WAIT_SECONDS) as client:
            held = asyncio.create_task(client.post("/score", json={"until": str(hold)}))
            while not (tmp_path / "hold.started").exists():
                await asyncio.sleep(0.01)
            tasks = [asyncio.create_task(client.post("/score", json={"many": "count"})) for _ in range(7)]
            while sum(task.done() for task in tasks) < 3:
                await asyncio.sleep(0.01)
            refused = [task.result() for task in tasks if task.done()]
            hold.touch()
            answers = [await task for task in tasks]
            return refused, (await held).json(), [answer.json() for answer in answers if answer.status_code == 200]

    refused, held, counted = asyncio.run(overload())
    assert [answer.status_code for answer in refused] == [429] * 3
    assert refused[0].json() == {"message": "Too many requests: 5 are waiting or being scored."}
    assert refused[0].headers["retry-after"] == "1"
    assert held == "held"
    assert counted == [4] * 4


def test_a_client_that_goes_away_gives_its_place_back(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--max-concurrent-requests-per-instance", "2").ready()
    hold, notes = tmp_path / "hold", tmp_path / "notes"
    with connected(server) as held:
        held.sendall(post({"until": str(hold)}))
        wait_until((tmp_path / "hold.started").exists)
        pair = [connected(server), connected(server)]
        for number, raw in enumerate(pair):
            raw.sendall(post({"note": str(notes), "name": f"gone {number}"}))
        refused = next_readable(pair)
        assert refused.recv(65536).startswith(b"HTTP/1.1 429 ")
        for raw in pair:
            raw.close()
        refusals: list[httpx.Response] = []

        def insist() -> object:
            while True:
                answer = httpx.post(
                    server.url + "/score", json={"note": str(notes), "name": "late"}, timeout=WAIT_SECONDS
                )
                if answer.status_code != 429:
                    return answer.json()
                refusals.append(answer)

        def accepted() -> bool:
            seen = len(refusals)
            time.sleep(0.5)
            return len(refusals) == seen

        with ThreadPoolExecutor(1) as threads:
            late = threads.submit(insist)
            wait_until(accepted)
            hold.touch()
            assert late.result(WAIT_SECONDS) == "late"
    assert notes.read_text() == "late\n"


def test_requests_sent_ahead_are_answered_in_their_order(server: Server) -> None:
    with connected(server) as raw:
        raw.sendall(b"".join(post({"echo": f"<{number}>"}) for number in range(5)))
        came = b""
        while came.count(b">") < 5:
            came += raw.recv(65536)
    assert re.findall(rb"<\d>", came) == [b"<0>", b"<1>", b"<2>", b"<3>", b"<4>"]


def connected(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 0), timeout=WAIT_SECONDS)


def post(content: object) -> bytes:
    body = json.dumps(content).encode()
    return b"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def next_readable(sockets: list[socket.socket]) -> socket.socket:
    readable, _, _ = select.select(sockets, [], [], WAIT_SECONDS)
    return next(raw for raw in sockets if raw in readable)


def test_there_is_room_for_a_body_before_it_is_read(serve: Serve, tmp_path: Path) -> None:
    limits = ("--max-queue-bytes", "1000000", "--max-body-bytes", "1000000")
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), *limits).ready()
    head = b"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    with connected(server) as slow:
        slow.sendall(head % 900_000)
        wait_until(lambda: server.connections() == 1)
        with connected(server) as second:
            second.sendall(head % 900_000)
            refused = second.recv(65536)
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert b"900000 bytes of the 1000000" in refused
        assert httpx.post(server.url + "/score", json={"echo": 1}, timeout=WAIT_SECONDS).json() == 1


def test_a_client_that_leaves_while_init_runs_gives_its_place_back(serve: Serve, tmp_path: Path) -> None:
    go = tmp_path / "go"
    one = ("--max-concurrent-requests-per-instance", "1")
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), *one, TEST_INIT_UNTIL=str(go)).listening()
    with connected(server) as leaves:
        leaves.sendall(post({"echo": "left"}))
        wait_until(lambda: httpx.post(server.url + "/score", json={"echo": 0}, timeout=WAIT_SECONDS).status_code == 429)
    with ThreadPoolExecutor(1) as threads:
        stays = threads.submit(_until_taken, server)
        wait_until(lambda: server.connections() >= 1)
        go.touch()
        assert stays.result(WAIT_SECONDS) == "stays"


def _until_taken(server: Server) -> object:
    while True:
        answer = httpx.post(server.url + "/score", json={"echo": "stays"}, timeout=WAIT_SECONDS)
        if answer.status_code != 429:
            return answer.json()


def test_a_budget_counts_while_init_runs(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", OBEDIENT)
    server = serve(str(bundle), TEST_INIT_UNTIL=str(tmp_path / "never")).listening()
    budget = {"x-scoring-timeout-ms": "200"}
    answer = httpx.post(server.url + "/score", json={"echo": 1}, headers=budget, timeout=WAIT_SECONDS)
    assert (answer.status_code, answer.json()) == (500, {"message": "Scoring timeout after 200 ms"})
