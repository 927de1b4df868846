"""Answers that are sent as they are made: in order, without heaping up, and never passed off as whole."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from scorewright.service.scoring import TIMEOUT_GRACE_SECONDS
from tests.contract.exchange import raw_exchange
from tests.service.servers import WAIT_SECONDS, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Server

SCRIPT = """
import json, os, time
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.005)


def run(raw):
    request = json.loads(raw)
    if request["do"] == "whole":
        return "whole"
    answer = globals()[request["do"]](**request.get("with", {}))
    return AMLResponse(answer, request.get("status", 200), request.get("headers", {}))


def step_by_step(folder):
    for number in range(3):
        wait_for(f"{folder}/{number}")
        yield f"piece {number};"


def pauses(seconds):
    yield "before;"
    time.sleep(seconds)
    yield "after"


def breaks():
    yield "begun"
    raise ValueError("amid the answer")


def dies():
    yield "begun"
    os.abort()


def endless(note):
    try:
        while True:
            yield "x" * 65536
    finally:
        open(note, "w").close()


def large(pieces):
    for number in range(pieces):
        yield bytes([number % 256]) * 100_000


def quick():
    yield "quick"


def sleeps():
    time.sleep(30)
    yield "much too late"


def run_many(raws):
    return [run(raw) for raw in raws]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("stream")
    (folder / "score.py").write_text(SCRIPT)
    with serving(cwd=folder) as serve:
        yield serve("--entry-script", "score.py").ready()


@contextmanager
def begun(server: Server, request: object) -> Iterator[http.client.HTTPResponse]:
    """Send a request, read the head of its answer, and hang up in the end."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=WAIT_SECONDS)
    connection.request("POST", "/score", json.dumps(request))
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def whole(server: Server, request: object) -> bytes:
    """The body of an answer, read to its end."""
    with begun(server, request) as answer:
        return answer.read()


def test_each_piece_is_there_before_the_next_is_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "0").touch()
    with begun(server, {"do": "step_by_step", "with": {"folder": str(tmp_path)}}) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.headers["x-ms-run-function-failed"] == "False"
        for number in range(3):
            assert answer.read1() == f"piece {number};".encode()
            (tmp_path / str(number + 1)).touch()
        assert answer.read1() == b""


def test_a_length_that_is_known_is_told(server: Server) -> None:
    with begun(server, {"do": "quick", "headers": {"Content-Length": "5"}}) as answer:
        assert (answer.headers["content-length"], answer.headers["transfer-encoding"]) == ("5", None)
        assert answer.read() == b"quick"


def test_a_client_of_http_1_0_is_given_the_whole_at_once(server: Server) -> None:
    body = b'{"do": "large", "with": {"pieces": 3}}'
    request = b"POST /score HTTP/1.0\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    head, _, got = raw_exchange(server.url, request, end=False).partition(b"\r\n\r\n")
    assert b"content-length: 300000" in head
    assert b"transfer-encoding" not in head
    assert len(got) == 300_000


def test_a_pause_between_pieces_is_not_run_taking_too_long(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py", SCORING_TIMEOUT_MS="100").ready()
        with begun(server, {"do": "pauses", "with": {"seconds": TIMEOUT_GRACE_SECONDS + 1}}) as answer:
            assert answer.read() == b"before;after"
        assert "is ended" not in server.log


def test_a_pause_that_is_too_long_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py", WORKER_TIMEOUT="1").ready()
        with begun(server, {"do": "pauses", "with": {"seconds": 60}}) as answer:
            with pytest.raises(http.client.IncompleteRead) as broken:
                answer.read()
            assert broken.value.partial == b"before;"
        server.line(r"Scorer \d+ is ended: it is at work, and its time to answer was over")


@pytest.mark.parametrize("do", ["breaks", "dies"])
def test_an_answer_that_breaks_off_is_not_passed_off_as_whole(server: Server, do: str) -> None:
    with begun(server, {"do": do}) as answer, pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert broken.value.partial == b"begun"
    server.line("amid the answer" if do == "breaks" else "died: it was killed by SIGABRT")
    assert whole(server, {"do": "quick"}) == b"quick"


def test_a_client_that_leaves_ends_the_answer(server: Server, tmp_path: Path) -> None:
    note = tmp_path / "closed"
    with begun(server, {"do": "endless", "with": {"note": str(note)}}) as answer:
        assert answer.read(100_000) == b"x" * 100_000
    wait_until(note.exists)
    assert whole(server, {"do": "quick"}) == b"quick"


def test_a_client_that_reads_too_slowly_does_not_keep_its_scorer(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py", WORKER_TIMEOUT="1").ready()
        (scorer,) = server.scorers()
        note = tmp_path / "closed"
        with begun(server, {"do": "endless", "with": {"note": str(note)}}) as answer:
            server.line("An answer is broken off: its client reads so slowly")
            wait_until(note.exists)
            assert whole(server, {"do": "quick"}) == b"quick"
            assert server.scorers() == [scorer]
            # Nor the service from ending, though there still is something to be sent to it.
            assert server.end() == 0
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                answer.read()


def test_what_a_slow_client_does_not_read_is_not_made_either(server: Server, tmp_path: Path) -> None:
    """The answer is some 200 MB: without anything that holds the script back, the front would have it all."""
    parts = urlsplit(server.url)
    body = b'{"do": "large", "with": {"pieces": 2000}}'
    with socket.create_connection(("127.0.0.1", parts.port or 0)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.sendall(b"POST /score HTTP/1.1\r\nhost: x\r\nconnection: close\r\n")
        slow.sendall(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        taken = len(slow.recv(1000))
        (scorer,) = server.scorers()
        wait_until(lambda: state(scorer) == "S" and state(scorer) == "S")
        assert resident(server.process.pid) < 150_000_000
        while piece := slow.recv(1_000_000):
            taken += len(piece)
    assert taken > 200_000_000


def test_stopping_waits_for_an_answer_under_way(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py").ready()
        (tmp_path / "0").touch()
        with begun(server, {"do": "step_by_step", "with": {"folder": str(tmp_path)}}) as answer:
            assert answer.read1() == b"piece 0;"
            os.kill(server.process.pid, signal.SIGTERM)
            server.line("Stopping: no new connections")
            (tmp_path / "1").touch()
            (tmp_path / "2").touch()
            assert answer.read() == b"piece 1;piece 2;"
        assert server.process.wait(WAIT_SECONDS) == 0


def state(pid: int) -> str:
    """The state of a process, from /proc: S while it waits."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()[0]


