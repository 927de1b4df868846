"""Further fronts: processes that share the port and the scorers with the main process's front."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

from scorewright.errors import ServiceError
from scorewright.service import frames
from scorewright.service.child import Child, outcome
from scorewright.service.frames import Kind

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from scorewright.service.scorer_process import ScorerProcess
    from scorewright.service.settings import Settings

WAIT_SECONDS = 1.0
"""How long after its death a front is started again."""


class _FrontProcess:
    """The main process's handle on one further front."""

    def __init__(self, child: Child, control: socket.socket) -> None:
        self.child = child
        self._control = control

    @classmethod
    def spawn(cls, listeners: Sequence[socket.socket], settings: Settings) -> _FrontProcess:
        """Start the process and tell it what to serve. Raises OSError if it cannot start."""
        control, controlled = socket.socketpair()
        with controlled:
            try:
                descriptors = [controlled.fileno(), *(listener.fileno() for listener in listeners)]
                child = Child.spawn("scorewright.service.front_process", descriptors, os.environ)
            except OSError:
                control.close()
                raise
        control.setblocking(False)
        front = cls(child, control)
        front.tell(Kind.SERVE, settings.model_dump(mode="json"))
        return front

    def tell(self, kind: Kind, content: object = None, given: socket.socket | None = None) -> None:
        """Send a frame, and a socket with it; the front has the socket then, we no more.

        A front that does not read what it is told is beyond help: it is ended.
        """
        descriptors = [] if given is None else [given.fileno()]
        frame = frames.pack_json(kind, content)
        try:
            sent = socket.send_fds(self._control, [frame], descriptors)
        except OSError:
            sent = 0
        if sent < len(frame):
            self.child.kill()
        if given is not None:
            given.close()

    def close(self) -> None:
        """Hang up, by which it ends at once."""
        self._control.close()


class Fronts:
    """Keeps further fronts alive, and tells them of the scorers. It is the pool's audience."""

    def __init__(
        self, settings: Settings, listeners: Sequence[Sequence[socket.socket]], logger: logging.Logger
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._log = logger
        self._scorers: dict[int, ScorerProcess] = {}
        self._reason: str | None = None
        self._told: list[Kind] = []
        self._alive: set[_FrontProcess] = set()
        self._tasks = [asyncio.create_task(self._keep(own)) for own in listeners]

    def joined(self, scorer: ScorerProcess) -> None:
        """Audience."""
        self._reason = None
        self._scorers[scorer.child.pid] = scorer
        for front in self._alive:
            self._introduce(front, scorer)

    def left(self, scorer: ScorerProcess) -> None:
        """Audience."""
        self._scorers.pop(scorer.child.pid, None)
        for front in self._alive:
            front.tell(Kind.GONE, scorer.child.pid)

    def closed(self, reason: str) -> None:
        """Audience."""
        self._reason = reason
        for front in self._alive:
            front.tell(Kind.CLOSED, reason)

    async def drained(self, hurry: asyncio.Event) -> None:
        """Have them answer what they have accepted and end; at once, when told to hurry."""
        self._tell_all(Kind.DRAIN)
        # What nobody will accept any more shall not wait here.
        for own in self._listeners:
            for listener in own:
                listener.close()
        hurrying = asyncio.create_task(self._hurry(hurry))
        if self._tasks:
            await asyncio.wait(self._tasks)
        hurrying.cancel()

    async def _hurry(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        self._tell_all(Kind.HURRY)

    async def stop(self) -> None:
        """End them at once."""
        for task in self._tasks:
            task.cancel()
        for front in self._alive:
            front.close()
        await asyncio.gather(*(front.child.exit for front in self._alive))

    def _tell_all(self, kind: Kind) -> None:
        self._told.append(kind)
        for front in self._alive:
            front.tell(kind)

    async def _keep(self, listeners: Sequence[socket.socket]) -> None:
        while not self._told:
            try:
                front = _FrontProcess.spawn(listeners, self._settings)
            except OSError as error:
                raise ServiceError(f"A front process cannot be started: {error}.") from error
            self._alive.add(front)
            if self._reason is not None:
                front.tell(Kind.CLOSED, self._reason)
            for scorer in self._scorers.values():
                self._introduce(front, scorer)
            code = await asyncio.shield(front.child.exit)
            self._alive.discard(front)
            front.close()
            if not self._told:
                self._log.error("Front %d died: %s. It is replaced.", front.child.pid, outcome(code))
                await asyncio.sleep(WAIT_SECONDS)

    def _introduce(self, front: _FrontProcess, scorer: ScorerProcess) -> None:
        link = scorer.link
        if link is None:
            return
        # Dying, it takes no more; the pool will say so.
        with contextlib.suppress(OSError):
            front.tell(Kind.SCORER, {"number": scorer.child.pid, "script": link.script._asdict()}, scorer.connect())
