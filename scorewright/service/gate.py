"""The gate before every route but health: whoever has no key or token is answered before the body is read."""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from typing import TYPE_CHECKING

from scorewright.errors import RequestError
from scorewright.service.counters import Kind
from scorewright.service.protocols import azureml, oip
from scorewright.service.route import Route
from scorewright.service.tokens import Tokens
from scorewright.service.v2_route import is_v2
from scorewright.service.watched import meanwhile

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from scorewright.service.engine import Engine
    from scorewright.service.keys import Keys
    from scorewright.service.settings import Settings

OPEN = frozenset(("/", "/livez", "/readyz", "/v2/health/live", "/v2/health/ready"))
"""Where anybody may ask: whoever looks after the service has no key."""

READABLE = ("/docs", "/openapi.json", "/swagger.json")
"""What a browser shows to a person, whom it asks for a password only if that is Basic. The password is a key."""

SMALL_BYTES = 65_536
"""A body up to this is thrown away unread without closing the connection."""


class Guard:
    """Keys, tokens, or both. Any will do."""

    def __init__(self, keys: Keys | None, tokens: Tokens | None, logger: logging.Logger) -> None:
        self._keys = keys
        self._tokens = tokens
        self._log = logger

    @classmethod
    def of(cls, keys: Keys | None, settings: Settings, logger: logging.Logger) -> Guard | None:
        """By these keys, and the tokens that the settings ask for; None if anybody may ask.

        Raises UsageError for an issuer that is none.
        """
        tokens = Tokens.of(settings, logger)
        return cls(keys, tokens, logger) if keys or tokens else None

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Takes up other keys meanwhile."""
        async with contextlib.AsyncExitStack() as stack:
            for what, one in (("the keys", self._keys), ("the token issuer's keys", self._tokens)):
                if one is not None:
                    await stack.enter_async_context(meanwhile(what, one.watch, self._log))
            yield

    async def check(self, scope: Scope) -> None:
        """Raises RequestError 401, 403 or 503 for a request that may not go on. A key goes no further than here."""
        headers = scope["headers"]
        given = [place for place, (name, _) in enumerate(headers) if name == b"authorization"]
        if len(given) != 1:
            raise RequestError(401, "Authorization must come once." if given else self._asks)
        (place,) = given
        credential = self._credential(scope["path"], headers[place][1])
        if self._keys is not None and self._keys.has(credential):
            # The script has no use for it, and might log it.
            del headers[place]
        elif self._tokens is not None and credential.count(b".") == 2:
            if not self._tokens.remembers(credential):
                await self._tokens.check(credential)
        else:
            raise RequestError(401, "The key is not one of this service." if self._keys else self._asks)

    @property
    def _asks(self) -> str:
        what = " or ".join(word for word, one in (("a key", self._keys), ("a token", self._tokens)) if one is not None)
        return f"The service asks for {what}: send it as Authorization: Bearer, a space, and {what}."

    def _credential(self, path: str, value: bytes) -> bytes:
        scheme, _, rest = value.partition(b" ")
        if scheme.lower() == b"bearer":
            return rest.strip(b" ")
        if scheme.lower() == b"basic" and readable(path):
            with contextlib.suppress(binascii.Error, ValueError):
                return base64.b64decode(rest.strip(b" "), validate=True).partition(b":")[2]
        raise RequestError(401, self._asks)


class Gate(Route):
    """Answers those who may not go on."""

    def __init__(
        self,
        engine: Engine,
        guard: Guard,
        *,
        own_headers: azureml.Headers,
        log: logging.Logger,
        access: bool,
        pages: bool,
    ) -> None:
        """`guard` says who may go on; `pages` of other origins may be told that they may ask."""
        super().__init__(engine, max_body_bytes=0, own_headers=own_headers, log=log, access=access)
        self._guard = guard
        self._pages = pages

    async def holds(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether a request may not go on; it has been answered then."""
        if scope["path"] in OPEN:
            return False
        try:
            await self._guard.check(scope)
        except RequestError as refusal:
            await self._refuse(scope, receive, send, refusal)
            return True
        return False

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, refusal: RequestError) -> None:
        begun = time.perf_counter()
        ids = azureml.read_ids(scope["headers"], azureml.new_id())
        path, status = scope["path"], refusal.status
        if self._pages and _preflight(scope):
            # A browser sends no key with it. Nothing but the headers of CORS is told.
            status, headers, body = 200, [(b"allow", b"OPTIONS")], b""
        else:
            headers = azureml.error_headers(status)
            body = oip.error_body(refusal.message) if is_v2(path) else azureml.error_body(refusal.message)
            headers += _challenges(path, status)
        self._counters.answered(Kind.SCORE if path == "/score" else Kind.OTHER, status)
        if _small(scope):
            await self._answer(send, ids, status, headers, body)
        else:
            await self._refuse_unread(receive, send, ids, headers, body, status=status)
        self._log_access(scope, ids, status, begun, len(body), None)


def readable(path: str) -> bool:
    """Whether a browser shows what is there to a person."""
    return path in READABLE or path.startswith("/docs/")


def _challenges(path: str, status: int) -> azureml.Headers:
    if status == 403:
        return [(b"www-authenticate", b'Bearer error="insufficient_scope"')]
    if status != 401:
        return []
    found = [(b"www-authenticate", b"Bearer")]
    if readable(path):
        found.append((b"www-authenticate", b'Basic realm="any name, and a key as the password", charset="UTF-8"'))
    return found


def _preflight(scope: Scope) -> bool:
    return scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


def _small(scope: Scope) -> bool:
    told = {name: value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
    return b"transfer-encoding" not in told and int(told.get(b"content-length", b"0")) <= SMALL_BYTES