def resident(pid: int) -> int:
    """The memory of a process, in bytes, from /proc."""
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize(
    "odd", [{"status": 204}, {"headers": {"content-length": "9" * 5000}}, {"headers": {"content-length": "5"}}]
)
def test_an_answer_that_http_cannot_carry_as_it_is_leaves_the_scorer_free(
    odd: dict[str, object], server: Server
) -> None:
    with begun(server, {"do": "large", "with": {"pieces": 100}, **odd}):
        pass
    answer = httpx.post(server.url + "/score", json={"do": "whole"}, timeout=WAIT_SECONDS)
    assert answer.json() == "whole"


def test_what_is_whole_does_not_wait_for_a_neighbour_that_is_made_by_and_by(server: Server, tmp_path: Path) -> None:
    (tmp_path / "0").touch()
    with ThreadPoolExecutor(4) as threads, begun(server, {"do": "step_by_step", "with": {"folder": str(tmp_path)}}):
        together = [{"do": "whole"}, {"do": "step_by_step", "with": {"folder": str(tmp_path / "b")}}, {"do": "whole"}]
        sent = [threads.submit(httpx.post, server.url + "/score", json=one, timeout=WAIT_SECONDS) for one in together]
        wait_until(lambda: server.connections() == 4)
        (tmp_path / "1").touch()
        (tmp_path / "2").touch()
        assert [sent[place].result(WAIT_SECONDS).json() for place in (0, 2)] == ["whole", "whole"]
        (tmp_path / "b").mkdir()
        for number in range(3):
            (tmp_path / "b" / str(number)).touch()
        assert sent[1].result(WAIT_SECONDS).text == "piece 0;piece 1;piece 2;"


def test_the_time_before_the_first_piece_is_a_requests_own(server: Server) -> None:
    scorers = server.scorers()
    answer = httpx.post(
        server.url + "/score", json={"do": "sleeps"}, headers={"x-scoring-timeout-ms": "300"}, timeout=WAIT_SECONDS
    )
    assert (answer.status_code, answer.json()) == (500, {"message": "Scoring timeout after 300 ms"})
    assert httpx.post(server.url + "/score", json={"do": "whole"}, timeout=WAIT_SECONDS).json() == "whole"
    assert server.scorers() == scorers
