"""A transport that writes what it is given in one turn of the event loop at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


STALLED_SECONDS = 10.0
"""How long a connection that is to be closed waits for a client that takes nothing of what is left to send."""


class JoinedWrites(asyncio.Transport):
    """A transport that writes what it is given in one turn of the event loop by one system call.

    uvicorn writes an answer's head and body apart, and the system call is the dearest part of a small answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._call_soon = loop.call_soon
        self._call_later = loop.call_later
        self._pieces: list[Any] = []
        self._ended = False

    def write(self, data: Any) -> None:
        """asyncio.WriteTransport. What comes after an end is dropped, as after a close."""
        if self._ended:
            return
        if not self._pieces:
            self._call_soon(self._flush)
        self._pieces.append(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """asyncio.WriteTransport."""
        for data in list_of_data:
            self.write(data)

    def can_write_eof(self) -> bool:
        """asyncio.WriteTransport."""
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        """asyncio.WriteTransport."""
        self._flush()
        self._ended = True
        self._transport.write_eof()

    def get_write_buffer_size(self) -> int:
        """asyncio.WriteTransport."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._pieces))

    def close(self) -> None:
        """asyncio.BaseTransport: what has been written is sent, as long as the client takes any of it."""
        self._flush()
        if self._transport.is_closing():
            # asyncio's transport over TLS forgets what it had to send if it is closed twice.
            return
        self._transport.close()
        if left := self._transport.get_write_buffer_size():
            self._call_later(STALLED_SECONDS, self._abort_stalled, left)

    def abort(self) -> None:
        """asyncio.WriteTransport."""
        self._pieces.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """asyncio.BaseTransport."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """asyncio.ReadTransport."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """asyncio.ReadTransport."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """asyncio.BaseTransport."""
        return self._transport.get_extra_info(name, default)

    def _abort_stalled(self, before: int) -> None:
        left = self._transport.get_write_buffer_size()
        if left == before:
            self._transport.abort()
        elif left:
            self._call_later(STALLED_SECONDS, self._abort_stalled, left)

    def _flush(self) -> None:
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            # The client may have gone since they were written.
            if not self._transport.is_closing():
                self._transport.writelines(pieces)
