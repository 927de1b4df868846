"""The pool: as many scorers as asked for, each replaced when it dies."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from scorewright.errors import ScorewrightError, ScriptError, ServiceError
from scorewright.service import memory
from scorewright.service.child import outcome
from scorewright.service.counters import Ended
from scorewright.service.scorer_process import ScorerProcess

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from scorewright.service.counters import MainCounters
    from scorewright.service.engine import Engine
    from scorewright.service.order import Order

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 10.0

WATCH_SECONDS = 0.25
"""How often it is looked for scorers that are overdue."""


class Audience(Protocol):
    """Who else is told of scorers than the engine of this process."""

    def joined(self, scorer: ScorerProcess) -> None:
        """A scorer is ready."""

    def left(self, scorer: ScorerProcess) -> None:
        """A scorer has ended."""

    def closed(self, reason: str) -> None:
        """No scorer can be had for now."""


class ScorerPool:
    """Keeps `count` scorers alive, and the engine and the audience told of them.

    The first is started by itself: what it takes tells whether there is memory for the others, and it is ready sooner.
    A scorer that has answered something and dies is replaced at once; one that has not, after a wait that doubles.
    One whose time to answer is over is ended.
    """

    def __init__(
        self,
        *,
        count: int,
        order: Order,
        environment: Mapping[str, str],
        engine: Engine,
        audience: Audience,
        counters: MainCounters,
        logger: logging.Logger,
    ) -> None:
        self._order = order
        self._environment = environment
        self._engine = engine
        self._audience = audience
        self._log = logger
        self._counters = counters
        self._living: set[ScorerProcess] = set()
        self._overdue: set[ScorerProcess] = set()
        self._count = count
        self._first = asyncio.Event()
        # Spawned before anything else is imported here: it loads the model meanwhile.
        self._tasks = [asyncio.create_task(self._keep(self._spawn()))]
        self._tasks += [asyncio.create_task(self._follow()) for _ in range(count - 1)]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def failed(self) -> ScorewrightError:
        """Wait until a scorer cannot be started for the first time; the error that ends the service."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        error = done.pop().exception()
        if isinstance(error, ScorewrightError):
            return error
        raise RuntimeError("A scorer is no longer looked after.") from error

    async def stop(self, hurry: asyncio.Event) -> None:
        """End every scorer and stop replacing them; when told to hurry, without letting them finish what they do."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        hurrying = asyncio.create_task(self._kill_all(hurry))
        await asyncio.gather(*(scorer.stop() for scorer in self._living))
        hurrying.cancel()

    async def _kill_all(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        for scorer in self._living:
            scorer.child.kill()

    def _spawn(self) -> ScorerProcess:
        try:
            scorer = ScorerProcess.spawn(self._environment, self._log if self._order.log_format == "json" else None)
        except OSError as error:
            raise ServiceError(f"A scorer process cannot be started: {error}.") from error
        self._living.add(scorer)
        self._count_living()
        return scorer

    async def _follow(self) -> None:
        await self._first.wait()
        await self._keep(self._spawn())

    async def _keep(self, scorer: ScorerProcess) -> None:
        await self._start(scorer)
        fruitless = 0
        while True:
            code = await self._ended(scorer)
            fruitless = 0 if scorer.status.answered else fruitless + 1
            scorer.status.close()
            self._log.error("Scorer %d died: %s. It is replaced.", scorer.child.pid, outcome(code))
            self._counters.scorer_replaced(Ended.of(code, overdue=scorer in self._overdue))
            self._overdue.discard(scorer)
            scorer, fruitless = await self._replace(fruitless)

    async def _ended(self, scorer: ScorerProcess) -> int:
        await scorer.ending()
        self._counters.ready -= 1
        if scorer.link is not None:
            self._engine.retire(scorer.link)
        code = await scorer.ended()
        self._living.discard(scorer)
        self._count_living()
        self._audience.left(scorer)
        if scorer.link is not None:
            self._engine.leave(scorer.link)
        return code

    def _count_living(self) -> None:
        self._counters.scorers_are(scorer.child.pid for scorer in self._living)

    async def _replace(self, fruitless: int) -> tuple[ScorerProcess, int]:
        while True:
            if fruitless:
                wait = min(FIRST_WAIT_SECONDS * 2 ** (fruitless - 1), LONGEST_WAIT_SECONDS)
                self._log.info("The next scorer is started in %g s.", wait)
                await asyncio.sleep(wait)
            try:
                scorer = self._spawn()
                await self._start(scorer)
            except (ScriptError, ServiceError) as error:
                self._log.error("A scorer cannot be replaced: %s %s", error.message, error.hint)
                fruitless += 1
                self._counters.scorer_replaced(Ended.NOT_STARTED)
                if not self._engine.scorers:
                    reason = "No scorer is alive and none could be started. Check the logs for more info."
                    self._engine.close(reason)
                    self._audience.closed(reason)
            else:
                return scorer, fruitless

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for scorer in self._living:
                late = time.monotonic() - scorer.status.due_at
                if late > 0:
                    self._log.error(
                        "Scorer %d is ended: it is at work, and its time to answer was over %.1f s ago.",
                        scorer.child.pid,
                        late,
                    )
                    scorer.status.idle()
                    self._overdue.add(scorer)
                    scorer.child.kill()

    async def _start(self, scorer: ScorerProcess) -> None:
        begun = time.monotonic()
        try:
            await scorer.ready(self._order, self._engine)
        except ScriptError:
            self._living.discard(scorer)
            self._count_living()
            scorer.status.close()
            raise
        if not self._first.is_set():
            memory.require(self._count, scorer.child.pid)
            self._first.set()
        if scorer.link is not None:
            self._engine.join(scorer.link)
        self._audience.joined(scorer)
        self._counters.ready += 1
        self._log.info("Scorer %d is ready after %.2f s.", scorer.child.pid, time.monotonic() - begun)
