"""A front: the process, or one of several, that speaks HTTP. It has a queue of its own, and no model."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING

from scorewright import __version__
from scorewright.errors import ServiceError
from scorewright.service import rows
from scorewright.service.certificate import Certificate
from scorewright.service.collection import Collecting, DataCollector
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
    from collections.abc import Sequence

    from scorewright.service.counters import Counters
    from scorewright.service.http_server import HttpServer
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

LAST_WORDS_SECONDS = 1.0
"""How long a service that must end at once still has to tell its clients so."""


class Front:
    """An engine, and the HTTP server in front of it. `number` is its own among the fronts that share the counters."""

    def __init__(
        self,
        settings: Settings,
        target: Target,
        listeners: Sequence[socket.socket],
        logger: logging.Logger,
        counters: Counters,
        number: int,
    ) -> None:
        count = rows.one if target.bundle is None else rows.counter(target.bundle.manifest.signature)
        own = counters.fronts[number]
        own.begin()
        self.engine = Engine(Limits.of(settings), count, own)
        self._counters = counters
        self._settings = settings
        self._target = target
        self._listeners = listeners
        self._log = logger
        self._guard = Guard.of(settings, logger)
        self._certificate = Certificate.of(settings, logger)
        self._http: HttpServer | None = None
        self._count = count
        self._telemetry: Telemetry | None = None
        self._collector: DataCollector | None = None

    async def serve(self) -> None:
        """Listen and answer, until drained."""
        self._http = self._server()
        # What is loaded now stays: a full collection would walk it all amid requests.
        gc.collect()
        gc.freeze()
        async with contextlib.AsyncExitStack() as stack:
            for watched in (self._guard, self._certificate):
                if watched is not None:
                    await stack.enter_async_context(watched.watching())
            await self._http.serve(sockets=list(self._listeners))

    async def drain(self, serving: asyncio.Task[None], hurry: asyncio.Event) -> None:
        """Take no new connections, answer what has been accepted, and end.

        Raises ServiceError if it had to hurry, and not every accepted request has been answered.
        """
        self.engine.draining = True
        if self.engine.starting:
            # What waits for init() has not been begun: it is not waited for.
            self.engine.close(self.engine.state)
        hurrying = asyncio.create_task(hurry.wait())
        if self._http is not None:
            await self._http.drain()
        await asyncio.wait({serving, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if not hurry.is_set():
            await self._flushed(hurrying)
        if hurry.is_set() and not serving.done():
            self.engine.abandon("The service was stopped before this request was answered.")
            await asyncio.wait({serving}, timeout=LAST_WORDS_SECONDS)
            serving.cancel()
            raise ServiceError(
                "Stopped by a second signal before every accepted request was answered.",
                hint="Send one signal and wait, to lose none.",
            )

    async def refuse(self, serving: asyncio.Task[None], reason: str) -> None:
        """Refuse what waits and what comes, for as long as that takes, and end."""
        self.engine.close(reason)
        if self._http is not None:
            await self._http.drain()
        await asyncio.wait({serving}, timeout=LAST_WORDS_SECONDS)
        serving.cancel()

    async def _flushed(self, hurrying: asyncio.Task[bool]) -> None:
        """Write what is left of collected data, and send what is left of traces, for a while."""
        if self._collector is not None:
            await asyncio.to_thread(self._collector.close)
        if self._telemetry is not None:
            sending = asyncio.create_task(self._telemetry.close())
            await asyncio.wait({sending, hurrying}, return_when=asyncio.FIRST_COMPLETED)
            sending.cancel()

    def _server(self) -> HttpServer:
        # The web framework takes a while to import: the scorers load the model meanwhile.
        from scorewright.service import app
        from scorewright.service.batch.jobs import Jobs
        from scorewright.service.batch.roots import Roots
        from scorewright.service.http_server import HttpServer
        from scorewright.service.metrics import Metrics
        from scorewright.service.score_route import ScoreRoute
        from scorewright.service.v2_route import V2Route

        settings = self._settings
        collecting = Collecting.of(settings, self._target)
        self._collector = None if collecting is None else DataCollector(collecting, self._log)
        own = [(b"x-ms-server-version", SERVER_VERSION.encode())] if settings.server_version_header else []
        score = ScoreRoute(
            self.engine,
            max_body_bytes=settings.max_body_bytes,
            own_headers=own,
            log=self._log,
            access=settings.access_log,
            collector=self._collector,
        )
        v2 = V2Route(
            self.engine,
            self._target,
            version=__version__,
            max_body_bytes=settings.max_body_bytes,
            own_headers=own,
            log=self._log,
            access=settings.access_log,
            collector=self._collector,
        )
        self._telemetry = Telemetry.of(settings, self._target, self._count, self._log)
        gate = None
        if self._guard is not None:
            gate = Gate(
                self.engine,
                self._guard,
                own_headers=own,
                log=self._log,
                access=settings.access_log,
                pages=bool(settings.cors_origins),
            )
        jobs = Jobs(self._target, settings, Roots.of(settings.batch_data, settings.batch_roots))
        metrics = Metrics(self._counters, self.engine, jobs, self._target, settings)
        return HttpServer.of(
            app.App(
                score,
                v2,
                app.build(
                    self._target,
                    self.engine,
                    jobs,
                    metrics,
                    path_prefix=settings.service_path_prefix,
                    guarded=gate is not None,
                ),
                engine=self.engine,
                own_headers=own,
                cors=Cors.of(settings.cors_origins) if settings.cors_origins else None,
                gate=gate,
                tracer=None if self._telemetry is None else self._telemetry.tracer,
            ),
            HttpLimits.of(settings),
            self._certificate.context if self._certificate else None,
        )
