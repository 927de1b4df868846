"""What `scorewright loadtest` refuses before there is any load."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from scorewright.errors import UsageError
from scorewright.loadtests import settings
from scorewright.loadtests.endpoint import Answered, Endpoint, refused
from tests.loadtests.servers import REALTIME, request_file
from tests.service.servers import OBEDIENT, serving, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command
    from tests.loadtests.conftest import Served


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "There is nothing to send."),
        (("--bundle", "BUNDLE", "--request", "x.json"), 2, "--bundle and --request are both given."),
        (("--bundle", "BUNDLE", "--slo", "p99<fast"), 2, "--slo 'p99<fast', at character 1"),
        (("--bundle", "BUNDLE", "--scenario", "realtime,all"), 2, "--scenario 'all': there are realtime, client-batch"),
        (("--bundle", "BUNDLE", "--duration", "soon"), 2, "--duration 'soon' is no time"),
        (("--bundle", "BUNDLE", "--duration", "0.5s"), 2, "--duration 0.5s must be from 1s to 24h"),
        (("--bundle", "BUNDLE", "--rows", "1,,2"), 2, "--rows '1,,2' must be numbers of rows"),
        (("--bundle", "BUNDLE", "--users", "0"), 2, "--users 0 must be from 1"),
        (("--bundle", "BUNDLE", "--users", "1", "--workers", "2"), 2, "--users 1 must be from 2, one for each worker"),
        (("--bundle", "BUNDLE", "--rate", "0"), 2, "--rate 0 must be a number of requests a second"),
        (("--bundle", "BUNDLE", "--rate", "nan"), 2, "--rate nan must be a number of requests a second"),
        (("--bundle", "BUNDLE", "--ramp", "9..3"), 2, "--ramp '9..3' must be two numbers of users"),
        (("--bundle", "BUNDLE", "--ramp", "1..8", "--users", "4"), 2, "leave --users and --rate out"),
        (("--bundle", "BUNDLE", "--ramp", "1..8", "--scenario", "mixed"), 2, "The scenario mixed has one load"),
        (("--bundle", "BUNDLE", "--workers", "0"), 2, "--workers 0 must be from 1 to 64"),
        (("--bundle", "BUNDLE", "--key", "k", "--key-file", "f"), 2, "--key and --key-file are both given."),
        (("--bundle", "BUNDLE", "--key-file", "missing"), 2, "The key file missing cannot be read"),
        (("--bundle", "BUNDLE", "--key", "two\nlines"), 2, "characters that a header cannot have"),
        (("--bundle", "BUNDLE", "--bulk-rows", "0"), 2, "--bulk-rows 0 must be a number of rows, from 1."),
        (("--bundle", "BUNDLE", "--deployment", "\u2192"), 2, "--deployment '\u2192' is no name of a deployment."),
        (("--bundle", "BUNDLE", "--slo", ""), 2, "--slo '', at character 1: a clause is empty."),
        (("--bundle", "nowhere"), 6, "nowhere is not a folder."),
        (("--bundle", "BUNDLE", "--out", "BUNDLE"), 6, "exists already."),
        (("--request", "missing.json"), 2, "The request missing.json cannot be read"),
        (("--bundle", "BUNDLE", "--scenario", "bulk"), 2, "need rows where the endpoint can read them"),
        (("--bundle", "BUNDLE", "--plan", "plan.json"), 2, "--plan is of requests of one size."),
    ],
)
def test_it_says_what_is_wrong(
    words: tuple[str, ...], code: int, message: str, doubling: Served, command: Command
) -> None:
    done = command("loadtest", doubling.url, *(str(doubling.bundle) if word == "BUNDLE" else word for word in words))
    assert (done.exit_code, message in done.err) == (code, True), done.err


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("ftp://example.com/score", 2, "ftp://example.com/score is no URL of an endpoint."),
        ("http://127.0.0.1:99999", 2, "is no URL of an endpoint."),
        ("http://me:s3cret@127.0.0.1:5001", 2, "has a name or a password in it"),
        ("http://me:s3cret@127.0.0.1:99999/?code=s3cret", 2, "http://127.0.0.1:99999/ is no URL of an endpoint."),
        ("http://[::1/score", 2, "http://[::1/score is no URL of an endpoint."),
        ("http://127.0.0.1:5001/scöre", 2, "is no URL of an endpoint."),
        ("http://127.0.0.1:5001/score?code=s3cret s3cret", 2, "http://127.0.0.1:5001/score is no URL of an endpoint."),
        (f"http://{70 * 'a'}.example/score", 13, "cannot be asked: "),
        ("FREE", 13, "cannot be asked: Connection refused."),
        ("SERVED/nowhere", 13, "is no scoring route: HTTP 404"),
        ("SERVED/score?code=s3cret", 13, "answer the bundle's sample as the bundle says: predict has 1 items, not 3."),
    ],
)
def test_it_says_what_is_wrong_with_the_endpoint(
    url: str, code: int, message: str, doubling: Served, command: Command, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        url = url.replace("FREE", f"127.0.0.1:{free.getsockname()[1]}").replace("SERVED", doubling.url)
        bundle = doubling.bundle
        if "?" in url:
            bundle = write_bundle(
                tmp_path / "other", "", sample_request__json='{"data": [[1]]}',
                expected_response__json='{"predict": [2, 2, 2]}',
            )  # fmt: skip
        done = command("loadtest", url, "--bundle", bundle)
    assert (done.exit_code, message in done.err) == (code, True), done.err
    assert "s3cret" not in done.out + done.err


def test_a_server_that_is_not_ready(command: Command, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    with serving() as serve:
        url = serve(str(bundle), TEST_INIT_UNTIL=str(tmp_path / "now")).listening().url
        words = ("--request", request_file(tmp_path, {"echo": 1}), "--timeout", "0.3s")
        done = command("loadtest", url, *words, *REALTIME)
    assert (done.exit_code, "gave no answer to POST /score in 0.3 s." in done.err) == (13, True), done.err


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "asks for a key: HTTP 401: why"),
        (404, "is no scoring route: HTTP 404: why"),
        (424, "fails at the request: HTTP 424: why"),
        (429, "is not ready: HTTP 429: why"),
        (503, "is not ready: HTTP 503: why"),
        (400, "refuses the request: HTTP 400: why"),
        (500, "fails at the request: HTTP 500: why"),
        (302, "fails at the request: HTTP 302: why"),
    ],
)
def test_each_refusal_says_what_it_means(status: int, message: str) -> None:
    error = refused(Answered(status, {}, b'{"message": "why"}'), Endpoint.of("example.com"))
    assert error.message == f"http://example.com/score {message}."
    assert error.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: it has no request."),
        ('{"data": [[1]]}\nnot JSON\n', "neither one request as JSON nor one a line: line 2"),
        ('{"data": [[null]]}', "fails at the request"),
        ('{"data": [[1]], "do": "text"}', "does not answer with JSON: hello."),
    ],
)
def test_it_says_what_is_wrong_with_the_request(
    text: str, message: str, doubling: Served, command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "requests.json"
    path.write_text(text)
    done = command("loadtest", doubling.url, "--request", path, *REALTIME)
    assert done.exit_code in (2, 13)
    assert message in done.err


def test_requests_of_an_unknown_form_cannot_be_made_longer(doubling: Served, command: Command, tmp_path: Path) -> None:
    done = command("loadtest", doubling.url, "--request", request_file(tmp_path, {"text": "abc"}))
    assert done.exit_code == 2
    assert 'not of the form {"data": rows}' in done.err


def test_a_server_without_batch_jobs_is_told_of_before_anything_runs(command: Command, tmp_path: Path) -> None:
    class Scoring(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"predict": [1]}')

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Scoring) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            words = ("--request", request_file(tmp_path, {"data": [[1]]}), "--bulk-input", "in")
            done = command("loadtest", f"http://127.0.0.1:{server.server_port}", *words, "--scenario", "realtime,bulk")
        finally:
            server.shutdown()
            thread.join()
    assert done.exit_code == 13
    assert "takes no batch jobs: /batch/jobs answers HTTP 501" in done.err
    assert "realtime" not in done.err


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("500ms", 0.5), ("1.5", 1.5), ("2m", 120), ("1h", 3600)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert settings.read_seconds(text, "--duration", least=0) == seconds


def test_a_ramp_doubles_up_to_its_end() -> None:
    assert [load.users for load in settings.read_ramp("1..10", workers=1).steps] == [1, 2, 4, 8, 10]
    assert [load.rate for load in settings.read_ramp("100..200/s", workers=1).steps] == [100.0, 200.0]
    with pytest.raises(UsageError, match="fewer users than there are --workers"):
        settings.read_ramp("1..10", workers=2)
