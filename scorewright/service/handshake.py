"""A connection over TLS until its handshake is done. It counts as one from the moment it is accepted."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine

    from scorewright.service.http_limits import HttpLimits
    from scorewright.service.http_protocol import HttpProtocol


class Handshake(asyncio.Protocol):
    """A connection that is to speak `http`, and is among the server's `connections` meanwhile.

    A server that does TLS by itself tells of a connection when its handshake is done, which a client may leave undone.
    So the server is a plain one, and its connections are upgraded here: one too many is cut before that, one whose
    handshake is not done within the limit for headers then.
    """

    def __init__(
        self, http: Callable[[], HttpProtocol], connections: set[Any], limits: HttpLimits, tls: ssl.SSLContext
    ) -> None:
        self._make_http = http
        self._connections = connections
        self._limits = limits
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._http: HttpProtocol | None = None
        self._early: list[bytes] = []
        self._plain: asyncio.Transport
        self._upgrade: Coroutine[Any, Any, asyncio.Transport | None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio.Protocol: it has been accepted."""
        if len(self._connections) >= self._limits.connections:
            # To say why would take a handshake.
            transport.abort()
            return
        self._connections.add(self)
        self._plain = transport
        seconds = self._limits.header
        self._upgrade = self._loop.start_tls(
            transport, self, self._tls, server_side=True, ssl_handshake_timeout=seconds if seconds < math.inf else None
        )
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol: what came in one piece with the end of the handshake."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio.Protocol: amid the handshake, or so soon after it that the loop had this method in hand."""
        self._connections.discard(self)
        if self._http is not None:
            self._http.connection_lost(exc)

    def shutdown(self) -> None:
        """uvicorn: the server ends. Who has not finished the handshake has asked for nothing."""
        self._plain.abort()

    def _go_on(self, _: object = None) -> None:
        """Run the upgrade until it waits for something.

        As a task it would begin one turn of the loop later, and uvloop may have read the client's first bytes by then.
        """
        try:
            waited = self._upgrade.send(None)
        except StopIteration as done:
            self._hand_over(done.value)
        except OSError:
            # No TLS, too old, too slow, or gone.
            self._connections.discard(self)
        else:
            waited.add_done_callback(self._go_on)

    def _hand_over(self, transport: asyncio.Transport | None) -> None:
        self._connections.discard(self)
        if transport is None or transport.is_closing():
            return
        self._http = self._make_http()
        transport.set_protocol(self._http)
        self._http.connection_made(transport)
        if self._early:
            self._http.data_received(b"".join(self._early))
