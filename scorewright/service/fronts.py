"""Further fronts: processes that share the port and the scorers with the main process's front."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections import deque
from typing import TYPE_CHECKING

from scorewright.service import frames
from scorewright.service.child import Child, outcome
from scorewright.service.frames import Kind
from scorewright.service.scorer_process import MAIN_FRONT

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from scorewright.service.counters import Counters
    from scorewright.service.scorer_process import ScorerProcess
    from scorewright.service.settings import Settings

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
"""How long after its death a front is started again: it doubles while it does not come up."""

UP_SECONDS = 5.0
"""A front that lived longer than this did come up."""

OBEY_SECONDS = 3.0
"""How long a front that is told to end at once may take."""


class _FrontProcess:
    """The main process's handle on one further front."""

    def __init__(self, child: Child, control: socket.socket) -> None:
        self.child = child
        self._control = control
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()

    @classmethod
    def spawn(
        cls, number: int, address: Address, settings: Settings, counters: Counters, logger: logging.Logger
    ) -> _FrontProcess:
        """Start the process and tell it what to serve where. Raises OSError if it cannot start."""
        control, controlled = socket.socketpair()
        with controlled:
            given = [controlled.fileno(), counters.descriptor]
            try:
                child = Child.spawn(
                    "scorewright.service.front_process",
                    given,
                    os.environ,
                    logger if settings.log_format == "json" else None,
                )
            except OSError:
                control.close()
                raise
        control.setblocking(False)
        front = cls(child, control)
        host, ports = address
        told = {"number": number, "host": host, "ports": ports, "settings": settings.told()}
        front.tell(Kind.SERVE, told)
        return front

    def tell(self, kind: Kind, content: object = None, given: Sequence[int] = ()) -> None:
        """Send a frame, and copies of these file descriptors with it, as soon as the front takes it."""
        self._unsent.append((frames.pack_json(kind, content), [os.dup(descriptor) for descriptor in given]))
        if len(self._unsent) == 1:
            self._send()

    def close(self) -> None:
        """Hang up, by which it ends at once."""
        self._loop.remove_writer(self._control)
        for _, descriptors in self._unsent:
            for descriptor in descriptors:
                os.close(descriptor)
        self._unsent.clear()
        self._control.close()

    def _send(self) -> None:
        while self._unsent:
            frame, descriptors = self._unsent[0]
            try:
                sent = socket.send_fds(self._control, [frame], descriptors)
            except BlockingIOError:
                self._loop.add_writer(self._control, self._send)
                return
            except OSError:
                # It is gone; whoever keeps it will see.
                sent = len(frame)
            for descriptor in descriptors:
                os.close(descriptor)
            if sent < len(frame):
                self._unsent[0] = (frame[sent:], [])
            else:
                self._unsent.popleft()
        self._loop.remove_writer(self._control)


Address = tuple[str, list[int]]
"""A host, and the ports on it."""


class Fronts:
    """Keeps `count` further fronts alive, and tells them of the scorers. It is the pool's audience."""

    def __init__(
        self, count: int, settings: Settings, address: Address, logger: logging.Logger, counters: Counters
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._address = address
        self._log = logger
        self._scorers: dict[ScorerProcess, int] = {}
        self._numbers = itertools.count()
        self._reason: str | None = None
        self._ending = False
        self._alive: dict[int, _FrontProcess] = {}
        self._lost = False
        self._tasks = [asyncio.create_task(self._keep(MAIN_FRONT + 1 + place)) for place in range(count)]

    def joined(self, scorer: ScorerProcess) -> None:
        """Audience."""
        self._reason = None
        self._scorers[scorer] = next(self._numbers)
        for number in self._alive:
            self._introduce(number, scorer)

    def left(self, scorer: ScorerProcess) -> None:
        """Audience."""
        number = self._scorers.pop(scorer, None)
        if number is not None:
            self._tell_all(Kind.GONE, number)

    def closed(self, reason: str) -> None:
        """Audience."""
        self._reason = reason
        self._tell_all(Kind.CLOSED, reason)

    async def drained(self, hurry: asyncio.Event) -> bool:
        """Have them answer what they have accepted and end; at once, when told to hurry. Whether all was answered."""
        self._ending = True
        self._tell_all(Kind.DRAIN)
        hurrying = asyncio.create_task(self._hurry(hurry))
        if self._tasks:
            await asyncio.wait(self._tasks)
        hurrying.cancel()
        return not self._lost

    async def _hurry(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        self._tell_all(Kind.HURRY)
        await asyncio.sleep(OBEY_SECONDS)
        self._kill_all()

    async def stop(self) -> None:
        """End them at once."""
        for task in self._tasks:
            task.cancel()
        exits = [front.child.exit for front in self._alive.values()]
        for front in self._alive.values():
            front.close()
        if exits:
            await asyncio.wait(exits, timeout=OBEY_SECONDS)
            self._kill_all()
            await asyncio.wait(exits)

    def _kill_all(self) -> None:
        for front in self._alive.values():
            front.child.kill()

    def _tell_all(self, kind: Kind, content: object = None) -> None:
        for front in self._alive.values():
            front.tell(kind, content)

    async def _keep(self, number: int) -> None:
        wait = FIRST_WAIT_SECONDS
        loop = asyncio.get_running_loop()
        while not self._ending:
            begun = loop.time()
            told = await self._life(number)
            wait = FIRST_WAIT_SECONDS if loop.time() - begun > UP_SECONDS else min(wait * 2, LONGEST_WAIT_SECONDS)
            if not self._ending:
                self._log.error("%s. It is replaced in %g s.", told, wait)
                self._counters.main.front_replaced()
                await asyncio.sleep(wait)

    async def _life(self, number: int) -> str:
        """From the start to the end of one front; how it ended, in words."""
        try:
            front = _FrontProcess.spawn(number, self._address, self._settings, self._counters, self._log)
        except OSError as error:
            return f"A front cannot be started: {error}"
        self._alive[number] = front
        if self._reason is not None:
            front.tell(Kind.CLOSED, self._reason)
        for scorer in self._scorers:
            self._introduce(number, scorer)
        await asyncio.wait({front.child.exit})
        code = front.child.exit.result()
        del self._alive[number]
        self._counters.fronts[number].end()
        front.close()
        self._lost = self._lost or (self._ending and code != 0)
        return f"Front {front.child.pid} died: {outcome(code)}"

    def _introduce(self, number: int, scorer: ScorerProcess) -> None:
        if scorer.link is None:
            return
        # Dying, it takes no more; the pool will say so.
        with contextlib.suppress(OSError), scorer.connect(number) as connection:
            told = {"number": self._scorers[scorer], "script": scorer.link.script._asdict()}
            self._alive[number].tell(Kind.SCORER, told, [connection.fileno(), scorer.status.descriptor])
