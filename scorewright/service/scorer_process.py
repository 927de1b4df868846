"""The main process's handle on one scorer process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from scorewright.errors import ScriptError
from scorewright.service import frames
from scorewright.service.child import Child, outcome
from scorewright.service.frames import Kind, Ready
from scorewright.service.link import Link
from scorewright.service.status import Status

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from scorewright.service.engine import Engine
    from scorewright.service.order import Order

MAIN_FRONT = 0
"""The number of the main process's front; those of further ones follow."""

END_GRACE_SECONDS = 6.0
"""How long a scorer may take to end once its socket is closed: a little more than it gives itself."""


class ScorerProcess:
    """One scorer: spawned, ready, given requests over a link, ended.

    Never forked: a framework that has started its threads does not survive a fork.
    """

    def __init__(self, child: Child, ours: socket.socket, control: socket.socket, status: Status) -> None:
        self.child = child
        self.status = status
        self.link: Link | None = None
        self.worn = asyncio.Event()
        """Set once it has done its share: another is to take its place."""
        self._socket = ours
        self._control = control
        self._hello: asyncio.Future[tuple[Kind, bytes]] = asyncio.get_running_loop().create_future()

    @classmethod
    def spawn(cls, environment: Mapping[str, str], logger: logging.Logger | None = None) -> Self:
        """Start the process; it loads nothing before `ready()` tells it what. Raises OSError if it cannot start.

        With a logger, what goes past its log is logged there.
        """
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as given:
            status = Status.create()
            kept.callback(status.close)
            ours, theirs = (
                stack.enter_context(end) for stack, end in zip((kept, given), socket.socketpair(), strict=True)
            )
            control, controlled = (
                stack.enter_context(end) for stack, end in zip((kept, given), socket.socketpair(), strict=True)
            )
            descriptors = [theirs.fileno(), controlled.fileno(), status.descriptor]
            child = Child.spawn("scorewright.service.scorer", descriptors, environment, logger)
            kept.pop_all()
            return cls(child, ours, control, status)

    async def ready(self, order: Order, engine: Engine) -> None:
        """Have the script loaded and init() called; the engine will hear of its answers.

        Raises ScriptError if that fails or the process ends meanwhile.
        """
        self.link = link = await Link.over(self._socket, engine, self.status, MAIN_FRONT, self._heard)
        link.tell(frames.pack_json(Kind.START, asdict(order)))
        await _first(self._hello, link.closed, self.child.exit)
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
        link.script = Ready(**json.loads(payload))

    def connect(self, front: int) -> socket.socket:
        """A connection of another front's to it. Raises OSError if the process takes none any more."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [frames.pack_json(Kind.CHANNEL, front)], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    async def ending(self) -> None:
        """Wait for the first sign that the process ends: its exit, or the end of its socket.

        The socket may outlive the process in a child of the script's own, and the process its socket.
        """
        await _first(self.child.exit, *([self.link.closed] if self.link is not None else []))

    async def ended(self) -> int:
        """Wait until the process has ended and all it answered has been read; its exit code."""
        await self.ending()
        await asyncio.wait({self.child.exit}, timeout=END_GRACE_SECONDS)
        if not self.child.exit.done():
            self.child.kill()
        await asyncio.wait({self.child.exit})
        if self.link is not None:
            await asyncio.wait({self.link.closed}, timeout=1.0)
            self.link.close()
        self._control.close()
        return self.child.exit.result()

    def dismiss(self) -> None:
        """Close its socket, by which it ends: it has nothing to do any more."""
        if self.link is not None:
            self.link.close()

    async def stop(self) -> None:
        """Close its socket, by which it ends; kill it if it does not, or is still loading."""
        if self.link is None:
            self._socket.close()
        else:
            self.link.close()
        if not self._hello.done():
            self.child.kill()
        await self.ended()

    def _heard(self, kind: Kind, payload: bytes) -> None:
        if not self._hello.done():
            self._hello.set_result((kind, payload))


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
