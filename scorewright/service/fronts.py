"""Further fronts: processes that share the port and the scorers with the main process's front."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from scorewright.service import frames
from scorewright.service.child import Child, outcome
from scorewright.service.frames import Frames, Kind
from scorewright.service.scorer_process import MAIN_FRONT

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Mapping, Sequence

    from scorewright.service.counters import Counters
    from scorewright.service.credentials import Credentials
    from scorewright.service.scorer_process import ScorerProcess
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
"""How long after its death a front is started again: it doubles while it does not come up."""

UP_SECONDS = 5.0
"""A front that lived longer than this did come up."""

SWAP_SECONDS = 10.0
"""How long a front may take to serve what it has been prepared for."""

FIRST_GENERATION = 0
"""The number of what is served from the start on; each reload that gets as far as its scorers has one of its own."""

OBEY_SECONDS = 3.0
"""How long a front that is told to end at once may take."""


class _FrontProcess:
    """The main process's handle on one further front."""

    def __init__(self, child: Child, control: socket.socket) -> None:
        self.child = child
        self._control = control
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._tickets = itertools.count()
        self._asked: dict[int, asyncio.Future[None]] = {}
        self._frames = Frames()
        self._loop.add_reader(control, self._hear)

    @classmethod
    def spawn(
        cls,
        number: int,
        address: Address,
        settings: Settings,
        credentials: Credentials,
        counters: Counters,
        served: Mapping[str, Any],
        logger: logging.Logger,
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
        front.tell(Kind.SERVE, {**told, **served, "credentials": credentials.told()})
        return front

    def tell(self, kind: Kind, content: object = None, given: Sequence[int] = ()) -> None:
        """Send a frame, and copies of these file descriptors with it, as soon as the front takes it."""
        self._unsent.append((frames.pack_json(kind, content), [os.dup(descriptor) for descriptor in given]))
        if len(self._unsent) == 1:
            self._send()

    def ask(self, kind: Kind, content: Mapping[str, Any]) -> asyncio.Future[None]:
        """Tell it to do something; done once it has, or is gone."""
        ticket = next(self._tickets)
        self._asked[ticket] = self._loop.create_future()
        self.tell(kind, {**content, "ticket": ticket})
        return self._asked[ticket]

    def close(self) -> None:
        """Hang up, by which it ends at once."""
        for ticket in list(self._asked):
            self._done(ticket)
        self._loop.remove_reader(self._control)
        self._loop.remove_writer(self._control)
        for _, descriptors in self._unsent:
            for descriptor in descriptors:
                os.close(descriptor)
        self._unsent.clear()
        self._control.close()

    def _hear(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # It is gone; whoever keeps it will see.
            self._loop.remove_reader(self._control)
        for _, payload in self._frames.feed(data):
            self._done(json.loads(payload))

    def _done(self, ticket: int) -> None:
        asked = self._asked.pop(ticket, None)
        if asked is not None and not asked.done():
            asked.set_result(None)

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


class _Introduced(NamedTuple):
    """What the fronts know of a scorer."""

    number: int
    generation: int


class Audience:
    """What the pool of one generation tells the fronts. It is that pool's audience."""

    def __init__(self, fronts: Fronts, generation: int) -> None:
        self._fronts = fronts
        self._generation = generation

    def joined(self, scorer: ScorerProcess) -> None:
        """Audience."""
        self._fronts.joined(self._generation, scorer)

    def retired(self, scorer: ScorerProcess) -> Awaitable[object]:
        """Audience."""
        return self._fronts.retired(scorer)

    def left(self, scorer: ScorerProcess) -> None:
        """Audience."""
        self._fronts.left(scorer)

    def closed(self, reason: str) -> None:
        """Audience."""
        self._fronts.closed(self._generation, reason)


class Fronts:
    """Keeps `count` further fronts alive, and tells them what is served and of the scorers.

    What is served has a number, its generation: the scorers of one are never used for what came to another.
    """

    def __init__(
        self,
        count: int,
        settings: Settings,
        address: Address,
        target: Target,
        logger: logging.Logger,
        counters: Counters,
        credentials: Credentials,
    ) -> None:
        """`credentials` are the main process's: a front begins with what is in use there when it is started."""
        self._settings = settings
        self._credentials = credentials
        self._counters = counters
        self._address = address
        self._log = logger
        self._scorers: dict[ScorerProcess, _Introduced] = {}
        self._retired: dict[ScorerProcess, int] = {}
        self._numbers = itertools.count()
        self._current = FIRST_GENERATION
        self._targets = {FIRST_GENERATION: target.told()}
        self._reasons: dict[int, str] = {}
        self._reload: str | None = None
        self._ending = False
        self._alive: dict[int, _FrontProcess] = {}
        self._lost = False
        self._tasks = [asyncio.create_task(self._keep(MAIN_FRONT + 1 + place)) for place in range(count)]

    def joined(self, generation: int, scorer: ScorerProcess) -> None:
        """A scorer of a generation is ready."""
        self._reasons.pop(generation, None)
        self._scorers[scorer] = _Introduced(next(self._numbers), generation)
        for number in self._alive:
            self._introduce(number, scorer)

    def retired(self, scorer: ScorerProcess) -> Awaitable[object]:
        """A scorer is to be given nothing more; done once each front has hung up on it."""
        introduced = self._scorers.pop(scorer, None)
        if introduced is None:
            return _all([])
        self._retired[scorer] = introduced.number
        return self._ask_all(Kind.RETIRE, {"number": introduced.number})

    def left(self, scorer: ScorerProcess) -> None:
        """A scorer has ended."""
        introduced = self._scorers.pop(scorer, None)
        number = self._retired.pop(scorer, None) if introduced is None else introduced.number
        if number is not None:
            self._tell_all(Kind.GONE, number)

    def closed(self, generation: int, reason: str) -> None:
        """No scorer of a generation can be had for now."""
        self._reasons[generation] = reason
        self._tell_all(Kind.CLOSED, {"generation": generation, "reason": reason})

    def prepare(self, generation: int, target: Target) -> None:
        """Have them ready for another target, beside what is served."""
        self._targets[generation] = target.told()
        self._reload = "under way"
        self._tell_all(Kind.PREPARE, {"generation": generation, "target": self._targets[generation]})

    async def swap(self, generation: int) -> None:
        """Have them serve what they are prepared for; returns once all do. One that does not obey is ended."""
        former, self._current, self._reload = self._current, generation, None
        del self._targets[former]
        asked = {front.ask(Kind.SWAP, {"generation": generation}): front for front in self._alive.values()}
        if asked:
            _, disobedient = await asyncio.wait(asked, timeout=SWAP_SECONDS)
            for one in disobedient:
                self._log.error("Front %d is ended: it still serves what has been replaced.", asked[one].child.pid)
                asked[one].child.kill()
            await asyncio.wait(asked)

    def finish(self, generation: int) -> Awaitable[object]:
        """Have them answer what they accepted for a generation that was served; done once they have."""
        return self._ask_all(Kind.FINISH, {"generation": generation})

    def drop(self, generation: int) -> None:
        """A reload has been refused, and what was prepared for it, if anything was, will not be served."""
        self._targets.pop(generation, None)
        self._reload = "refused"
        self._tell_all(Kind.DROP, generation)

    def _ask_all(self, kind: Kind, content: Mapping[str, Any]) -> Awaitable[object]:
        return _all([front.ask(kind, content) for front in self._alive.values()])

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
            front = _FrontProcess.spawn(
                number,
                self._address,
                self._settings,
                self._credentials,
                self._counters,
                {"generation": self._current, "target": self._targets[self._current], "reload": self._reload},
                self._log,
            )
        except OSError as error:
            return f"A front cannot be started: {error}"
        self._alive[number] = front
        for generation, target in self._targets.items():
            if generation != self._current:
                front.tell(Kind.PREPARE, {"generation": generation, "target": target})
            if generation in self._reasons:
                front.tell(Kind.CLOSED, {"generation": generation, "reason": self._reasons[generation]})
        for scorer, introduced in self._scorers.items():
            # What has been replaced is finished by those who began with it.
            if introduced.generation in self._targets:
                self._introduce(number, scorer)
        await asyncio.wait({front.child.exit})
        code = front.child.exit.result()
        del self._alive[number]
        self._counters.fronts[number].end()
        front.close()
        self._lost = self._lost or (self._ending and code != 0)
        return f"Front {front.child.pid} died: {outcome(code)}"

    def _introduce(self, number: int, scorer: ScorerProcess) -> None:
        introduced = self._scorers[scorer]
        if scorer.link is None:
            return
        # Dying, it takes no more; the pool will say so.
        with contextlib.suppress(OSError), scorer.connect(number) as connection:
            told = {**introduced._asdict(), "script": scorer.link.script._asdict()}
            self._alive[number].tell(Kind.SCORER, told, [connection.fileno(), scorer.status.descriptor])


async def _all(asked: Sequence[asyncio.Future[None]]) -> None:
    if asked:
        await asyncio.wait(asked)
