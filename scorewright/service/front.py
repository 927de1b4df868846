"""A front: the process, or one of several, that speaks HTTP. It has a queue of its own, and no model."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright import __version__
from scorewright.errors import ServiceError
from scorewright.service import rows
from scorewright.service.collection import CollectedData, Collecting, DataCollector
from scorewright.service.engine import Engine
from scorewright.service.gate import Gate, Guard
from scorewright.service.http_limits import HttpLimits
from scorewright.service.limits import Limits
from scorewright.service.protocols.cors import Cors
from scorewright.service.target import SERVER_VERSION
from scorewright.service.telemetry import Telemetry

if TYPE_CHECKING:
    import logging
    import socket
    from collections.abc import Coroutine, Sequence

    from starlette.types import Receive, Scope, Send

    from scorewright.service.app import App
    from scorewright.service.counters import Counters
    from scorewright.service.credentials import Credentials
    from scorewright.service.http_server import HttpServer
    from scorewright.service.rows import RowCount
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

LAST_WORDS_SECONDS = 1.0
"""How long a service that must end at once still has to tell its clients so."""


_STOPPED = "The service was stopped before this request was answered."


class Served:
    """What a front serves at a time: the target, the engine that scores for it, and the application."""

    def __init__(self, target: Target, engine: Engine) -> None:
        self.target = target
        self.engine = engine
        self.app: App | None = None


class Answering:
    """The application that answers, changed between two requests. A request stays with the one it came to."""

    app: App

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """ASGI; without a coroutine of its own, since every request comes by."""
        return self.app(scope, receive, send)


class Front:
    """What is served, and the HTTP server in front of it. `number` is its own among the fronts that share the counters.

    `served` may be changed: another is prepared beside it, takes its place, and the former one finishes what it has.
    """

    def __init__(
        self,
        settings: Settings,
        target: Target,
        listeners: Sequence[socket.socket],
        logger: logging.Logger,
        counters: Counters,
        number: int,
        credentials: Credentials,
    ) -> None:
        self._counters = counters
        self._own = counters.fronts[number]
        self._own.begin()
        self._settings = settings
        self._listeners = listeners
        self._log = logger
        self._guard = Guard.of(credentials.keys, settings, logger)
        self._certificate = credentials.certificate
        self._http: HttpServer | None = None
        self._answering = Answering()
        self._former: set[Served] = set()
        self.served = Served(target, self._engine(target, None))
        self._telemetry = Telemetry.of(settings, target, logger)
        self._collected: CollectedData | None = None

    async def serve(self) -> None:
        """Listen and answer, until drained. Raises BundleError if the bundle's description is not usable."""
        # The web framework takes a while to import: the scorers load the model meanwhile.
        from scorewright.service.http_server import HttpServer

        self._answering.app = self.served.app = self._application(self.served)
        self._http = HttpServer.of(
            self._answering,
            HttpLimits.of(self._settings),
            self._certificate.context if self._certificate else None,
        )
        # What is loaded now stays: a full collection would walk it all amid requests.
        gc.collect()
        gc.freeze()
        async with contextlib.AsyncExitStack() as stack:
            for watched in (self._guard, self._certificate):
                if watched is not None:
                    await stack.enter_async_context(watched.watching())
            await self._http.serve(sockets=list(self._listeners))

    async def prepare(self, target: Target) -> Served:
        """What it would take to serve another target. Raises BundleError if its description is not usable."""
        served = Served(target, self._engine(target, self.served.engine))
        served.app = await asyncio.to_thread(self._application, served)
        return served

    def swap(self, served: Served) -> Served:
        """Serve this from now on; what was served until now, which is to be given time by `finished`."""
        former, self.served = self.served, served
        if served.app is not None:
            self._answering.app = served.app
        served.engine.draining = former.engine.draining
        self._former.add(former)
        return former

    async def finished(self, former: Served) -> None:
        """Wait until all that it had accepted is answered."""
        await former.engine.finished()
        self._former.discard(former)

    async def drain(self, serving: asyncio.Task[None], hurry: asyncio.Event) -> None:
        """Take no new connections, answer what has been accepted, and end.

        Raises ServiceError if it had to hurry, and not every accepted request has been answered.
        """
        engine = self.served.engine
        for served in (self.served, *self._former):
            served.engine.draining = True
        if engine.starting:
            # What waits for init() has not been begun: it is not waited for.
            engine.close(engine.state)
        hurrying = asyncio.create_task(hurry.wait())
        if self._http is not None:
            await self._http.drain()
        await asyncio.wait({serving, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if not hurry.is_set():
            await self._flushed(hurrying)
        if hurry.is_set() and not serving.done():
            for served in (self.served, *self._former):
                served.engine.abandon(_STOPPED)
            if self._http is not None:
                self._http.give_up(_STOPPED)
            await asyncio.wait({serving}, timeout=LAST_WORDS_SECONDS)
            serving.cancel()
            raise ServiceError(
                "Stopped before every accepted request was answered.",
                hint="To lose none, send one signal, and give the service more time (SCOREWRIGHT_DRAIN_TIMEOUT).",
            )

    async def refuse(self, serving: asyncio.Task[None], reason: str) -> None:
        """Refuse what waits and what comes, for as long as that takes, and end."""
        self.served.engine.close(reason)
        if self._http is not None:
            await self._http.drain()
        await asyncio.wait({serving}, timeout=LAST_WORDS_SECONDS)
        serving.cancel()

    async def _flushed(self, hurrying: asyncio.Task[bool]) -> None:
        """Write what is left of collected data, and send what is left of traces, for a while."""
        if self._collected is not None:
            await asyncio.to_thread(self._collected.close)
        if self._telemetry is not None:
            sending = asyncio.create_task(self._telemetry.close())
            await asyncio.wait({sending, hurrying}, return_when=asyncio.FIRST_COMPLETED)
            sending.cancel()

    def _collector(self, target: Target) -> DataCollector | None:
        collecting = Collecting.of(self._settings, target)
        if collecting is None:
            return None
        if self._collected is None:
            self._collected = CollectedData(Path(collecting.folder), collecting.max_bytes, self._log)
        return DataCollector(collecting, self._collected)

    def _engine(self, target: Target, before: Engine | None) -> Engine:
        return Engine(Limits.of(self._settings), _count(target), self._own, before)

    def _application(self, served: Served) -> App:
        """The application of a target. What is to outlast a reload is made elsewhere and given to each."""
        from scorewright.service import app
        from scorewright.service.batch.jobs import Jobs
        from scorewright.service.batch.roots import Roots
        from scorewright.service.metrics import Metrics
        from scorewright.service.score_route import ScoreRoute
        from scorewright.service.v2_route import V2Route

        settings, target, engine = self._settings, served.target, served.engine
        collector = self._collector(target)
        own = [(b"x-ms-server-version", SERVER_VERSION.encode())] if settings.server_version_header else []
        score = ScoreRoute(
            engine,
            max_body_bytes=settings.max_body_bytes,
            own_headers=own,
            log=self._log,
            access=settings.access_log,
            collector=collector,
        )
        v2 = V2Route(
            engine,
            target,
            version=__version__,
            max_body_bytes=settings.max_body_bytes,
            own_headers=own,
            log=self._log,
            access=settings.access_log,
            collector=collector,
        )
        gate = None
        if self._guard is not None:
            gate = Gate(
                engine,
                self._guard,
                own_headers=own,
                log=self._log,
                access=settings.access_log,
                pages=bool(settings.cors_origins),
            )
        jobs = Jobs(target, settings, Roots.of(settings.batch_data, settings.batch_roots))
        metrics = Metrics(self._counters, engine, jobs, target, settings)
        return app.App(
            score,
            v2,
            app.build(
                target,
                engine,
                jobs,
                metrics,
                path_prefix=settings.service_path_prefix,
                guarded=gate is not None,
            ),
            engine=engine,
            own_headers=own,
            cors=Cors.of(settings.cors_origins) if settings.cors_origins else None,
            gate=gate,
            logger=self._log,
            tracer=None if self._telemetry is None else self._telemetry.tracer(target, _count(target)),
        )


def _count(target: Target) -> RowCount:
    return rows.one if target.bundle is None else rows.counter(target.bundle.manifest.signature)
