"""uvicorn, stopped by the service instead of by signals, and watching how slow its clients are."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from scorewright.service.handshake import Handshake
from scorewright.service.http_protocol import HttpProtocol

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from uvicorn.server import ServerState

    from scorewright.service.http_limits import HttpLimits

LOOK_SECONDS = 0.5
"""How often it is looked which clients take too long. A timer for each request would cost each of them."""

HANG_UP_SECONDS = 0.5
"""How long idle connections are kept while draining, for the requests that are on their way."""


class HttpServer(uvicorn.Server):
    """The HTTP server of the front."""

    @classmethod
    def of(cls, app: Any, limits: HttpLimits, tls: ssl.SSLContext | None = None) -> Self:
        """A server of this ASGI application, on the quickest parts that are installed; over HTTPS if given `tls`."""
        return cls(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=_protocol(limits, tls),  # type: ignore[arg-type]
                ws="none",
                proxy_headers=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn.Server: until drained."""
        watching = asyncio.create_task(self._watch())
        try:
            await super().serve(sockets)
        finally:
            watching.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn.Server: take no signals; the service has to drain before it ends."""
        yield

    async def drain(self) -> None:
        """Accept no more connections, answer every request under way, and end."""
        # There are none before it has begun to listen.
        for server in getattr(self, "servers", []):
            server.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + HANG_UP_SECONDS
        while self.server_state.connections and loop.time() < end:
            await asyncio.sleep(0.02)
        self.should_exit = True

    def give_up(self, message: str) -> None:
        """Refuse what has not come whole yet."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.give_up(message)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, HttpProtocol):
                    connection.look(now)


def _protocol(limits: HttpLimits, tls: ssl.SSLContext | None) -> Callable[..., asyncio.Protocol]:
    """What uvicorn is to make a connection's protocol by."""
    http = functools.partial(HttpProtocol, limits=limits)
    if tls is None:
        return http

    def accepted(*, server_state: ServerState, **named: Any) -> Handshake:
        speak = functools.partial(http, server_state=server_state, **named)
        return Handshake(speak, server_state.connections, limits, tls)

    return accepted
