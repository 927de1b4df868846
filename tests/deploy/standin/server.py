"""A server that stands in for Azure: real HTTP over TLS, long-running operations, failures when they are asked for.

The SDKs are led to it by HTTPS_PROXY and REQUESTS_CA_BUNDLE, ask the addresses that they always ask, and run unchanged.
"""

from __future__ import annotations

import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlsplit

from tests.deploy.standin.answer import NOT_LOGGED_IN, Answer, Call, arm_error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.standin.answer import Service

TOKEN = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsInRpZCI6InQiLCJvaWQiOiJvIn0.eA"  # noqa: S105
"""Opens nothing. azureml-core reads in it until when it is valid: the year 2100."""


class StandIn(ThreadingHTTPServer):
    """Passes each call to the first of its services that answers; keeps the calls in `calls`.

    Without a certificate it speaks plain HTTP, as the Docker engine does with a registry on this machine.
    """

    daemon_threads = True

    def __init__(self, certificate: Path | None, *services: Service) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.services = list(services)
        self.calls: list[Call] = []
        self._faults: list[tuple[str, re.Pattern[str], Answer]] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """The calls as `METHOD path`, in the order in which they came."""
        return [str(call) for call in self.calls]

    def fail(self, method: str, pattern: str, answer: Answer, *, times: int = 1) -> None:
        """Answer the next `times` calls of `method` whose path has `pattern` with `answer`, whoever's they are."""
        with self._lock:
            self._faults += [(method, re.compile(pattern, re.IGNORECASE), answer)] * times

    def answer(self, call: Call) -> Answer:
        with self._lock:
            self.calls.append(call)
            for fault in self._faults:
                if fault[0] == call.method and fault[1].search(call.path):
                    self._faults.remove(fault)
                    return fault[2]
        if call.path.startswith("/subscriptions") and call.headers.get("authorization") != f"Bearer {TOKEN}":
            return NOT_LOGGED_IN
        for service in self.services:
            if (answer := service.answer(call)) is not None:
                return answer
        return arm_error(404, "NotFound", f"The stand-in does not know {call}.")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets: the second would wait 40 ms
    timeout = 30

    def _any(self) -> None:
        place = urlsplit(self.path)
        call = Call(
            self.command,
            place.path,
            dict(parse_qsl(place.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("Content-Length", 0))),
        )
        answer = self.server.answer(call)
        body = answer.raw
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _any

    def log_message(self, *_: object) -> None:
        """Say nothing."""
