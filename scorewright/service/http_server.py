"""uvicorn, stopped by the service instead of by signals, and slow to hang up."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from typing import TYPE_CHECKING, Any, Literal, Self

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than the 60 s after which common proxies drop theirs, since the side
that hangs up first must not be the one that a request is just on its way to."""

HANG_UP_SECONDS = 0.5
"""How long idle connections are kept while draining, for the requests that are on their way."""


class HttpServer(uvicorn.Server):
    """The HTTP server of the front."""

    @classmethod
    def of(cls, app: Any) -> Self:
        """A server of this ASGI application, on the quickest parts that are installed."""
        return cls(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=_protocol(),
                ws="none",
                proxy_headers=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

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


def _protocol() -> type[asyncio.Protocol] | Literal["h11"]:
    if importlib.util.find_spec("httptools") is None:
        return "h11"
    from scorewright.service.http_protocol import JoinedProtocol

    return JoinedProtocol
