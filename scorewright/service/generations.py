"""What is served, one generation after another: a reload makes the next ready beside the one that is served."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from scorewright.errors import ScorewrightError
from scorewright.service.collection import Collecting
from scorewright.service.fronts import FIRST_GENERATION, Audience
from scorewright.service.intact import Intact
from scorewright.service.order import Order
from scorewright.service.pool import ScorerPool
from scorewright.service.target import EXPECTED, SAMPLE, Target
from scorewright.service.wear import Wear

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from scorewright.service.counters import MainCounters
    from scorewright.service.front import Front, Served
    from scorewright.service.fronts import Fronts
    from scorewright.service.scorer_process import ScorerProcess
    from scorewright.service.settings import Settings


@dataclass(frozen=True)
class Generation:
    """One loading of what the settings name: what the main process's front serves of it, and its scorers."""

    number: int
    served: Served
    pool: ScorerPool


class Generations:
    """The generation that is served, the next one while it is made ready, and the last one while it ends.

    `on_swap` is called with the target that is served from then on.
    """

    def __init__(
        self,
        settings: Settings,
        front: Front,
        fronts: Fronts,
        on_swap: Callable[[Target], None],
        logger: logging.Logger,
        counters: MainCounters,
    ) -> None:
        self._settings = settings
        self._front = front
        self._fronts = fronts
        self._on_swap = on_swap
        self._log = logger
        self._counters = counters
        self._everyone: set[ScorerProcess] = set()
        self._numbers = itertools.count(FIRST_GENERATION)
        self._swapped = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._pools: list[ScorerPool] = []
        self._current = self._generation(next(self._numbers), front.served)

    async def failed(self) -> ScorewrightError:
        """Wait until the first scorer of the first generation cannot be started; the error that ends the service."""
        while True:
            self._swapped.clear()
            failed = asyncio.create_task(self._current.pool.failed())
            swapped = asyncio.create_task(self._swapped.wait())
            await asyncio.wait({failed, swapped}, return_when=asyncio.FIRST_COMPLETED)
            swapped.cancel()
            if not self._swapped.is_set():
                return failed.result()
            failed.cancel()

    async def obey(self, asked: asyncio.Event) -> None:
        """Reload whenever that is asked for. One that is asked for meanwhile takes the place of one under way."""
        try:
            await self._current.pool.complete()
        except ScorewrightError:
            # The service ends; whoever waits for failed() says why.
            return
        while True:
            await asked.wait()
            asked.clear()
            again = asyncio.create_task(asked.wait())
            reloading = asyncio.create_task(self._reload())
            try:
                await asyncio.wait({again, reloading}, return_when=asyncio.FIRST_COMPLETED)
                if not reloading.done():
                    self._log.info("A reload is asked for while one is under way: it begins anew.")
            finally:
                again.cancel()
                reloading.cancel()
                await asyncio.wait({reloading})

    async def stop(self, hurry: asyncio.Event) -> None:
        """End every scorer; when told to hurry, without letting them finish what they do."""
        if self._ending is not None:
            self._ending.cancel()
        await asyncio.gather(*(pool.stop(hurry) for pool in self._pools))

    async def _reload(self) -> None:
        if self._ending is not None and not self._ending.done():
            self._log.info("The reload waits for what was served before to end.")
            await asyncio.wait({self._ending})
        number = next(self._numbers)
        self._log.info("Reloading %s.", self._settings.bundle or self._current.served.target.title)
        self._front.served.engine.reload = "under way"
        pool = None
        try:
            target = await asyncio.to_thread(Target.of, self._settings)
            served = await self._front.prepare(target)
            self._fronts.prepare(number, target)
            generation = self._generation(number, served, beside=self._current.pool)
            pool = generation.pool
            await pool.complete()
        except BaseException as error:
            # Whatever a reload meets with, what is served goes on.
            self._fronts.drop(number)
            self._front.served.engine.reload = "refused"
            if pool is not None:
                await self._end_pool(pool)
            if not isinstance(error, Exception):
                raise
            self._refuse(error)
        else:
            self._swap(generation)

    def _refuse(self, error: Exception) -> None:
        goes_on = "The reload is refused, and what was served before goes on"
        if isinstance(error, ScorewrightError):
            self._log.error("%s: %s %s", goes_on, error.message, error.hint)
        else:
            self._log.error("%s: %r.", goes_on, error, exc_info=error)

    def _swap(self, generation: Generation) -> None:
        former, self._current = self._current, generation
        self._front.swap(generation.served)
        self._on_swap(generation.served.target)
        self._swapped.set()
        self._ending = asyncio.create_task(self._end(former))

    async def _end(self, former: Generation) -> None:
        """Have a generation finish what it has accepted, and end."""
        target = self._current.served.target
        await self._fronts.swap(self._current.number)
        self._log.info("Reloaded: %s, version %s, is served.", target.title, target.version)
        elsewhere = asyncio.ensure_future(self._fronts.finish(former.number))
        await self._front.finished(former.served)
        await elsewhere
        await self._end_pool(former.pool)
        self._log.info("What was served before has answered all it had accepted, and has ended.")

    async def _end_pool(self, pool: ScorerPool) -> None:
        await pool.stop(asyncio.Event())
        self._pools.remove(pool)

    def _generation(self, number: int, served: Served, beside: ScorerPool | None = None) -> Generation:
        target = served.target
        pool = ScorerPool(
            count=self._settings.worker_count,
            order=self._order(target, tried=beside is not None),
            environment=target.environment(self._settings),
            engine=served.engine,
            audience=Audience(self._fronts, number),
            wear=Wear.of(self._settings),
            intact=Intact(target.bundle),
            counters=self._counters,
            everyone=self._everyone,
            logger=self._log,
            beside=beside,
        )
        self._pools.append(pool)
        return Generation(number, served, pool)

    def _order(self, target: Target, *, tried: bool) -> Order:
        settings, documents = self._settings, target.documents
        tried = tried and SAMPLE in documents and EXPECTED in documents
        return Order(
            entry_script=None if target.entry_script is None else str(target.entry_script),
            model_dir=target.model_dir,
            log_level=settings.log_level,
            log_format=settings.log_format,
            worker_silence=settings.worker_timeout or None,
            max_body_bytes=settings.max_body_bytes,
            manifest=None if target.bundle is None else target.bundle.manifest.to_json(),
            debug_port=settings.debug_port,
            max_rows=settings.max_rows,
            max_json_depth=settings.max_json_depth,
            sample=json.dumps(documents[SAMPLE]) if tried else None,
            expected=json.dumps(documents[EXPECTED]) if tried else None,
            collect=None if (collecting := Collecting.of(settings, target)) is None else asdict(collecting),
            app_insights_key=settings.app_insights_key.get_secret_value()
            if settings.app_insights_key is not None and settings.app_insights_enabled
            else None,
            service_name=target.name,
        )
