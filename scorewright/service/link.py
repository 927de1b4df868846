"""A front's connection to one scorer."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Self

from scorewright.service import frames
from scorewright.service.frames import Frames, Kind, Ready

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from scorewright.service.engine import Engine
    from scorewright.service.frames import Outgoing
    from scorewright.service.status import Status


class Link(asyncio.Protocol):
    """Gives a scorer requests, and tells the engine of its answers. `front` is the number of the front it is of.

    `hear` is called with every frame that is no answer. `closed` is done once the other end has closed.
    """

    def __init__(self, engine: Engine, status: Status, front: int, hear: Callable[[Kind, bytes], None]) -> None:
        self.script = Ready()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self._status = status
        self._front = front
        self._due = status.begun(front)
        self._hear = hear
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def over(
        cls, sock: socket.socket, engine: Engine, status: Status, front: int, hear: Callable[[Kind, bytes], None]
    ) -> Self:
        """A link over our end of a connected Unix socket."""
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: cls(engine, status, front, hear), sock=sock)
        return link

    @property
    def begun(self) -> bool:
        """Worker."""
        return self._status.begun(self._front) == self._due

    @property
    def idle(self) -> bool:
        """Worker."""
        return math.isinf(self._status.due_at)

    def tell(self, frame: bytes) -> None:
        """Send a frame that is no request."""
        if self._transport is not None:
            self._transport.write(frame)

    def send(self, requests: Sequence[Outgoing]) -> None:
        """Worker."""
        if self._transport is not None:
            self._due += 1
            self._transport.writelines(frames.pack_requests(requests))

    def cancel(self, number: int) -> None:
        """Worker."""
        self.tell(frames.pack_cancel(number))

    def hold(self, *, back: bool) -> None:
        """Worker."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if back else self._transport.resume_reading)()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio.Protocol."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol: bytes of frames."""
        for kind, payload in self._frames.feed(data):
            if kind is Kind.SCORED:
                self._engine.scored(self, frames.unpack_scored(payload))
            elif kind is Kind.PIECE:
                self._engine.piece(self, frames.unpack_piece(payload))
            else:
                self._hear(kind, payload)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio.Protocol: the process is gone, or going."""
        if not self.closed.done():
            self.closed.set_result(None)
