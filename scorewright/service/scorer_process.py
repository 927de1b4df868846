"""The front's handle on one scorer process."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from scorewright.errors import ScriptError
from scorewright.service import frames
from scorewright.service.frames import Frames, Kind, Ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scorewright.service.engine import Engine
    from scorewright.service.order import Order

END_GRACE_SECONDS = 6.0
"""How long a scorer may take to end once its socket is closed: a little more than it gives itself."""


class ScorerProcess(asyncio.Protocol):
    """One scorer: spawned, ready, given requests one frame at a time, ended.

    Never forked: a framework that has started its threads does not survive a fork.
    """

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.script = Ready()
        self.answered = 0
        self._socket = ours
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._engine: Engine | None = None
        self._hello: asyncio.Future[tuple[Kind, bytes]] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._exit: asyncio.Future[int] = loop.create_future()
        threading.Thread(target=self._wait, args=(loop,), daemon=True).start()

    @classmethod
    def spawn(cls, environment: Mapping[str, str]) -> Self:
        """Start the process; it loads nothing before `ready()` tells it what. Raises OSError if it cannot start."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "scorewright.service.scorer", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    env=dict(environment),
                    pass_fds=[theirs.fileno()],
                    # Ctrl-C in a terminal is for the front: it drains, and ends the scorers when that is done.
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return cls(process, ours)

    async def ready(self, order: Order, engine: Engine) -> None:
        """Have the script loaded and init() called; the engine will hear of its answers.

        Raises ScriptError if that fails or the process ends meanwhile.
        """
        loop = asyncio.get_running_loop()
        self._engine = engine
        self._transport, _ = await loop.create_unix_connection(lambda: self, sock=self._socket)
        self._transport.write(frames.pack_json(Kind.START, asdict(order)))
        await _first(self._hello, self._closed, self._exit)
        if not self._hello.done():
            code = await self.ended()
            raise ScriptError(
                f"The scorer ended while it loaded {order.entry_script or 'main.py'}: {outcome(code)}.",
                hint="What it printed above may say why; a SIGKILL is most often the memory limit.",
            )
        kind, payload = self._hello.result()
        if kind is Kind.FAILED:
            await self.ended()
            failure = json.loads(payload)
            raise ScriptError(failure["message"], hint=failure["hint"])
        self.script = Ready(**json.loads(payload))

    def send(self, requests: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        """Give it (id, head, body) to score, and nothing more until all are answered."""
        if self._transport is not None:
            self._transport.writelines(frames.pack_requests(requests))

    def cancel(self, number: int) -> None:
        """Ask it to make no more pieces of the answer to this request."""
        if self._transport is not None:
            self._transport.write(frames.pack_cancel(number))

    def hold(self, *, back: bool) -> None:
        """Read no more of what it sends, so that it has to wait; or read on."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if back else self._transport.resume_reading)()

    async def ending(self) -> None:
        """Wait for the first sign that the process ends: its exit, or the end of its socket.

        The socket may outlive the process in a child of the script's own, and the process its socket.
        """
        await _first(self._closed, self._exit)

    async def ended(self) -> int:
        """Wait until the process has ended and all it answered has been read; its exit code."""
        await self.ending()
        await asyncio.wait({self._exit}, timeout=END_GRACE_SECONDS)
        if not self._exit.done():
            self.process.kill()
        code = await self._exit
        if self._transport is not None:
            await asyncio.wait({self._closed}, timeout=1.0)
            self._transport.abort()
        return code

    async def stop(self, *, at_once: bool) -> None:
        """Close its socket, by which it ends; kill it if it does not, is still loading, or must end `at_once`."""
        if self._transport is None:
            self._socket.close()
        else:
            self._transport.abort()
        if at_once or not self._hello.done():
            self.process.kill()
        await self.ended()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio.Protocol."""

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol: bytes of frames."""
        for kind, payload in self._frames.feed(data):
            if kind is Kind.SCORED and self._engine is not None:
                self.answered += 1
                self._engine.scored(self, frames.unpack_scored(payload))
            elif kind is Kind.PIECE and self._engine is not None:
                self._engine.piece(self, frames.unpack_piece(payload))
            elif not self._hello.done():
                self._hello.set_result((kind, payload))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio.Protocol: the process is gone, or going."""
        if not self._closed.done():
            self._closed.set_result(None)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self.process.wait()
        loop.call_soon_threadsafe(self._exit.set_result, code)


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def outcome(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"it exited with code {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"
