"""uvicorn's HTTP protocol, held to limits, with our shape of errors and each answer written to the socket at once.

What uvicorn and its parser leave open, and is closed here: headers of any size, clients of any slowness, pipelined
requests of any number, trailers that become headers, a body behind `Upgrade` that is read as a request of its own,
transfer codings that nobody undoes, and a refusal that overtakes the answers before it.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from scorewright.service.joined_writes import JoinedWrites
from scorewright.service.protocols import azureml

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from scorewright.service.http_limits import HttpLimits

PIPELINED = 128
"""Requests of a connection that may wait for the answer to the one before; what comes then is not read."""

OVERHEAD = 64
"""Bytes of chunk heads and the like for a byte of a body: a chunk of one byte has 5."""

LINGER_SECONDS = 2.0
"""How long what a refused client still sends is thrown away, so that it gets to read why."""

_WATCHED = frozenset((b"expect", b"host", b"transfer-encoding"))
_VERSIONS = frozenset(("1.1", "1.0"))
_NO_HTTP = "Invalid HTTP request received."


class Reading(Enum):
    """What of a request a connection is reading."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _Refused(Exception):  # noqa: N818 - it ends the parser's work, and is no error of ours
    """The parser is to stop: why is said elsewhere."""


class _Flow(FlowControl):
    """Flow control that does not read on while requests wait for their turn, whatever the one before them asks."""

    held = False

    def resume_reading(self) -> None:
        if self.read_paused and not self.held:
            super().resume_reading()


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    flow: _Flow

    def __init__(self, *arguments: Any, limits: HttpLimits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._reading = Reading.NOTHING
        self._running: RequestResponseCycle | None = None
        self._received = 0
        self._overhead = 0
        self._head_bytes = 0
        self._hosts = 0
        self._long = False
        self._refusal = 400, _NO_HTTP
        self._deaf = False
        self._last_words = b""
        self._ended = False
        self._stage: tuple[object, ...] = ()
        self._since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio.Protocol."""
        super().connection_made(JoinedWrites(transport, self.loop))
        self.flow = _Flow(self.transport)
        most = self._limits.connections
        if len(self.connections) > most:
            if len(self.connections) > most + most // 8 + 8:
                self.transport.abort()
            else:
                self._end(_answer(503, f"Too many connections: {most} are open, as many as may be."))

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio.Protocol."""
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol."""
        if self._deaf:
            return
        begun, received = self._reading, self._received
        self._long = begun is Reading.HEAD or len(data) > self._limits.header_bytes
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as told:
            self._feed_on(data[told.args[0] :])
        except httptools.HttpParserError:
            self._stopped()
        if self._reading is not Reading.NOTHING:
            self._weigh(len(data), begun, received)

    def _weigh(self, size: int, begun: Reading, received: int) -> None:
        """Count what has come of a request that is not whole: so many bytes, since it was at `begun`."""
        most = self._limits.header_bytes
        if self._reading is Reading.HEAD:
            # Of the first piece it is not known where in it the head began.
            self._head_bytes += size if begun is Reading.HEAD else 0
            if self._head_bytes > most and not self._deaf:
                self._refuse(431, self._too_long())
        elif begun is Reading.BODY:
            self._overhead += size - (self._received - received)
            if self._overhead > most + OVERHEAD * self._received and not self._deaf:
                self._refuse(431, f"What comes beside the body is longer than {most} bytes.")

    def on_message_begin(self) -> None:
        """httptools: a request begins."""
        super().on_message_begin()
        self._reading = Reading.HEAD
        self._head_bytes = self._received = self._overhead = self._hosts = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a header, or, after the body, a trailer, which is none (RFC 9110, 6.5.1)."""
        if self._reading is not Reading.HEAD:
            return
        name = name.lower()
        if name in _WATCHED:
            if name == b"host":
                self._hosts += 1
            elif name == b"expect":
                self.expect_100_continue = value.lower() == b"100-continue"
            elif value.strip(b" \t").lower() != b"chunked":
                self._stop(501, "Transfer-Encoding must be chunked: the service undoes no other coding.")
            elif self.parser.get_http_version() == "1.0":
                self._stop(400, "A request of HTTP/1.0 has no Transfer-Encoding.")
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """httptools: the headers are whole. Raises _Refused."""
        limits = self._limits
        if len(self.headers) > limits.headers:
            self._stop(431, f"The request has {len(self.headers)} headers, more than {limits.headers}.")
        if self._long and _size(self.url, self.headers) > limits.header_bytes:
            self._stop(431, self._too_long())
        if self.parser.get_http_version() not in _VERSIONS:
            self._stop(505, "The service speaks HTTP/1.1 and HTTP/1.0.")
        if self._hosts > 1 or (not self._hosts and self.parser.get_http_version() == "1.1"):
            self._stop(400, f"A request has one Host header, and this one has {self._hosts or 'none'}.")
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._stop(405, azureml.METHOD_NOT_ALLOWED)
            # Nothing is started: _feed() begins again without the header.
            return
        before = self.cycle
        super().on_headers_complete()
        self._reading = Reading.BODY
        if not self.pipeline:
            self._running = self.cycle
        else:
            self.flow.held = True
            if len(self.pipeline) > PIPELINED:
                self.pipeline.popleft()
                self.cycle = before
                before.keep_alive = False
                self._reading = Reading.NOTHING
                self._deaf = True
                raise _Refused

    def on_body(self, body: bytes) -> None:
        """httptools: some of the body."""
        cycle = self.cycle
        self._received += len(body)
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        if self._reading is Reading.HEAD:
            # An upgrade: the same comes again without it.
            return
        self._reading = Reading.NOTHING
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """uvicorn: a request is answered; the next may have come already."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._running = cycle
            self.flow.held = bool(self.pipeline)
            self._start_asgi_task(cycle, app)
        elif self._last_words:
            self._end(self._last_words)
        self.flow.resume_reading()

    def look(self, now: float) -> None:
        """Hang up on a client that takes too long; `now` is the loop's time. To be called every now and then."""
        stage, seconds = self._stage_now()
        if stage != self._stage:
            self._stage, self._since = stage, now
        elif now - self._since > seconds:
            self._lose_patience()

    def give_up(self, message: str) -> None:
        """Refuse a request that has not come whole: the service ends."""
        if self._reading is not Reading.NOTHING and not self._deaf:
            self._refuse(503, message)

    def _stage_now(self) -> tuple[tuple[object, ...], float]:
        """What the connection waits for, and how long it may."""
        limits = self._limits
        cycle: RequestResponseCycle | None = self.cycle
        if self._ended:
            return ("ended",), LINGER_SECONDS
        unsent = self.transport.get_write_buffer_size()
        if self.transport.is_closing() or unsent:
            return ("sending", unsent), limits.send
        if self._reading is Reading.HEAD:
            return ("head", id(self.scope)), limits.header
        if self._reading is Reading.BODY and cycle is not None and (cycle is self._running or cycle.response_complete):
            return ("body", id(cycle)), limits.body + self._received / limits.body_rate
        if cycle is None:
            return ("new",), limits.header
        if cycle.response_complete:
            return ("idle", id(cycle)), limits.keep_alive
        return ("answering",), math.inf

    def _lose_patience(self) -> None:
        kind = self._stage[0]
        if kind in ("ended", "sending"):
            self.transport.abort()
        elif kind == "head":
            self._refuse(408, f"The request's headers have not come within {self._limits.header:g} s.")
        elif kind == "body":
            allowed = f"{self._limits.body:g} s and one more for each {self._limits.body_rate} bytes"
            self._refuse(408, f"The request's body has not come within {allowed}.")
        else:
            self.transport.close()

    def _feed_on(self, data: bytes) -> None:
        """Go on after an Upgrade, which may be passed over (RFC 9110, 7.8).

        The parser takes what follows for another protocol, the body as well. A new one is told the same without it.
        """
        try:
            while True:
                self._begin_again()
                try:
                    self.parser.feed_data(data)
                except httptools.HttpParserUpgrade as told:
                    data = data[told.args[0] :]
                else:
                    return
        except httptools.HttpParserError:
            self._stopped()

    def _stopped(self) -> None:
        """The parser reads no more: say why, unless that is known."""
        if not self._deaf:
            self._refuse(*self._refusal)

    def _begin_again(self) -> None:
        kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        keeps = self.parser.should_keep_alive()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        lines = [b"%s: %s\r\n" % pair for pair in kept]
        self.parser.feed_data(b"".join([line, *lines, b"" if keeps else b"connection: close\r\n", b"\r\n"]))

    def _too_long(self) -> str:
        return f"The request line and headers are longer than {self._limits.header_bytes} bytes."

    def _stop(self, status: int, message: str) -> None:
        """Refuse, out of the parser. Raises _Refused."""
        self._refusal = status, message
        raise _Refused

    def _refuse(self, status: int, message: str) -> None:
        """Answer a request that cannot be read on, after those before it, and read no more."""
        self._deaf = True
        words = _answer(status, message)
        faulty = self.cycle if self._reading is Reading.BODY else None
        running = self._running
        if faulty is not None and faulty is running:
            if faulty.response_started:
                self.transport.close()
            else:
                faulty.disconnected = True
                faulty.message_event.set()
                self._end(words)
            return
        if faulty is not None and self.pipeline:
            self.pipeline.popleft()
        if running is None or running.response_complete:
            self._end(words)
        else:
            self._last_words = words

    def _end(self, words: bytes) -> None:
        """Write the last words; what still comes is thrown away until the client has read them."""
        self._deaf = self._ended = True
        if self.transport.is_closing():
            return
        self.flow.held = False
        self.flow.resume_reading()
        self.transport.write(words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    """Bytes of a request line and headers, near enough."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def _answer(status: int, message: str) -> bytes:
    body = azureml.error_body(message)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [b"%s: %s" % pair for pair in azureml.error_headers(status) if pair[0] != b"x-ms-run-function-failed"]
    lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
    return b"\r\n".join(lines)
