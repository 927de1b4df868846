"""The service's life: starts that fail, starts that take long, and the ways to end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.load import Load
from tests.service.servers import OBEDIENT, TOGETHER, WAIT_SECONDS, alive, wait_until, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Serve, Server


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", OBEDIENT)


def refused(server: Server, code: int, *said: str) -> None:
    """The service ended with this code, said this, and showed no traceback of its own."""
    assert server.process.wait(WAIT_SECONDS) == code, server.log
    for pattern in said:
        server.line(pattern)
    wait_until(lambda: server.finished)
    assert "scorewright/service" not in server.log


def test_a_failing_init_ends_the_service_with_3_its_traceback_and_the_model_folder(serve: Serve, bundle: Path) -> None:
    server = serve(str(bundle), TEST_INIT_FAILS="1", WORKER_COUNT="2")
    refused(server, 3, r"init\(\) in .*score.py failed", "Traceback", "OSError: no model here", "model.txt  8 bytes")
    assert server.log.count("Traceback") == 1
    assert server.scorers() == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def init(:\n", "SyntaxError"),
        ("def init():\n    pass\n", r"has no function run\(\)"),
        ("import sys\nsys.exit(0)\n", "SystemExit"),
    ],
)
def test_a_script_that_cannot_be_imported_ends_the_service_with_3(
    script: str, said: str, serve: Serve, tmp_path: Path
) -> None:
    refused(serve(str(write_bundle(tmp_path / "b", script))), 3, said)


def test_a_scorer_that_dies_while_it_loads_ends_the_service_with_3(serve: Serve, bundle: Path) -> None:
    refused(serve(str(bundle), TEST_INIT_DIES="1"), 3, "ended while it loaded .*score.py: it exited with code 5")


def test_a_port_that_is_taken(serve: Serve, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(serve(str(bundle), "--port", str(port)), 9, f"Port {port} of 127.0.0.1 .*in use", "--port")


def test_a_host_that_is_none(serve: Serve, bundle: Path) -> None:
    refused(serve(str(bundle), "--host", "256.0.0.1"), 9, "no address '256.0.0.1' to listen on", "--host")


def test_a_changed_bundle_is_refused_before_anything_is_loaded(serve: Serve, bundle: Path) -> None:
    (bundle / "model" / "model.txt").write_text("another\n")
    (bundle / "score.py").write_text("print('loaded')\n")
    server = serve(str(bundle))
    refused(server, 6, "has changed since the bundle was made")
    assert "loaded\n" not in server.log


def test_no_bundle_and_no_folder(serve: Serve, tmp_path: Path) -> None:
    refused(serve(SCOREWRIGHT_BUNDLE=""), 2, "There is nothing to serve.")
    refused(serve(str(tmp_path / "nowhere")), 6, "is not a folder")


def test_a_bad_setting(serve: Serve, bundle: Path) -> None:
    refused(serve(str(bundle), WORKER_COUNT="many"), 2, "worker_count is 'many': input should be a valid integer")


def test_other_versions_than_the_models_are_refused_unless_allowed(serve: Serve, tmp_path: Path) -> None:
    script = OBEDIENT + "\nprint('allowed', os.environ.get('SCOREWRIGHT_ALLOW_VERSION_SKEW'))\n"
    bundle = str(write_bundle(tmp_path / "b", script, versions={"httpx": "99.0"}))
    refused(serve(bundle), 7, "httpx 99.0 made the model, 0.28.1 is installed here")
    serve(bundle, "--allow-version-skew").ready().line("allowed 1$")
    serve(bundle, SCOREWRIGHT_ALLOW_VERSION_SKEW="1").ready().line("allowed 1$")


def test_bundle_and_model_folder_from_the_environment(serve: Serve, tmp_path: Path) -> None:
    script = OBEDIENT + "\nprint('model dir', os.environ['AZUREML_MODEL_DIR'])\n"
    bundle = write_bundle(tmp_path / "b", script)
    apart = tmp_path / "azureml-models" / "hand-written" / "1"
    apart.mkdir(parents=True)
    (bundle / "model").rename(apart / "model")
    server = serve(SCOREWRIGHT_BUNDLE=str(bundle), AZUREML_MODEL_DIR=str(apart), SCOREWRIGHT_HOST="0.0.0.0")  # noqa: S104
    assert server.listening().url.startswith("http://0.0.0.0:")
    server.line(f"model dir {apart}$")


def test_the_front_listens_at_once_and_is_ready_when_init_is_done(serve: Serve, bundle: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    server = serve(str(bundle), TEST_INIT_UNTIL=str(go)).listening()
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/livez").status_code == 200
        for path in ("/", "/readyz"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "init() has not finished" in answer.json()["message"]
        go.touch()
        server.ready()
        assert client.get("/").text == "Healthy"
        assert client.post("/score", json={"echo": 1}).json() == 1


def test_what_comes_before_init_is_done_waits_for_it(serve: Serve, bundle: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    server = serve(str(bundle), "--max-concurrent-requests-per-instance", "2", TEST_INIT_UNTIL=str(go)).listening()
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client, ThreadPoolExecutor(3) as threads:
        sent = [threads.submit(client.post, "/score", json={"echo": number}) for number in range(3)]
        wait_until(lambda: any(one.done() for one in sent))
        go.touch()
        answers = [one.result() for one in sent]
        assert sorted(answer.status_code for answer in answers) == [200, 200, 429]
        for number, answer in enumerate(answers):
            assert answer.json() == number or answer.status_code == 429


def test_who_waits_for_a_start_that_fails_is_told_so(serve: Serve, tmp_path: Path) -> None:
    script = OBEDIENT.replace("def init():", "def init():\n    _hold('go')\n    raise OSError('no model here')\n")
    server = serve(str(write_bundle(tmp_path / "b", script.replace("'go'", repr(str(tmp_path / "go")))))).listening()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(httpx.post, server.url + "/score", json={"echo": 1}, timeout=WAIT_SECONDS)
        wait_until(lambda: server.connections() == 1)
        (tmp_path / "go").touch()
        answer = waiting.result()
        assert (answer.status_code, answer.json()["message"]) == (
            503,
            "The service cannot start. Check the logs for more info.",
        )
        assert server.process.wait(WAIT_SECONDS) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_answered_before_the_end(number: signal.Signals, serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT)), "--max-concurrent-requests-per-instance", "6").ready()
    (scorer,) = server.scorers()
    hold = tmp_path / "hold"

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server.url, timeout=WAIT_SECONDS) as client:
            held = asyncio.create_task(client.post("/score", json={"until": str(hold)}))
            while not (tmp_path / "hold.started").exists():
                await asyncio.sleep(0.01)
            tasks = [asyncio.create_task(client.post("/score", json={"echo": n})) for n in range(6)]
            while not any(task.done() for task in tasks):
                await asyncio.sleep(0.01)
            server.process.send_signal(number)
            await asyncio.to_thread(wait_until, lambda: not connectable(server))
            hold.touch()
            return [await held, *[await task for task in tasks]]

    answers = asyncio.run(ask())
    assert sorted(answer.status_code for answer in answers) == [200] * 6 + [429]
    assert all(answer.headers["connection"] == "close" for answer in answers if answer.status_code == 200)
    assert server.process.wait(WAIT_SECONDS) == 0
    assert not alive(scorer)


def test_sigterm_under_load_loses_nothing_that_was_scored(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", TOGETHER)), "--worker-count", "2").ready()
    notes = tmp_path / "notes"
    enough = threading.Event()

    def client(number: int) -> list[str]:
        answered: list[str] = []
        with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
            while True:
                try:
                    answer = client.post("/score", json={"note": str(notes), "name": f"{number}-{len(answered)}"})
                except httpx.TransportError:
                    return answered
                assert answer.status_code == 200
                answered.append(answer.json())
                if len(answered) == 20:
                    enough.set()

    with ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(client, number) for number in range(8)]
        assert enough.wait(WAIT_SECONDS)
        assert server.end() == 0
        answered = [name for done in clients for name in done.result()]
    assert sorted(answered) == sorted(notes.read_text().split())


def test_sigterm_to_every_process_at_once_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    """As systemd sends it, unless it is told otherwise."""
    server = serve(str(write_bundle(tmp_path / "b", TOGETHER)), "--worker-count", "2", "--http-workers", "2").ready()
    wait_until(lambda: len(server.fronts()) == 1 and len(server.scorers()) == 2)
    notes, hold = tmp_path / "notes", tmp_path / "hold"
    with ThreadPoolExecutor(1) as threads, Load(server, {"note": str(notes), "name": "x"}) as load:
        held = threads.submit(httpx.post, server.url + "/score", json={"until": str(hold)}, timeout=WAIT_SECONDS)
        wait_until((tmp_path / "hold.started").exists)
        load.more(50)
        for pid in (*server.scorers(), *server.fronts(), server.process.pid):
            os.kill(pid, signal.SIGTERM)
        load.stop()
        hold.touch()
        assert held.result(WAIT_SECONDS).json() == "held"
        assert server.process.wait(WAIT_SECONDS) == 0
    assert set(load.answers) == {(200, '"x"')}
    assert (len(notes.read_text().split()), load.lost) == (load.answers.total(), 0)


def test_a_second_signal_ends_at_once(serve: Serve, bundle: Path, tmp_path: Path) -> None:
    server = serve(str(bundle)).ready()
    (scorer,) = server.scorers()
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(
            httpx.post, server.url + "/score", json={"until": str(tmp_path / "never")}, timeout=WAIT_SECONDS
        )
        wait_until((tmp_path / "never.started").exists)
        server.process.send_signal(signal.SIGTERM)
        server.line("Stopping")
        assert server.end() == 9
        server.line("Stopped before every accepted request was answered")
        answer = held.result(WAIT_SECONDS)
        assert (answer.status_code, answer.json()["message"]) == (
            503,
            "The service was stopped before this request was answered.",
        )
    assert not alive(scorer)


def test_what_takes_too_long_to_be_answered_or_to_come_is_503(serve: Serve, bundle: Path, tmp_path: Path) -> None:
    server = serve(str(bundle), SCOREWRIGHT_DRAIN_TIMEOUT="2").ready()
    with (
        ThreadPoolExecutor(1) as threads,
        socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), WAIT_SECONDS) as slow,
    ):
        held = threads.submit(
            httpx.post, server.url + "/score", json={"until": str(tmp_path / "never")}, timeout=WAIT_SECONDS
        )
        wait_until((tmp_path / "never.started").exists)
        slow.sendall(b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n[")
        wait_until(lambda: server.connections() == 2)
        assert server.end() == 9
        server.line("The 2 s of drain_timeout are over")
        said = b""
        while piece := slow.recv(65536):
            said += piece
        assert said.startswith(b"HTTP/1.1 503 ")
        assert said.endswith(b'{"message": "The service was stopped before this request was answered."}')
        assert held.result(WAIT_SECONDS).status_code == 503


def test_sigterm_while_the_model_loads(serve: Serve, bundle: Path, tmp_path: Path) -> None:
    server = serve(str(bundle), TEST_INIT_UNTIL=str(tmp_path / "never")).listening()
    scorers = server.scorers()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(httpx.post, server.url + "/score", json={"echo": 1}, timeout=WAIT_SECONDS)
        wait_until(lambda: server.connections() == 1)
        assert server.end() == 0
        assert (waiting.result().status_code, waiting.result().json()) == (503, {"message": "The service is stopping."})
    assert not any(alive(pid) for pid in scorers)


def test_a_front_that_is_killed_leaves_no_scorer(serve: Serve, bundle: Path, tmp_path: Path) -> None:
    server = serve(str(bundle), "--worker-count", "2").ready()
    wait_until(lambda: httpx.get(server.url + "/readyz").json()["scorers"] == 2)
    scorers = server.scorers()
    assert len(scorers) == 2
    with ThreadPoolExecutor(1) as threads:
        threads.submit(httpx.post, server.url + "/score", json={"until": str(tmp_path / "never")}, timeout=WAIT_SECONDS)
        wait_until((tmp_path / "never.started").exists)
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until(lambda: not any(alive(pid) for pid in scorers))


def connectable(server: Server) -> bool:
    url = httpx.URL(server.url)
    try:
        socket.create_connection((url.host, url.port or 0), timeout=WAIT_SECONDS).close()
    except OSError:
        return False
    return True


def test_a_terminal_that_closes_does_not_end_it_and_sigquit_does(serve: Serve, bundle: Path) -> None:
    server = serve(str(bundle)).ready()
    server.process.send_signal(signal.SIGHUP)
    assert httpx.get(server.url + "/").text == "Healthy"
    assert server.end(signal.SIGQUIT) == 0
