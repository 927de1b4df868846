"""The process that runs a batch entry script, and nothing else.

Started by a worker as `python -m scorewright.service.batch.script_process FD`, its end of a Unix socket over which it
is told, a JSON line each: the order, then mini-batches. It answers each with a line, and ends when the socket does.
What the script prints goes to this process's stdout and stderr.
"""

from __future__ import annotations

import faulthandler
import io
import json
import logging
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

from scorewright import versions
from scorewright.contract.batch_script import BatchScript
from scorewright.errors import BatchError, LocationError, ScorewrightError
from scorewright.service.batch.mini_batch import MiniBatch
from scorewright.service.batch.order import Order
from scorewright.service.batch.returned import ReturnError
from scorewright.service.batch.scores import CommitError, Scores
from scorewright.service.batch.source import Source

TRACEBACK_LINES = 30


def main() -> int:
    """Load, start, score until the socket ends. The exit code is the process's."""
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    channel = socket.socket(fileno=descriptor)
    # What the script forks would keep it open, and the worker wait for a process that has ended.
    os.register_at_fork(after_in_child=lambda: os.close(channel.detach()))
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    threading.Thread(target=_end_with, args=(channel,), daemon=True).start()
    lines = channel.makefile("rb")
    first = lines.readline()
    if not first:
        return 0
    told = json.loads(first)
    order = Order(**{**told, "arguments": tuple(told["arguments"])})
    with tempfile.TemporaryDirectory(prefix="worker-", dir=order.scratch) as folder:
        output, inputs = Path(folder, "output"), Path(folder, "input")
        output.mkdir()
        inputs.mkdir()
        try:
            script = _started(order, output)
        except ScorewrightError as error:
            _answer(channel, _fatal(error))
            return error.exit_code
        scores = Scores(script, order, output, inputs)
        _answer(channel, {"ready": True})
        for line in lines:
            _answer(channel, _scored(scores, MiniBatch.of(json.loads(line)), script.path))
        if script.shutdown is not None:
            script.shutdown()
    return 0


def _started(order: Order, output: Path) -> BatchScript:
    """The script, after init(). Raises ScriptError, BundleError or VersionSkewError."""
    logging.basicConfig(
        level=order.logging_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    os.environ["AZUREML_BI_OUTPUT_PATH"] = str(output)
    if order.bundle is not None and order.allow_version_skew:
        os.environ[versions.ALLOW_VERSION_SKEW] = "1"
    source = Source(
        bundle=None if order.bundle is None else Path(order.bundle),
        entry_script=Path(order.script),
        model_dir=order.model_dir,
        arguments=order.arguments,
        allow_version_skew=order.allow_version_skew,
    )
    if source.digest(source.loaded()) != order.digest:
        raise BatchError(
            f"{order.bundle or order.script} has changed since the job began: its output is of what was there then.",
            hint="Restore what was there and go on, or start anew with another output.",
        )
    script = BatchScript.load(Path(order.script), model_dir=order.model_dir, arguments=order.arguments)
    script.start(order.model_dir)
    return script


def _scored(scores: Scores, batch: MiniBatch, script: Path) -> dict[str, Any]:
    try:
        return {"note": scores.score(batch)}
    except CommitError as error:
        return _fatal(error.cause)
    except (ReturnError, LocationError) as error:
        return {"error": str(error)}
    except Exception as error:
        lines = traceback.format_exc().splitlines()
        print(*lines, sep="\n", file=sys.stderr)  # noqa: T201 - the log of this process
        return {"error": f"run() raised {type(error).__name__}: {_cut(str(error))}", "where": _where(error, script)}


def _where(error: BaseException, script: Path) -> str:
    """The script's line at which it happened."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(script)]
    return f"{script.name}, line {frames[-1].lineno}: {frames[-1].line}" if frames else ""


def _cut(words: str) -> str:
    return words if len(words) <= 2000 else f"{words[:2000]} …"


def _fatal(error: ScorewrightError) -> dict[str, Any]:
    return {"fatal": type(error).__name__, "message": error.message, "hint": error.hint}


def _answer(channel: socket.socket, content: dict[str, Any]) -> None:
    channel.sendall(json.dumps(content).encode() + b"\n")


def _end_with(channel: socket.socket) -> None:
    """End this process and what it started when the worker is gone, even out of a run() that would go on."""
    watched = select.poll()
    watched.register(channel, 0)
    watched.poll()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
