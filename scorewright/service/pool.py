"""The pool: as many scorers as asked for, each replaced when it dies."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from scorewright.errors import ScorewrightError, ScriptError, ServiceError
from scorewright.service.engine import SCORER_DIED
from scorewright.service.scorer_process import ScorerProcess, outcome

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from scorewright.service.engine import Engine
    from scorewright.service.order import Order

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 10.0

WATCH_SECONDS = 0.25
"""How often it is looked for scorers that are overdue."""


class Limit(NamedTuple):
    """How long a scorer may work without an answer, and what the clients it kept waiting are told.

    `stream_seconds` is how long it may take from one piece of an answer to the next.
    """

    seconds: float
    stream_seconds: float
    message: str


class ScorerPool:
    """Keeps `count` scorers alive and the engine told of them.

    A scorer that has answered something and dies is replaced at once; one that has not, after a wait that doubles.
    One that has had work for longer than `limit` allows, and answers nothing, is ended.
    """

    def __init__(
        self,
        *,
        count: int,
        order: Order,
        environment: Mapping[str, str],
        engine: Engine,
        limit: Limit,
        logger: logging.Logger,
    ) -> None:
        self._order = order
        self._environment = environment
        self._engine = engine
        self._limit = limit
        self._log = logger
        self._ended: dict[ScorerProcess, str] = {}
        self._living: set[ScorerProcess] = set()
        # Spawned before anything else is imported here: they load the model meanwhile.
        self._tasks = [asyncio.create_task(self._keep(self._spawn())) for _ in range(count)]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def failed(self) -> ScorewrightError:
        """Wait until a scorer cannot be started for the first time; the error that ends the service."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        error = done.pop().exception()
        if isinstance(error, ScorewrightError):
            return error
        raise RuntimeError("A scorer is no longer looked after.") from error

    async def stop(self, *, at_once: bool) -> None:
        """End every scorer and stop replacing them; `at_once` does not let them finish what they do."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await asyncio.gather(*(scorer.stop(at_once=at_once) for scorer in self._living))

    def _spawn(self) -> ScorerProcess:
        try:
            scorer = ScorerProcess.spawn(self._environment)
        except OSError as error:
            raise ServiceError(f"A scorer process cannot be started: {error}.") from error
        self._living.add(scorer)
        return scorer

    async def _keep(self, scorer: ScorerProcess) -> None:
        await self._start(scorer)
        fruitless = 0
        while True:
            await scorer.ending()
            self._engine.retire(scorer)
            code = await scorer.ended()
            self._living.discard(scorer)
            self._engine.leave(scorer, self._ended.pop(scorer, SCORER_DIED))
            fruitless = 0 if scorer.answered else fruitless + 1
            self._log.error("Scorer %d died: %s. It is replaced.", scorer.process.pid, outcome(code))
            scorer, fruitless = await self._replace(fruitless)

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
                if not self._engine.scorers:
                    self._engine.close("No scorer is alive and none could be started. Check the logs for more info.")
            else:
                return scorer, fruitless

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for worker in self._engine.overdue(self._limit.seconds, self._limit.stream_seconds):
                if isinstance(worker, ScorerProcess) and worker not in self._ended:
                    self._log.error("Scorer %d is ended: %s", worker.process.pid, self._limit.message)
                    self._ended[worker] = self._limit.message
                    worker.process.kill()

    async def _start(self, scorer: ScorerProcess) -> None:
        begun = time.monotonic()
        try:
            await scorer.ready(self._order, self._engine)
        except ScriptError:
            self._living.discard(scorer)
            raise
        self._engine.join(scorer)
        self._log.info("Scorer %d is ready after %.2f s.", scorer.process.pid, time.monotonic() - begun)
