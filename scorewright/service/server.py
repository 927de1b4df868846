"""The life of the service: start, listen, serve, drain, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

from scorewright.errors import ScorewrightError, ServiceError
from scorewright.service import line_stream, log
from scorewright.service import settings as service_settings
from scorewright.service.batch.roots import Roots
from scorewright.service.batch.supervisor import Supervisor
from scorewright.service.counters import Counters
from scorewright.service.credentials import Credentials
from scorewright.service.event_loop import loop_factory
from scorewright.service.front import Front
from scorewright.service.fronts import FIRST_GENERATION, Fronts
from scorewright.service.generations import Generations
from scorewright.service.listener import listen
from scorewright.service.scorer_process import MAIN_FRONT
from scorewright.service.target import Target, loopback

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from scorewright.service.settings import Read, Settings


def serve(read: Read) -> int:
    """Serve a bundle or an entry script until SIGTERM or SIGINT; the exit code.

    Raises BundleError, VersionSkewError, ScriptError, UsageError or ServiceError if it cannot start; nothing of a
    bundle has been loaded before its hashes and versions are found right.
    """
    settings = read.settings
    service_settings.forget_secrets()
    target = Target.of(settings)
    logger = log.set_up(settings.log_level, log.Current(), settings.log_format)
    if log.replace([target.app_root, *([target.entry_script.parent] if target.entry_script is not None else [])]):
        # What a line is, it says itself: all processes are told so.
        settings = settings.model_copy(update={"log_format": "text"})
    _remark(read, target, logger)
    if settings.log_format == "text":
        return _served(settings, target, logger)
    line_stream.take(logger)
    try:
        return _served(settings, target, logger)
    except ScorewrightError as error:
        # In words that are no JSON, it would be said past the log.
        logger.critical("%s %s", error.message, error.hint)
        return error.exit_code


def _served(settings: Settings, target: Target, logger: logging.Logger) -> int:
    credentials = Credentials.of(settings, logger)
    settings = settings.without_keys()
    with contextlib.ExitStack() as stack, asyncio.Runner(loop_factory=loop_factory()) as runner:
        listeners = _listeners(settings, settings.host or target.host, stack)
        runner.run(_Service(settings, credentials, target, listeners, logger).run())
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
    if settings.app_insights_enabled and settings.app_insights_key is None:
        logger.warning("AML_APP_INSIGHTS_ENABLED is set, and AML_APP_INSIGHTS_KEY is not: nothing is sent.")
    if os.environ.get("WORKER_PRELOAD", "").lower() == "true":
        logger.info("WORKER_PRELOAD is set; each scorer calls init() for itself all the same.")
    if not settings.guarded and not loopback(settings.host or target.host):
        logger.warning(
            "Whoever reaches this machine can use the service: it asks for no key. SCOREWRIGHT_KEYS_PATH sets some."
        )


def _listeners(settings: Settings, host: str, stack: contextlib.ExitStack) -> list[socket.socket]:
    """What the main process's front listens on; with several fronts, each has sockets of its own on the same ports."""
    ports = [settings.port, *([settings.health_port] if settings.separate_health_port else [])]
    with contextlib.ExitStack() as probes:
        # Among sockets that share a port, another service's would not be noticed.
        probed = [probes.enter_context(listen(host, port)) for port in ports]
        if settings.fronts == 1:
            probes.pop_all()
            return [stack.enter_context(listener) for listener in probed]
        ports = [listener.getsockname()[1] for listener in probed]
    return [stack.enter_context(listen(host, port, shared=True)) for port in ports]


class _Service:
    """One run of the service: the main process's front, further fronts, and the scorers."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        target: Target,
        listeners: list[socket.socket],
        logger: logging.Logger,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._target = target
        self._listeners = listeners
        self._log = logger
        self._roots = Roots.of(settings.batch_data, settings.batch_roots)

    async def run(self) -> None:
        """Until a signal has been obeyed, or an error ends it."""
        settings = self._settings
        counters = Counters.create(settings.fronts)
        credentials = self._credentials
        front = Front(settings, self._target, self._listeners, self._log, counters, MAIN_FRONT, credentials)
        jobs = Supervisor(settings, self._target, self._roots, self._log)
        ports = [listener.getsockname()[1] for listener in self._listeners]
        address = settings.host or self._target.host, ports
        with _signals() as (stop, hurry, reload):
            fronts = Fronts(settings.fronts - 1, settings, address, self._target, self._log, counters, credentials)
            generations = Generations(settings, front, fronts, jobs.serve, self._log, counters.main)
            reloading = asyncio.create_task(generations.obey(reload))
            try:
                await self._serve(front, fronts, generations, stop, hurry)
            finally:
                reloading.cancel()
                await asyncio.wait({reloading})
                await fronts.stop()
                await generations.stop(hurry)
                await jobs.stop()

    async def _serve(
        self, front: Front, fronts: Fronts, generations: Generations, stop: asyncio.Event, hurry: asyncio.Event
    ) -> None:
        secure = self._settings.tls_cert is not None
        serving = asyncio.create_task(front.serve())
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(generations.failed())
        for listener in self._listeners:
            self._log.info("%s listens on %s.", self._target.title, _url(listener, secure=secure))
        await asyncio.wait({serving, stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            self._log.info("Stopping: no new connections; what has been accepted is still answered.")
            draining = asyncio.create_task(fronts.drained(hurry))
            patience = asyncio.create_task(self._patience(hurry))
            try:
                await front.drain(serving, hurry)
            finally:
                patience.cancel()
                # Hurried or not, the others have their last words, too.
                answered = await draining
            if not answered:
                raise ServiceError(
                    "A front ended before it had answered every request that it had accepted.",
                    hint="The log above says why. After a second signal, or drain_timeout, it is what was asked for.",
                )
            self._log.info("Stopped: every accepted request has been answered.")
        elif failing.done():
            reason = "The service cannot start. Check the logs for more info."
            fronts.closed(FIRST_GENERATION, reason)
            await front.refuse(serving, reason)
            raise failing.result()
        elif isinstance(error := serving.exception(), ScorewrightError):
            raise error
        else:
            self._log.error("The HTTP server ended by itself.", exc_info=serving.exception())
            raise ServiceError(
                f"The HTTP server ended by itself: {serving.exception()!r}.", hint="The traceback is in the log above."
            )

    async def _patience(self, hurry: asyncio.Event) -> None:
        """Hurry once the time to drain is over."""
        seconds = self._settings.drain_timeout
        if seconds:
            await asyncio.sleep(seconds)
            self._log.warning(
                "The %d s of drain_timeout are over: what is not answered by now is answered 503.", seconds
            )
            hurry.set()


@contextlib.contextmanager
def _signals() -> Iterator[tuple[asyncio.Event, asyncio.Event, asyncio.Event]]:
    """Events for the first SIGTERM or SIGINT, for the second, and for SIGHUP."""
    stop, hurry, reload = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    obeyed = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # Under nohup it is ignored, and what a closed terminal sends is to go on being so.
        loop.add_signal_handler(signal.SIGHUP, reload.set)
    for number in obeyed:
        loop.add_signal_handler(number, lambda: hurry.set() if stop.is_set() else stop.set())
    try:
        yield stop, hurry, reload
    finally:
        for number in obeyed:
            loop.remove_signal_handler(number)


def _url(listener: socket.socket, *, secure: bool) -> str:
    host, port, *_ = listener.getsockname()
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"{scheme}://{host}:{port}"
