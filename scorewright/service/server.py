"""The life of the service: start, listen, serve, drain, end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import math
import os
import signal
import socket
from typing import TYPE_CHECKING

from scorewright import __version__
from scorewright.errors import ServiceError
from scorewright.service import log
from scorewright.service.engine import Engine
from scorewright.service.order import Order
from scorewright.service.pool import Limit, ScorerPool
from scorewright.service.protocols import azureml
from scorewright.service.protocols.cors import Cors
from scorewright.service.target import LOOPBACK, SERVER_VERSION, Target

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from scorewright.service.http_server import HttpServer
    from scorewright.service.settings import Read, Settings

BACKLOG = 2048

LAST_WORDS_SECONDS = 1.0
"""How long a service that must end at once still has to tell its clients so."""

TIMEOUT_GRACE_SECONDS = 5.0
"""How long a run() that is told that its time is over may take to obey, before its process is ended."""


def serve(read: Read) -> int:
    """Serve a bundle or an entry script until SIGTERM or SIGINT; the exit code.

    Raises BundleError, VersionSkewError, ScriptError, UsageError or ServiceError if it cannot start; nothing of a
    bundle has been loaded before its hashes and versions are found right.
    """
    settings = read.settings
    target = Target.of(settings)
    logger = log.set_up(settings.log_level, log.Current())
    log.replace([target.app_root, *([target.entry_script.parent] if target.entry_script is not None else [])])
    _remark(read, target, logger)
    cors = Cors.of(settings.cors_origins) if settings.cors_origins else None
    host = settings.host or target.host
    with contextlib.ExitStack() as stack, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        listeners = [stack.enter_context(listen(host, settings.port))]
        if settings.separate_health_port:
            listeners.append(stack.enter_context(listen(host, settings.health_port)))
        runner.run(_Service(settings, target, listeners, cors, logger).run())
    return 0


def _remark(read: Read, target: Target, logger: logging.Logger) -> None:
    """Log what somebody should know who relies on a setting."""
    settings = read.settings
    if read.unknown:
        logger.warning("The configuration file has keys that are no settings: %s.", ", ".join(read.unknown))
    if target.bundle is None and settings.model_dir is None:
        logger.info("AZUREML_MODEL_DIR is not set; --model-dir sets it.")
    if settings.bundle is not None and settings.entry_script is not None:
        logger.warning("AZUREML_ENTRY_SCRIPT is %s; the bundle's own script is served.", settings.entry_script)
    if settings.app_insights_enabled:
        logger.warning("Application Insights is asked for; nothing is sent there by this version.")
    if os.environ.get("WORKER_PRELOAD", "").lower() == "true":
        logger.info("WORKER_PRELOAD is set; each scorer calls init() for itself all the same.")
    if (settings.host or target.host) not in {LOOPBACK, "localhost", "::1"}:
        logger.warning("Whoever reaches this machine can use the service: it asks for no key.")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ServiceError naming the address if it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ServiceError(
            f"There is no address {host!r} to listen on: {error.strerror}.",
            hint="Give --host an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all.",
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServiceError(
            f"Port {port} of {host} cannot be listened on: {error.strerror}.",
            hint="Choose another with --port, or stop what uses it.",
        ) from error
    return listener


class _Service:
    """One run of the service."""

    def __init__(
        self,
        settings: Settings,
        target: Target,
        listeners: list[socket.socket],
        cors: Cors | None,
        logger: logging.Logger,
    ) -> None:
        self._settings = settings
        self._target = target
        self._listeners = listeners
        self._cors = cors
        self._log = logger

    async def run(self) -> None:
        """Until a signal has been obeyed, or an error ends it."""
        settings = self._settings
        engine = Engine(max_queue=settings.max_queue, max_batch=settings.max_batch_requests)
        with _signals() as (stop, hurry):
            pool = ScorerPool(
                count=settings.worker_count,
                order=self._order(),
                environment=self._target.environment(settings),
                engine=engine,
                limit=self._limit(),
                logger=self._log,
            )
            try:
                http = self._http_server(engine)
                await self._serve(http, engine, pool, stop, hurry)
            finally:
                await pool.stop(at_once=hurry.is_set())

    async def _serve(
        self, http: HttpServer, engine: Engine, pool: ScorerPool, stop: asyncio.Event, hurry: asyncio.Event
    ) -> None:
        serving = asyncio.create_task(http.serve(sockets=self._listeners))
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(pool.failed())
        for listener in self._listeners:
            self._log.info("%s listens on %s.", self._target.title, _url(listener))
        await asyncio.wait({serving, stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await self._drain(http, serving, engine, hurry)
        elif failing.done():
            engine.close("The service cannot start. Check the logs for more info.")
            await http.drain()
            await asyncio.wait({serving}, timeout=LAST_WORDS_SECONDS)
            serving.cancel()
            raise failing.result()
        else:
            self._log.error("The HTTP server ended by itself.", exc_info=serving.exception())
            raise ServiceError(
                f"The HTTP server ended by itself: {serving.exception()!r}.", hint="The traceback is in the log above."
            )

    async def _drain(self, http: HttpServer, serving: asyncio.Task[None], engine: Engine, hurry: asyncio.Event) -> None:
        self._log.info("Stopping: no new connections; what has been accepted is still answered.")
        engine.draining = True
        if engine.starting:
            # What waits for init() has not been begun: it is not waited for.
            engine.close(engine.state)
        hurrying = asyncio.create_task(hurry.wait())
        await http.drain()
        await asyncio.wait({serving, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if hurry.is_set():
            engine.abandon("The service was stopped before this request was answered.")
            await asyncio.wait({serving}, timeout=LAST_WORDS_SECONDS)
            serving.cancel()
            raise ServiceError(
                "Stopped by a second signal before every accepted request was answered.",
                hint="Send one signal and wait, to lose none.",
            )
        self._log.info("Stopped: every accepted request has been answered.")

    def _http_server(self, engine: Engine) -> HttpServer:
        # The web framework takes a while to import: the scorers load the model meanwhile.
        from scorewright.service import app
        from scorewright.service.http_server import HttpServer
        from scorewright.service.score_route import ScoreRoute
        from scorewright.service.v2_route import V2Route

        settings = self._settings
        own = [(b"x-ms-server-version", SERVER_VERSION.encode())] if settings.server_version_header else []
        score = ScoreRoute(
            engine, max_body_bytes=settings.max_body_bytes, own_headers=own, log=self._log, access=settings.access_log
        )
        v2 = V2Route(
            engine,
            self._target,
            version=__version__,
            max_body_bytes=settings.max_body_bytes,
            own_headers=own,
            log=self._log,
            access=settings.access_log,
        )
        front = app.Front(
            score,
            v2,
            app.build(self._target, engine, path_prefix=settings.service_path_prefix),
            engine=engine,
            own_headers=own,
            cors=self._cors,
        )
        # What is loaded now stays: a full collection would walk it all amid requests.
        gc.collect()
        gc.freeze()
        return HttpServer.of(front)

    def _order(self) -> Order:
        settings, target = self._settings, self._target
        return Order(
            entry_script=None if target.entry_script is None else str(target.entry_script),
            model_dir=target.model_dir,
            log_level=settings.log_level,
            scoring_timeout_ms=settings.scoring_timeout_ms,
            max_body_bytes=settings.max_body_bytes,
            bundle=None if target.bundle is None else str(target.bundle.root),
            debug_port=settings.debug_port,
        )

    def _limit(self) -> Limit:
        """How long a scorer may be silent: past its own deadline, or past the worker's, whichever comes first."""
        settings = self._settings
        worker = settings.worker_timeout or math.inf
        soft = settings.scoring_timeout_ms / 1000 + TIMEOUT_GRACE_SECONDS if settings.scoring_timeout_ms else math.inf
        if worker < soft:
            return Limit(worker, worker, f"Scoring took longer than {settings.worker_timeout} s.")
        return Limit(soft, worker, azureml.scoring_timeout(settings.scoring_timeout_ms))


@contextlib.contextmanager
def _signals() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Events for the first SIGTERM or SIGINT, and for the second."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    obeyed = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    # What a closed terminal sends; Azure's server goes on, too.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    for number in obeyed:
        loop.add_signal_handler(number, lambda: hurry.set() if stop.is_set() else stop.set())
    try:
        yield stop, hurry
    finally:
        for number in obeyed:
            loop.remove_signal_handler(number)


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"http://{host}:{port}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop
