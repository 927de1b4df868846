"""The life of the service: start, listen, serve, drain, end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import os
import signal
import socket
from typing import TYPE_CHECKING

from scorewright import __version__, versions
from scorewright.bundle import Bundle
from scorewright.errors import ServiceError
from scorewright.service import log
from scorewright.service.engine import Engine
from scorewright.service.pool import ScorerPool
from scorewright.service.scorer_process import Order

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from scorewright.service.http_server import HttpServer
    from scorewright.service.settings import Settings

BACKLOG = 2048

LAST_WORDS_SECONDS = 1.0
"""How long a service that must end at once still has to tell its clients so."""

SERVER_VERSION = f"scorewright/{__version__}"


def serve(settings: Settings) -> int:
    """Serve a bundle until SIGTERM or SIGINT; the exit code.

    Raises BundleError, VersionSkewError, ScriptError or ServiceError if it cannot start; nothing of the bundle has
    been loaded before its hashes and versions are found right.
    """
    bundle = Bundle.load(settings.bundle, model_dir=settings.model_dir)
    if not settings.allow_version_skew:
        versions.require(bundle.manifest.versions)
    logger = log.set_up(settings.log_level)
    with listen(settings.host, settings.port) as listener, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_Service(settings, bundle, listener, logger).run())
    return 0


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

    def __init__(self, settings: Settings, bundle: Bundle, listener: socket.socket, logger: logging.Logger) -> None:
        self._settings = settings
        self._bundle = bundle
        self._listener = listener
        self._log = logger

    async def run(self) -> None:
        """Until a signal has been obeyed, or an error ends it."""
        settings = self._settings
        engine = Engine(max_queue=settings.max_queue, max_batch=settings.max_batch_requests)
        with _signals() as (stop, hurry):
            pool = ScorerPool(
                count=settings.worker_count,
                order=Order(str(self._bundle.entry_script), str(self._bundle.model_dir), settings.log_level),
                environment=self._environment(),
                engine=engine,
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
        serving = asyncio.create_task(http.serve(sockets=[self._listener]))
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(pool.failed())
        self._log.info("%s listens on %s.", self._bundle.manifest.name, _url(self._listener))
        await asyncio.wait({serving, stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await self._drain(http, serving, engine, hurry)
        elif failing.done():
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

        settings = self._settings
        own = [(b"x-ms-server-version", SERVER_VERSION.encode())] if settings.server_version_header else []
        score = ScoreRoute(
            engine,
            max_body_bytes=settings.max_body_bytes,
            own_headers=own,
            access_log=self._log if settings.access_log else None,
        )
        front = app.Front(score, app.build(self._bundle, engine), engine=engine, own_headers=own)
        # What is loaded now stays: a full collection would walk it all amid requests.
        gc.collect()
        gc.freeze()
        return HttpServer.of(front)

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self._settings.allow_version_skew:
            environment[versions.ALLOW_VERSION_SKEW] = "1"
        return environment


@contextlib.contextmanager
def _signals() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Events for the first SIGTERM or SIGINT, and for the second."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    obeyed = (signal.SIGTERM, signal.SIGINT)
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
