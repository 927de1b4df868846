"""The scorer: the process that runs the entry script, and nothing else.

Started by the main process as `python -m scorewright.service.scorer FD CONTROL STATUS`: its end of a Unix socket to
the main process's front, one over which it is given further fronts', and the page it tells its status by. Its main
thread loads the script, calls init() and then scores what comes, as azmlinfsrv's workers do. It ends when the first
socket does.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import io
import json
import math
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from scorewright.contract import shim
from scorewright.contract.run_form import Takes
from scorewright.contract.script import MAIN, EntryScript
from scorewright.difference import difference
from scorewright.errors import ScorewrightError, ScriptError
from scorewright.service import frames, line_stream, log, swagger_files, user_log
from scorewright.service.calls import Calls
from scorewright.service.channel import Channel, Channels
from scorewright.service.collection import CollectedData, Collecting, DataCollector
from scorewright.service.frames import Kind, Ready
from scorewright.service.order import Order
from scorewright.service.protocols import swagger
from scorewright.service.scoring import Scorer
from scorewright.service.status import Status
from scorewright.service.v2_calls import V2Calls

if TYPE_CHECKING:
    import logging
    from types import FrameType

ORPHAN_GRACE_SECONDS = 5.0
"""How long a scorer whose front is gone may take to end by itself: a run() under way, exit handlers."""


def main() -> int:
    """Load, start, and score until the main process closes the socket. The exit code is the process's."""
    descriptors = [int(word) for word in sys.argv[1:]]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    channel = Channel(socket.socket(fileno=descriptors[0]))
    control = Channel(socket.socket(fileno=descriptors[1]))
    status = Status(descriptors[2])
    faulthandler.enable()
    _pass_over()
    # A pipe would hold back what the script prints until the buffer is full, or for ever if the process is killed.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    threading.Thread(target=_end_with, args=(channel.socket,), daemon=True).start()
    first = channel.read()
    if first is None:
        return 0
    order = Order(**json.loads(first[1]))
    current = log.Current()
    own = line_stream.apart() if order.log_format == "json" else log.own_stdout()
    logger = log.set_up(order.log_level, current, order.log_format, own)
    user_log.take(order.log_level, current, order.log_format, own)
    if order.log_format == "json":
        line_stream.take(logger)
    try:
        script = _started(order, current, logger)
        calls = Calls(script, V2Calls.ordered(script, order))
        _try(order, calls, status)
        files = swagger_files.read(Path(os.environ.get("AML_APP_ROOT", ".")))
    except ScorewrightError as error:
        channel.send([frames.pack_json(Kind.FAILED, {"message": error.message, "hint": error.hint})])
        return ScriptError.exit_code
    # What is loaded now stays: a full collection would walk it all, for tens of milliseconds, amid requests.
    gc.collect()
    gc.freeze()
    ready = Ready(
        run_many=script.run_many is not None,
        needs_request=calls.need_request,
        any_method=script.form.takes is Takes.REQUEST,
        swagger={"schemas": swagger.of_run(script.run), "files": files},
    )
    channel.send([frames.pack_json(Kind.READY, ready._asdict())])
    silence = math.inf if order.worker_silence is None else order.worker_silence
    scorer = Scorer(script, calls, status, silence=silence, current=current, logger=logger)
    _score(scorer, Channels(channel, control))
    return 0


def _score(scorer: Scorer, channels: Channels) -> None:
    """Score what comes, until the main process's front is gone."""
    for channel, kind, payload in channels.frames():
        # A CANCEL may come when what it cancels has just ended.
        if kind is Kind.SCORE:
            try:
                scorer.score(channel, frames.unpack_requests(payload))
            except (BrokenPipeError, ConnectionResetError):
                scorer.lost_front()
                channels.drop(channel)


def _started(order: Order, current: log.Current, logger: logging.Logger) -> EntryScript:
    """The script, after init(). Raises ScriptError if there is none to be had."""
    if order.debug_port is not None:
        _attach_debugger(order.debug_port)
    path = None if order.entry_script is None else Path(order.entry_script)
    log.replace([Path(os.environ.get("AML_APP_ROOT", ".")), *([path.parent] if path is not None else [])])
    if order.app_insights_key is not None:
        _send_to_app_insights(order.app_insights_key, order, current, logger)
    if order.collect is not None:
        _collect(Collecting(**order.collect), current, logger)
    # As under gunicorn; this process itself is started without it, so that no file there can pass for a module of ours.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    # A script that reads its arguments is given none.
    sys.argv = [order.entry_script or f"{MAIN}.py"]
    script = EntryScript.load(path, model_dir=order.model_dir)
    script.start(order.model_dir)
    return script


def _collect(collecting: Collecting, current: log.Current, logger: logging.Logger) -> None:
    data = CollectedData(Path(collecting.folder), collecting.max_bytes, logger)
    collector = DataCollector(collecting, data)
    shim.provide(lambda name, data, context: collector.frame(name, data, context, current.request_id))
    atexit.register(data.close)


def _send_to_app_insights(key: str, order: Order, current: log.Current, logger: logging.Logger) -> None:
    # The front has said so if it cannot be had.
    with contextlib.suppress(ImportError, ValueError):
        from scorewright.service import app_insights, telemetry

        resource = telemetry.resource(order.service_name)
        provider = app_insights.provider(app_insights.exporter_options(key), resource)
        telemetry.relay(["azure.monitor"], logger, telemetry.secrets_of_key(key))
        logger.addHandler(app_insights.AppInsightsHandler(provider, current))


def _try(order: Order, calls: Calls, status: Status) -> None:
    """Have the script answer the bundle's sample. Raises ScriptError unless that is the expected answer."""
    if order.sample is None or order.expected is None:
        return
    status.due(math.inf if order.worker_silence is None else time.monotonic() + order.worker_silence)
    call = calls.of(frames.Request("sample", memoryview(b""), memoryview(order.sample.encode())))
    try:
        found = call.answer(call.invoke())
        body = json.loads(found.body)
    # Whatever a script raises, SystemExit included.
    except BaseException as error:
        raise ScriptError(
            f"run() failed on the bundle's sample:\n{traceback.format_exc().rstrip()}",
            hint=f"{type(error).__name__}: {error}",
        ) from error
    words = f"status {found.status}: {body}" if found.status != 200 else difference(json.loads(order.expected), body)
    status.idle()
    if words:
        raise ScriptError(
            f"The bundle's sample is not answered as expected_response.json has it: {words}.",
            hint="`scorewright check` says more; if the script was changed on purpose, make the bundle again.",
        )


def _attach_debugger(port: int) -> None:
    try:
        import debugpy
    except ImportError:
        raise ScriptError(
            "AZUREML_DEBUG_PORT is set, and debugpy is not installed.", hint="pip install debugpy, or unset it."
        ) from None
    debugpy.connect(port)
    debugpy.wait_for_client()


def _pass_over() -> None:
    """Pass over the signals that a service's processes are all sent at once: the main process says when to end.

    A handler, since what is ignored would be so in programs that the script starts; children that it forks obey.
    """
    own = os.getpid()

    def obey_elsewhere(number: int, _: FrameType | None) -> None:
        if os.getpid() != own:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, obey_elsewhere)
        # A call of the system's that is under way in C goes on.
        signal.siginterrupt(number, False)


def _end_with(channel: socket.socket) -> None:
    """End this process soon after the front is gone, even out of a run() that would go on."""
    watched = select.poll()
    # With no events asked for, only the end of the other side is reported.
    watched.register(channel, 0)
    watched.poll()
    time.sleep(ORPHAN_GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
