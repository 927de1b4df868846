"""The pool: as many scorers as asked for, each replaced when it dies."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from scorewright.errors import BundleError, ScorewrightError, ScriptError, ServiceError
from scorewright.memory import anonymous
from scorewright.service import memory
from scorewright.service.child import outcome
from scorewright.service.counters import Ended
from scorewright.service.scorer_process import ScorerProcess

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable, Mapping

    from scorewright.service.counters import MainCounters
    from scorewright.service.engine import Engine
    from scorewright.service.order import Order
    from scorewright.service.wear import Wear

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 10.0

WATCH_SECONDS = 0.25
"""How often it is looked for scorers that are overdue."""


class Audience(Protocol):
    """Who else is told of scorers than the engine of this process."""

    def joined(self, scorer: ScorerProcess) -> None:
        """A scorer is ready."""

    def retired(self, scorer: ScorerProcess) -> Awaitable[object]:
        """A scorer is to be given nothing more; done once all it was given is answered."""

    def left(self, scorer: ScorerProcess) -> None:
        """A scorer has ended."""

    def closed(self, reason: str) -> None:
        """No scorer can be had for now."""


class ScorerPool:
    """Keeps `count` scorers alive, and the engine and the audience told of them.

    The first is started by itself: what it takes tells whether there is memory for the others, and it is ready sooner.
    A scorer that has answered something and dies is replaced at once; one that has not, after a wait that doubles.
    One whose time to answer is over is ended. One that has done its share ends when another is ready in its place.
    `beside` is the pool that this one is to take the place of: both must fit into memory, and until it is
    complete, its scorers are the first that the kernel ends if they do not. `intact` raises BundleError
    if what is loaded is not what was verified any more.
    """

    def __init__(
        self,
        *,
        count: int,
        order: Order,
        environment: Mapping[str, str],
        engine: Engine,
        audience: Audience,
        wear: Wear,
        intact: Callable[[], None],
        counters: MainCounters,
        everyone: set[ScorerProcess],
        logger: logging.Logger,
        beside: ScorerPool | None = None,
    ) -> None:
        self._order = order
        self._environment = environment
        self._engine = engine
        self._audience = audience
        self._log = logger
        self._counters = counters
        self._living: set[ScorerProcess] = set()
        self._everyone = everyone
        self._ready: set[ScorerProcess] = set()
        self._overdue: set[ScorerProcess] = set()
        self._count = count
        self._wear = wear
        self._intact = intact
        self._beside = beside
        self._shares: dict[ScorerProcess, int] = {}
        self._gone: dict[ScorerProcess, asyncio.Task[int]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._one_more = asyncio.Lock()
        self._up = 0
        self._complete = asyncio.Event()
        self._first = asyncio.Event()
        # Spawned before anything else is imported here: it loads the model meanwhile.
        self._tasks = [asyncio.create_task(self._keep(self._spawn()))]
        self._tasks += [asyncio.create_task(self._follow()) for _ in range(count - 1)]
        self._tasks.append(asyncio.create_task(self._watch()))

    @property
    def pids(self) -> list[int]:
        """The process ids of its scorers."""
        return [scorer.child.pid for scorer in self._living]

    async def complete(self) -> None:
        """Wait until as many as asked for have been ready. Raises ScorewrightError if one cannot be started."""
        complete, failed = asyncio.create_task(self._complete.wait()), asyncio.create_task(self.failed())
        try:
            await asyncio.wait({complete, failed}, return_when=asyncio.FIRST_COMPLETED)
            if not complete.done():
                raise failed.result()
        finally:
            complete.cancel()
            failed.cancel()

    async def failed(self) -> ScorewrightError:
        """Wait until a scorer cannot be started for the first time; the error that ends the service."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        error = done.pop().exception()
        if isinstance(error, ScorewrightError):
            return error
        raise RuntimeError("A scorer is no longer looked after.") from error

    async def stop(self, hurry: asyncio.Event) -> None:
        """End every scorer and stop replacing them; when told to hurry, without letting them finish what they do."""
        tasks = {*self._tasks, *self._retiring, *self._gone.values()}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        hurrying = asyncio.create_task(self._kill_all(hurry))
        await asyncio.gather(*(scorer.stop() for scorer in self._living))
        hurrying.cancel()
        self._everyone -= self._living
        self._count_living()
        for scorer in list(self._ready):
            self._count_unready(scorer)

    async def _kill_all(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        for scorer in self._living:
            scorer.child.kill()

    def _spawn(self) -> ScorerProcess:
        try:
            scorer = ScorerProcess.spawn(self._environment, self._log if self._order.log_format == "json" else None)
        except OSError as error:
            raise ServiceError(f"A scorer process cannot be started: {error}.") from error
        if self._beside is not None and not self._complete.is_set():
            memory.expose(scorer.child.pid)
        self._living.add(scorer)
        self._everyone.add(scorer)
        self._count_living()
        return scorer

    async def _follow(self) -> None:
        await self._first.wait()
        await self._keep(self._spawn())

    async def _keep(self, scorer: ScorerProcess) -> None:
        await self._start(scorer)
        self._up += 1
        if self._up == self._count:
            for one in self._living:
                memory.shelter(one.child.pid)
            self._complete.set()
        fruitless = 0
        while True:
            gone = self._gone[scorer]
            worn = asyncio.create_task(scorer.worn.wait())
            try:
                await asyncio.wait({gone, worn}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                worn.cancel()
            if not gone.done():
                fresh = await self._renew(scorer)
                if fresh is not None:
                    scorer = fresh
                    continue
            fruitless = 0 if scorer.status.answered else fruitless + 1
            code = self._forget(scorer)
            self._log.error("Scorer %d died: %s. It is replaced.", scorer.child.pid, outcome(code))
            self._counters.scorer_replaced(Ended.of(code, overdue=scorer in self._overdue))
            self._overdue.discard(scorer)
            scorer, fruitless = await self._replace(fruitless)

    async def _renew(self, scorer: ScorerProcess) -> ScorerProcess | None:
        """Another scorer in the place of one that has done its share; None if that dies before it is ready."""
        wait = FIRST_WAIT_SECONDS
        async with self._one_more:
            while not self._gone[scorer].done():
                try:
                    fresh = await self._another()
                except (BundleError, ScriptError, ServiceError) as error:
                    self._log.error(
                        "Scorer %d goes on: none can be started in its place: %s %s",
                        scorer.child.pid,
                        error.message,
                        error.hint,
                    )
                    await asyncio.wait({self._gone[scorer]}, timeout=wait)
                    wait = min(wait * 2, LONGEST_WAIT_SECONDS)
                else:
                    task = asyncio.create_task(self._retire(scorer))
                    self._retiring.add(task)
                    task.add_done_callback(self._retiring.discard)
                    # The memory of one more is not asked for again before this one's is free.
                    await asyncio.wait({task})
                    return fresh
        return None

    async def _retire(self, scorer: ScorerProcess) -> None:
        """End a scorer once it has answered what it was given."""
        gone = self._gone[scorer]
        waited: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._audience.retired(scorer))]
        if scorer.link is not None:
            waited.append(self._engine.retire(scorer.link))
        for answered in waited:
            await asyncio.wait({answered, gone}, return_when=asyncio.FIRST_COMPLETED)
        scorer.dismiss()
        await asyncio.wait({gone})
        self._forget(scorer)
        self._log.info("Scorer %d has ended.", scorer.child.pid)

    def _forget(self, scorer: ScorerProcess) -> int:
        """Have done with a scorer that has ended; its exit code."""
        scorer.status.close()
        self._shares.pop(scorer, None)
        return self._gone.pop(scorer).result()

    async def _ended(self, scorer: ScorerProcess) -> int:
        await scorer.ending()
        self._count_unready(scorer)
        if scorer.link is not None:
            self._engine.retire(scorer.link)
        code = await scorer.ended()
        self._living.discard(scorer)
        self._everyone.discard(scorer)
        self._count_living()
        self._audience.left(scorer)
        if scorer.link is not None:
            self._engine.leave(scorer.link)
        return code

    def _count_unready(self, scorer: ScorerProcess) -> None:
        if scorer in self._ready:
            self._ready.remove(scorer)
            self._counters.ready -= 1

    def _count_living(self) -> None:
        self._counters.scorers_are(scorer.child.pid for scorer in self._everyone)

    async def _replace(self, fruitless: int) -> tuple[ScorerProcess, int]:
        while True:
            if fruitless:
                wait = min(FIRST_WAIT_SECONDS * 2 ** (fruitless - 1), LONGEST_WAIT_SECONDS)
                self._log.info("The next scorer is started in %g s.", wait)
                await asyncio.sleep(wait)
            try:
                scorer = await self._another()
            except (BundleError, ScriptError, ServiceError) as error:
                self._log.error("A scorer cannot be replaced: %s %s", error.message, error.hint)
                fruitless += 1
                self._counters.scorer_replaced(Ended.NOT_STARTED)
                if not self._engine.scorers:
                    reason = "No scorer is alive and none could be started. Check the logs for more info."
                    self._engine.close(reason)
                    self._audience.closed(reason)
            else:
                return scorer, fruitless

    async def _another(self) -> ScorerProcess:
        """One more scorer, ready. Raises BundleError, ScriptError or ServiceError."""
        await asyncio.to_thread(self._intact)
        scorer = self._spawn()
        await self._start(scorer)
        return scorer

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for scorer, share in self._shares.items():
                if not (scorer.worn.is_set() or scorer.status.closed) and (why := self._wear.reason(scorer, share)):
                    self._log.info("Scorer %d is to be replaced: %s.", scorer.child.pid, why)
                    scorer.worn.set()
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
            self._everyone.discard(scorer)
            self._count_living()
            scorer.status.close()
            raise
        if not self._first.is_set():
            memory.require(self._count, scorer.child.pid, [] if self._beside is None else self._beside.pids)
            size = anonymous(scorer.child.pid)
            if size is not None and 0 < self._wear.most_bytes < size:
                raise ServiceError(
                    f"max_scorer_bytes is {self._wear.most_bytes} and a scorer that has just been started has {size}.",
                    hint="It would be replaced after each request: allow it more.",
                )
            self._first.set()
        if scorer.link is not None:
            self._engine.join(scorer.link)
        self._shares[scorer] = self._wear.share()
        self._gone[scorer] = asyncio.create_task(self._ended(scorer))
        self._audience.joined(scorer)
        self._ready.add(scorer)
        self._counters.ready += 1
        self._log.info("Scorer %d is ready after %.2f s.", scorer.child.pid, time.monotonic() - begun)
