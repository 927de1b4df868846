"""`/score`: the one route that must be quick, so it is bare ASGI: no request object, no validation, no middleware."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from scorewright.contract.run_form import METHOD_NOT_ALLOWED
from scorewright.errors import RequestError
from scorewright.service import head, log
from scorewright.service.counters import GONE, Kind
from scorewright.service.job import ClientGoneError
from scorewright.service.protocols import azureml
from scorewright.service.route import WITHOUT_BODY, Route, gone
from scorewright.service.stream import BrokenAnswerError, Streamed

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from scorewright.service.room import Place

_METHODS = frozenset(("GET", "POST", "HEAD", "OPTIONS"))


class ScoreRoute(Route):
    """The ASGI application at `/score`.

    It reads ids and the body, has the engine score it and writes the answer; the body is not parsed.
    Contract: azureml-inference-server-http 1.5.1, server/routes.py.
    """

    _deprecation_told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        ids = azureml.read_ids(scope["headers"], azureml.new_id())
        size = 0
        place: Place | None = None
        try:
            if ids.refusal:
                raise RequestError(431, ids.refusal)
            if ids.deprecated and not self._deprecation_told:
                self._tell_deprecation()
            with self._place(scope, ids) as place:
                body = await self._body(scope, receive, place)
                await self._engine.opened(place, lambda: gone(receive))
                if scope["method"] == "OPTIONS" and not self._engine.script.any_method:
                    self._counters.answered(Kind.SCORE, 200)
                    await self._answer(send, ids, 200, azureml.options_headers(), b"")
                    return
                told, body = self._read(scope, body)
                scored = await self._engine.score(place, ids.request_id, body, lambda: gone(receive), head=told)
        except RequestError as refusal:
            status = refusal.status
            headers = azureml.error_headers(status, failed=refusal.failed)
            answer = azureml.error_body(refusal.message)
            size = len(answer)
            self._counters.refused(Kind.SCORE, refusal, begun)
            if status == 413:
                await self._refuse_unread(receive, send, ids, headers, answer)
            else:
                await self._answer(send, ids, status, headers, answer)
        except ClientGoneError:
            self._counters.words[GONE] += 1
            return
        else:
            self._collect(ids, body, scored)
            status, size = scored.status, len(scored.body)
            headers = azureml.scored_headers(
                scored.headers, ids, failed=scored.failed, milliseconds=scored.milliseconds, length=scored.more
            )
            if isinstance(scored, Streamed):
                size = await self._stream(scope, receive, send, ids, headers, scored, begun)
            else:
                self._counters.answered(Kind.SCORE, status, time.perf_counter() - begun)
                await self._answer(send, ids, status, headers, scored.body)
        self._log_access(scope, ids, status, begun, size, place)

    def _read(self, scope: Scope, body: bytes) -> tuple[bytes, bytes]:
        """What the scorer is given: the head of the request, if the script needs more than the body, and the body."""
        method = scope["method"]
        script = self._engine.script
        if method not in _METHODS:
            raise RequestError(405, azureml.METHOD_NOT_ALLOWED)
        if method == "HEAD" and not script.any_method:
            raise RequestError(405, METHOD_NOT_ALLOWED)
        if script.needs_request:
            return head.of_http(scope), body
        return b"", azureml.query_to_json(scope["query_string"]) if method == "GET" else body

    def _tell_deprecation(self) -> None:
        self._deprecation_told = True
        self._log.warning(
            "A client sends x-ms-request-id, which is deprecated: x-ms-client-request-id takes its place."
        )

    async def _stream(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        ids: azureml.Ids,
        headers: azureml.Headers,
        scored: Streamed,
        begun: float,
    ) -> int:
        """Send an answer as it comes; the bytes that were sent. One that breaks off is cut off, not ended."""
        if scope["http_version"] == "1.0":
            return await self._gather(send, ids, headers, scored, begun)
        self._counters.answered(Kind.SCORE, scored.status, time.perf_counter() - begun)
        try:
            async with asyncio.timeout(None) as patience:
                scored.rest.too_slow.add_done_callback(lambda _: patience.reschedule(0))
                return await self._pass_on(receive, send, ids, headers, scored)
        except TimeoutError:
            scored.rest.cancel()
            self._log.warning(
                "An answer is broken off: its client reads so slowly that it held its scorer up for worker_timeout.",
                extra=log.of(ids.request_id.decode("latin-1")),
            )
            return 0
        except BaseException:
            # Whatever it is, nobody reads on: the scorer must not wait for that.
            scored.rest.cancel()
            raise

    async def _pass_on(
        self, receive: Receive, send: Send, ids: azureml.Ids, headers: azureml.Headers, scored: Streamed
    ) -> int:
        room = next((int(value) for name, value in headers if name == b"content-length"), math.inf)
        if scored.status in WITHOUT_BODY:
            room = 0
        headers += ids.headers
        headers += self._own
        await send({"type": "http.response.start", "status": scored.status, "headers": headers})
        size = 0
        try:
            async for piece in scored.rest.pieces():
                fitting = piece[: int(min(room - size, len(piece)))]
                await send({"type": "http.response.body", "body": fitting, "more_body": True})
                size += len(fitting)
                if gone(receive) or (size >= room and not fitting):
                    scored.rest.cancel()
                    break
        except BrokenAnswerError:
            return size
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return size

    async def _gather(
        self, send: Send, ids: azureml.Ids, headers: azureml.Headers, scored: Streamed, begun: float
    ) -> int:
        """The same for HTTP/1.0, which knows no pieces: the whole at once, within the limit of a body."""
        pieces, size = [], 0
        try:
            async for piece in scored.rest.pieces():
                pieces.append(piece)
                size += len(piece)
                if size > self._max_body_bytes:
                    scored.rest.cancel()
                    raise BrokenAnswerError
        except BrokenAnswerError:
            headers = azureml.error_headers(500, failed=True)
            self._counters.answered(Kind.SCORE, 500, time.perf_counter() - begun)
            await self._answer(send, ids, 500, headers, azureml.error_body(azureml.SCRIPT_ERROR))
            return 0
        self._counters.answered(Kind.SCORE, scored.status, time.perf_counter() - begun)
        plain = [pair for pair in headers if pair[0] != b"content-length"]
        await self._answer(send, ids, scored.status, plain, b"".join(pieces))
        return size
