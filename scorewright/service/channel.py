"""A scorer's end of a socket to a front: whole frames in, frames out, and file descriptors where they come along."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

from scorewright.service import frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorewright.service.frames import Kind


class Channel:
    """A blocking socket read frame by frame: nothing is read ahead, so that polling it tells the truth."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)

    def read(self) -> tuple[Kind, bytes] | None:
        """The next frame; None if the other end has closed."""
        head = self._exactly(frames.HEAD_BYTES)
        if head is None:
            return None
        kind, length = frames.unpack_head(head)
        payload = self._exactly(length) if length else b""
        return None if payload is None else (kind, payload)

    def read_with_descriptor(self) -> tuple[Kind, bytes, int | None] | None:
        """The next frame and the file descriptor that came with it, if any; None if the other end has closed."""
        head, descriptors, _, _ = socket.recv_fds(self.socket, frames.HEAD_BYTES, 1)
        if len(head) < frames.HEAD_BYTES:
            return None
        kind, length = frames.unpack_head(head)
        payload = self._exactly(length) if length else b""
        return None if payload is None else (kind, payload, descriptors[0] if descriptors else None)

    def waits(self) -> bool:
        """Whether there is something to read, or the other end has closed."""
        return bool(self._readable.poll(0))

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send frames. Raises BrokenPipeError or ConnectionResetError if the other end is gone."""
        self.socket.sendall(b"".join(pieces))

    def _exactly(self, count: int) -> bytes | None:
        try:
            data = self.socket.recv(count, socket.MSG_WAITALL)
        except ConnectionResetError:
            # It closed without having read all that it was sent.
            return None
        if len(data) == count:
            return data
        # More than the kernel gives at once, or a signal in between.
        whole = bytearray(data)
        while len(whole) < count:
            data = self.socket.recv(min(count - len(whole), 1 << 20))
            if not data:
                return None
            whole += data
        return bytes(whole)
