"""A running service: ours, really served, and others that do one thing wrong."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.doctor.runner import examine
from scorewright.doctor.service import guarded, probe_time
from scorewright.doctor.service.checks import CHECKS
from scorewright.doctor.service.endpoint import Endpoint
from scorewright.errors import UsageError
from tests.deploy.standin.certificate import make_certificate
from tests.service.servers import serving, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.doctor.finding import Finding
    from tests.command import Command
    from tests.service.servers import Server

ECHO = "import json\n\n\ndef init():\n    pass\n\n\ndef run(raw):\n    return json.loads(raw)\n"
KEY = "k3y-that-is-secret"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sample = {"sample_request__json": '{"data": [[1]]}', "expected_response__json": '{"data": [[1]]}'}
    return write_bundle(tmp_path_factory.mktemp("served") / "bundle", ECHO, versions=None, **sample)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving() as start:
        yield start(str(folder)).ready()


class Other(BaseHTTPRequestHandler):
    """A server that answers by a table of status and body; POST /score asks for the key."""

    answers: dict[str, tuple[int, str]] = {}  # noqa: RUF012  # each server has a class of its own

    def do_GET(self) -> None:
        self._answer(*self.answers.get(self.path, (404, "")))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") == f"Bearer {KEY}":
            self._answer(*self.answers.get("POST", (200, "{}")))
        else:
            self._answer(401, f"no, {self.headers.get('Authorization')}")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@contextmanager
def other(answers: dict[str, tuple[int, str]], certificate: Path | None = None) -> Iterator[str]:
    """The URL of such a server, by TLS if it is given a certificate."""
    handler = type("Handler", (Other,), {"answers": answers})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            found.socket = context.wrap_socket(found.socket, server_side=True)
            scheme = "https"
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{found.server_port}"
        finally:
            found.shutdown()
            thread.join()


WELL = {"/": (200, "Healthy"), "/readyz": (200, ""), "/swagger.json": (200, "{}")}


def looked(url: str, **given: Any) -> dict[str, Finding]:
    return {one.check: one for one in examine(CHECKS, Endpoint.of(url, **given))}


def test_ours_is_well(server: Server, folder: Path, command: Command) -> None:
    times = ("--client-timeout", 30, "--request-timeout-ms", 5000)
    ran = command("doctor", server.url, "--bundle", folder, *times, "--json")
    assert ran.exit_code == 0, ran.out
    told = json.loads(ran.out)
    assert (told["kind"], told["subject"]) == ("service", server.url)
    assert told["counts"] == {"ok": len(CHECKS), "warning": 0, "failed": 0, "not looked at": 0}
    said = {one["check"]: one["said"] for one in told["findings"]}
    assert said["ready"] == "GET / and /readyz are answered 200, 1 scorer"
    assert said["routes"] == "/v2 200, /swagger.json 200"
    assert said["sample"].startswith("it is answered as expected, in ")
    # /score is what people copy; its top is meant.
    assert command("doctor", f"{server.url}/score").exit_code == 0


def test_another_answer_than_the_bundles(server: Server, folder: Path, tmp_path: Path) -> None:
    from scorewright.bundle import Bundle

    sample = {"sample_request__json": '{"data": [[1]]}', "expected_response__json": '{"data": [[2]]}'}
    bundle = Bundle.load(write_bundle(tmp_path / "other", ECHO, versions=None, **sample))
    assert looked(server.url, bundle=bundle)["sample"].result == "failed"
    assert looked(server.url, bundle=Bundle.load(folder))["sample"].result == "ok"


def test_nobody_there_is_told_once(command: Command) -> None:
    ran = command("doctor", "http://127.0.0.1:1")
    assert ran.exit_code == 18
    assert ran.out.startswith("failed        reachable    Nobody listens at 127.0.0.1:1.\n")
    assert ran.out.count("the service cannot be reached") == len(CHECKS) - 2
    assert "1 of 9 checks failed: reachable." in ran.err


def test_a_model_that_is_still_loaded(tmp_path: Path) -> None:
    waits = "import time\n\n\ndef init():\n    time.sleep(600)\n\n\ndef run(raw):\n    return raw\n"
    with serving() as start:
        # A request to /score would wait for init(): it is not sent to what is not ready.
        found = looked(start(str(write_bundle(tmp_path / "b", waits))).listening().url)
    assert found["ready"].result == "failed"
    assert "requests are not scored, though the service runs" in found["ready"].said
    assert (found["auth"].result, found["sample"].result) == ("not looked at", "not looked at")


def test_a_key_is_asked_for_and_taken(hand_made: Bundle, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (hand_made.root / "expected_response.json").write_text('{"right": 1}')
    with other({**WELL, "POST": (200, '{"right": 1}')}) as url:
        found = looked(url, bundle=hand_made)
        assert (found["auth"].result, found["auth"].said) == ("ok", "without a key, a request is answered 401")
        assert (found["sample"].result, found["sample"].said) == ("not looked at", "it asks for a key")
        assert looked(url, bundle=hand_made, key=KEY)["sample"].result == "ok"
        wrong = looked(url, bundle=hand_made, key="another-key")["sample"]
        assert (wrong.result, wrong.said) == ("failed", "the key is refused (401)")
        monkeypatch.setenv("SCOREWRIGHT_KEY", KEY)
        ran = command("doctor", url, "--bundle", hand_made.root)
        assert "it is answered as expected" in ran.out
        assert KEY not in ran.out + ran.err


def test_a_key_that_is_repeated_is_not_shown(hand_made: Bundle) -> None:
    (hand_made.root / "expected_response.json").write_text("{}")
    with other({**WELL, "POST": (500, f"you sent {KEY}")}) as url:
        sample = looked(url, bundle=hand_made, key=KEY)["sample"]
    assert (sample.result, "you sent ***" in sample.said) == ("failed", True)
    assert KEY not in sample.said


def test_another_server_with_what_is_wrong_there() -> None:
    with other({**WELL, "/swagger.json": (500, ""), "/readyz": (404, "")}) as url:
        found = looked(url)
        assert (found["routes"].result, "/swagger.json 500" in found["routes"].said) == ("failed", True)
        assert (found["ready"].result, "/readyz 404" in found["ready"].said) == ("ok", True)
        assert found["version"].result == "not looked at"
    with other({**WELL, "/swagger.json": (404, ""), "/": (404, "")}) as url:
        found = looked(url)
        assert found["ready"].result == "failed"
        assert found["routes"].result == "warning"
    with other({**WELL, "/swagger.json": (401, "")}) as url:
        assert looked(url)["routes"].result == "not looked at"
        assert looked(url, key=KEY)["routes"].result == "failed"


def test_another_release(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorewright.doctor.service.release.__version__", "99.0")
    found = looked(server.url)["version"]
    assert (found.result, "this command 99.0" in found.said) == ("warning", True)


def test_tls_that_is_trusted_and_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path / "certificate.pem")
    with other(WELL, certificate) as url:
        found = looked(url)["reachable"]
        assert (found.result, "is not trusted here" in found.said) == ("failed", True)
        assert "SSL_CERT_FILE" in found.remedy
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        found = looked(url)["tls"]
        # It was made for a day.
        assert (found.result, "holds for 1 days more" in found.said) == ("warning", True), found
        spoken = looked(url.replace("https", "http"))["reachable"]
        assert spoken.result == "failed"
    with other(WELL) as url:
        assert "does not speak TLS" in looked(url.replace("http", "https"))["reachable"].said


def test_clear_text_beyond_this_machine(server: Server) -> None:
    tls = next(check for check in CHECKS if check.name == "tls")

    class Away(Endpoint):
        addresses = ["10.1.2.3"]  # noqa: RUF012

    assert tls.look(Away.of(server.url)).result == "warning"
    assert tls.look(Away.of(server.url, key=KEY)).result == "failed"


@pytest.mark.parametrize(
    ("addresses", "result"),
    [
        (["127.0.0.1"], "ok"),
        (["::1", "127.0.0.1"], "ok"),
        (["10.0.0.7"], "warning"),
        (["127.0.0.1", "192.168.1.4"], "warning"),
        (["20.50.2.1"], "failed"),
        (["10.0.0.7", "2603:1020::1"], "failed"),
        ([], "warning"),
    ],
)
def test_no_key_by_who_can_reach_it(addresses: list[str], result: str) -> None:
    found = guarded.judge(addresses)
    assert found.result == result
    assert bool(found.remedy) == (result != "ok")


@pytest.mark.parametrize(("slowest", "result"), [(0.01, "ok"), (3, "warning"), (5, "failed")])
def test_probes(slowest: float, result: str) -> None:
    assert probe_time.judge(slowest, 5).result == result


@pytest.mark.parametrize("url", ["http://", "ftp://a", "http://a:x", "http://me:secret-word@a"])
def test_what_is_no_url_of_a_service(url: str, command: Command) -> None:
    ran = command("doctor", url)
    assert ran.exit_code == UsageError.exit_code
    assert "secret-word" not in ran.err


def test_a_name_that_nobody_knows(command: Command) -> None:
    ran = command("doctor", "http://nowhere.invalid")
    assert (ran.exit_code, "No address is known for nowhere.invalid." in ran.out) == (18, True)
