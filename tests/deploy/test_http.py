"""How a deployed service is asked, against a server that answers what the test wants."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from scorewright.deploy.aks_place import AksPlace
from scorewright.deploy.aks_target import Aks, AksDeployment
from scorewright.deploy.http import healthy, score
from scorewright.errors import RequestError, ServiceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"


class Server(ThreadingHTTPServer):
    """Answers everything with `answer`, keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.answer: tuple[int, bytes] = (200, b"null")
        self.sent: list[bytes] = []
        self.asked: list[str | None] = []
        """Which deployment each request has named."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.server.asked.append(self.headers["azureml-model-deployment"])
        self.server.sent.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer()

    def _answer(self) -> None:
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ({"data": [[1, 2]], "method": "predict"}, {"data": [[1, 2]], "method": "predict"}),
        ([[1, 2]], {"data": [[1, 2]]}),
        (np.array([[1.5, 2]]), {"data": [[1.5, 2.0]]}),
        ({"data": np.array([1])}, {"data": [1]}),
        (pd.DataFrame({"a": [1], "b": ["x"]}), {"data": [{"a": 1, "b": "x"}]}),
        ([datetime(2026, 1, 2, tzinfo=UTC)], {"data": ["2026-01-02T00:00:00+00:00"]}),
        ('{"data": []}', {"data": []}),
        (b'{"data": []}', {"data": []}),
    ],
    ids=["mapping", "rows", "array", "array-inside", "frame", "date", "str", "bytes"],
)
def test_data_becomes_a_request(server: Server, data: object, sent: object) -> None:
    server.answer = (200, b'{"predict": [1]}')
    assert score(server.url, data, timeout=5) == {"predict": [1]}
    assert json.loads(server.sent[0]) == sent


def test_an_answer_that_is_no_json_is_text(server: Server) -> None:
    server.answer = (200, b"plain")
    assert score(server.url, [], timeout=5) == "plain"


@pytest.mark.parametrize("body", [b'{"message": "data[0] has 3 values"}', b"data[0] has 3 values"])
def test_a_refusal_is_raised_with_the_services_own_words(server: Server, body: bytes) -> None:
    server.answer = (400, body)
    with pytest.raises(RequestError, match=r"data\[0\] has 3 values") as caught:
        score(server.url, [], timeout=5)
    assert caught.value.status == 400


def test_what_cannot_be_sent_is_said(server: Server) -> None:
    with pytest.raises(UsageError, match="object cannot be sent as JSON"):
        score(server.url, [object()], timeout=5)


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False)])
def test_healthy_is_what_the_health_route_says(server: Server, status: int, expected: bool) -> None:
    server.answer = (status, b"")
    assert healthy(server.url) is expected


def test_nobody_there_is_not_healthy_and_an_error_to_score() -> None:
    with ThreadingHTTPServer((HOST, 0), _Handler) as server:
        port = int(server.server_address[1])
    assert not healthy(f"http://{HOST}:{port}")
    with pytest.raises(ServiceError, match="gave no answer"):
        score(f"http://{HOST}:{port}/score", [], timeout=5)


def test_one_of_blue_and_green_is_asked_by_its_name(server: Server) -> None:
    deployed = AksDeployment("churn", "churn-blue", server.url, Aks(AksPlace("ml")))
    deployed.run([[1]], slot="green")
    deployed.run([[1]])
    assert server.asked == ["green", None]
