"""Receivers of telemetry that run in the test: OTLP over HTTP, and Application Insights' ingestion."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.service.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Receiver:
    """Takes POSTs, keeps path, headers and inflated body of each, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                with receiver._lock:
                    receiver.came.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                answer = receiver.answer(body)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, body: bytes) -> bytes:
        return b""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


R = TypeVar("R", bound=Receiver)


class OtlpReceiver(Receiver):
    @property
    def spans(self) -> list[dict[str, Any]]:
        """The spans that came, each with its attributes as a dict, and its resource's as `resource`."""
        found = []
        for path, _, body in list(self.came):
            assert path == "/v1/traces"
            request = MessageToDict(ExportTraceServiceRequest.FromString(body))
            for resource in request["resourceSpans"]:
                of = _attributes(resource["resource"])
                for scope in resource["scopeSpans"]:
                    found += [
                        span | {"attributes": _attributes(span), "resource": of, "scope": scope["scope"]["name"]}
                        for span in scope["spans"]
                    ]
        return found

    def wait(self, count: int) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.spans) >= count)
        return self.spans

    def one(self, name: str, trace_id: str = "") -> dict[str, Any]:
        """The one span of this name, in this trace."""
        wanted = _base64(trace_id)

        def found() -> list[dict[str, Any]]:
            return [
                span for span in self.spans if span["name"] == name and span["traceId"] in {wanted or span["traceId"]}
            ]

        wait_until(lambda: bool(found()))
        (span,) = found()
        return span


class AzureMonitor(Receiver):
    """Stands in for Application Insights: its connection string leads here."""

    KEY = "5f7ba1c6-1111-4000-8000-0000000000aa"

    @property
    def connection_string(self) -> str:
        return f"InstrumentationKey={self.KEY};IngestionEndpoint={self.url}/"

    def answer(self, body: bytes) -> bytes:
        count = len(_envelopes(body))
        return json.dumps({"itemsReceived": count, "itemsAccepted": count, "errors": []}).encode()

    def items(self, kind: str) -> list[dict[str, Any]]:
        """What came of a kind: RequestData, MessageData, ExceptionData; with its tags."""
        found = []
        for path, _, body in list(self.came):
            assert path.startswith("/v2"), path
            for envelope in _envelopes(body):
                assert envelope["iKey"] == self.KEY
                if envelope["data"]["baseType"] == kind:
                    found.append(envelope["data"]["baseData"] | {"tags": envelope["tags"]})
        return found

    def wait(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.items(kind)) >= count)
        return self.items(kind)


def _envelopes(body: bytes) -> list[dict[str, Any]]:
    told = json.loads(body)
    return told if isinstance(told, list) else [told]


def _attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in of.get("attributes", [])}


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


@contextlib.contextmanager
def receiving(receiver: R) -> Iterator[R]:
    """The receiver, closed at the end."""
    try:
        yield receiver
    finally:
        receiver.close()
