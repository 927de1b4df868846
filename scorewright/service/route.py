"""What the routes that score have in common: reading a body, writing an answer, and noticing that a client has left."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from scorewright.errors import RequestError
from scorewright.service import log, tracing
from scorewright.service.job import ClientGoneError
from scorewright.service.protocols import azureml

if TYPE_CHECKING:
    import logging
    from collections.abc import Generator
    from typing import Any

    from starlette.types import Receive, Scope, Send

    from scorewright.service.collection import DataCollector
    from scorewright.service.engine import Engine
    from scorewright.service.frames import Scored
    from scorewright.service.room import Place

WITHOUT_BODY = frozenset((204, 304))
"""Statuses whose answers have no body, and no length of one (RFC 9110, 8.6)."""

LOGGED_PATH = 200
"""Characters of a path that a line of the log has."""

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is still taken and thrown away, so that the client gets to read why."""


class Route:
    """A bare ASGI application: no request object, no validation, no middleware."""

    def __init__(
        self,
        engine: Engine,
        *,
        max_body_bytes: int,
        own_headers: azureml.Headers,
        log: logging.Logger,
        access: bool,
        collector: DataCollector | None = None,
    ) -> None:
        self._engine = engine
        self._counters = engine.counters
        self._max_body_bytes = max_body_bytes
        self._own = own_headers
        self._log = log
        self._access = access
        self._collector = collector

    async def _body(self, scope: Scope, receive: Receive, place: Place) -> bytes:
        """The body, for which there is room. Raises RequestError 413 or 429, and ClientGoneError."""
        told = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                if int(value) > self._max_body_bytes:
                    raise self._too_large()
                place.hold(int(value))
                told = True
        message = await receive()
        body: bytes = message.get("body", b"")
        if not told and body:
            place.hold(len(body))
        if message.get("more_body", False):
            pieces = [body]
            size = len(body)
            while message.get("more_body", False):
                if size > self._max_body_bytes:
                    raise self._too_large()
                message = await receive()
                piece = message.get("body", b"")
                if not told:
                    place.hold(len(piece))
                size += len(piece)
                pieces.append(piece)
            body = b"".join(pieces)
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        if len(body) > self._max_body_bytes:
            raise self._too_large()
        return body

    def _place(self, scope: Scope, ids: azureml.Ids) -> Place:
        """A place for the request. Raises RequestError 400 if it gives itself no time, and 429."""
        place = self._engine.place(None if ids.budget is None else azureml.budget_seconds(ids.budget))
        trace = tracing.of(scope)
        if trace is not None:
            place.trace = trace.traceparent
            trace.place = place
        return place

    def _too_large(self) -> RequestError:
        return RequestError(413, f"The request body is larger than {self._max_body_bytes} bytes, the service's limit.")

    async def _answer(
        self, send: Send, ids: azureml.Ids, status: int, headers: azureml.Headers, body: bytes, *, last: bool = True
    ) -> None:
        headers += ids.headers
        headers += self._own
        if status not in WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(body)))
        if self._engine.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": not last})

    async def _refuse_unread(
        self,
        receive: Receive,
        send: Send,
        ids: azureml.Ids,
        headers: azureml.Headers,
        body: bytes,
        *,
        status: int = 413,
    ) -> None:
        """Answer before the body is read, and close the connection.

        Closed while the client still sends, it would be reset, and the answer lost on its way.
        """
        headers.append((b"connection", b"close"))
        await self._answer(send, ids, status, headers, body, last=False)
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _collect(self, ids: azureml.Ids, body: bytes, scored: Scored) -> None:
        """Keep what came and what was answered, if that is asked for."""
        if self._collector is not None:
            kind = next((value for name, value in scored.headers if name == b"content-type"), b"")
            self._collector.exchange(ids.request_id, body, None if scored.more else scored.body, kind)

    def _log_access(
        self, scope: Scope, ids: azureml.Ids, status: int, begun: float, size: int, place: Place | None
    ) -> None:
        """A line for a request, if that is asked for; `begun` is on the performance counter's scale."""
        if self._access:
            path = log.printable(scope["raw_path"].decode("latin-1"))[:LOGGED_PATH]
            milliseconds = (time.perf_counter() - begun) * 1000
            fields = {"method": scope["method"], "path": path, "status": status, "ms": round(milliseconds, 3)}
            fields["bytes"] = size
            if place is not None and place.job is not None:
                fields |= place.job.times()
            trace = tracing.of(scope)
            extra = log.of(ids.request_id.decode("latin-1"), "" if trace is None else trace.hex_id, **fields)
            self._log.info("%s %s %d %.3fms %d", scope["method"], path, status, milliseconds, size, extra=extra)


def gone(receive: Receive) -> bool:
    """Whether the client has gone away, without waiting and without a task to watch for it.

    Once the body is read, an ASGI server's receive() has only the disconnect left to tell: it is started, and
    dropped again if it would wait.
    """
    waiting: Generator[Any, None, Any] = receive().__await__()
    try:
        next(waiting)
    except StopIteration as told:
        return bool(told.value["type"] == "http.disconnect")
    waiting.close()
    return False
