"""A scorer's ends of its sockets to the fronts: whole frames in, frames out, and further sockets as they are given."""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
from typing import TYPE_CHECKING

from scorewright.service import frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scorewright.service.frames import Kind

MOST_DESCRIPTORS = 2
"""That come with one frame."""


class Channel:
    """A blocking socket to a front, by its number, read frame by frame.

    Nothing is read ahead, so that polling it tells the truth.
    """

    def __init__(self, sock: socket.socket, front: int = 0) -> None:
        self.socket = sock
        self.front = front
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

    def read_with_descriptors(self) -> tuple[Kind, bytes, list[int]] | None:
        """The next frame and the file descriptors that came with it; None if the other end has closed."""
        head, descriptors, _, _ = socket.recv_fds(self.socket, frames.HEAD_BYTES, MOST_DESCRIPTORS)
        if len(head) < frames.HEAD_BYTES:
            return None
        kind, length = frames.unpack_head(head)
        payload = self._exactly(length) if length else b""
        return None if payload is None else (kind, payload, descriptors)

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


class Channels:
    """The main process's channel, and those of further fronts, whose sockets come over `control`."""

    def __init__(self, main: Channel, control: Channel) -> None:
        self._main = main
        self._control = control
        self._fronts = {main.socket.fileno(): main}
        self._waiting = select.poll()
        self._waiting.register(main.socket, select.POLLIN)
        self._waiting.register(control.socket, select.POLLIN)

    def frames(self) -> Iterator[tuple[Channel, Kind, bytes]]:
        """What comes, a frame of each channel in turn, until the main one has closed."""
        while self._main.socket.fileno() in self._fronts:
            for descriptor, _ in self._waiting.poll():
                if descriptor == self._control.socket.fileno():
                    self._accept()
                elif (channel := self._fronts.get(descriptor)) is not None:
                    frame = channel.read()
                    if frame is None:
                        self.drop(channel)
                    else:
                        yield channel, *frame

    def drop(self, channel: Channel) -> None:
        """A front is gone."""
        self._waiting.unregister(channel.socket)
        del self._fronts[channel.socket.fileno()]
        if channel is not self._main:
            channel.socket.close()

    def _accept(self) -> None:
        given = self._control.read_with_descriptors()
        if given is None:
            self._waiting.unregister(self._control.socket)
        elif given[2]:
            channel = Channel(socket.socket(fileno=_above_stdout(given[2][0])), json.loads(given[1]))
            self._fronts[channel.socket.fileno()] = channel
            self._waiting.register(channel.socket, select.POLLIN)


def _above_stdout(descriptor: int) -> int:
    """The same under another number, if it has that of a stdout which the script has closed: C code may print there."""
    if descriptor > 2:
        return descriptor
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return higher
