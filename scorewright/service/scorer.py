"""The scorer: the process that runs the entry script, and nothing else.

Started by the front as `python -m scorewright.service.scorer FD`; FD is its end of a Unix socket. Its main thread
loads the script, calls init() and then scores what comes, as azmlinfsrv's workers do. It ends when the socket does.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import json
import os
import re
import select
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scorewright.answer import answer
from scorewright.errors import ScriptError
from scorewright.script import EntryScript
from scorewright.service import frames, log
from scorewright.service.frames import JSON_HEADERS, NOT_RETURNED, Kind, Scored
from scorewright.service.protocols import azureml

if TYPE_CHECKING:
    import logging

ORPHAN_GRACE_SECONDS = 5.0
"""How long a scorer whose front is gone may take to end by itself: a run() under way, exit handlers."""

_HEADER_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class _Readable(NamedTuple):
    number: int
    request_id: str
    text: str


class Scorer:
    """Calls a started script and puts what it returns into frames."""

    def __init__(self, script: EntryScript, channel: socket.socket, logger: logging.Logger) -> None:
        self._script = script
        self._channel = channel
        self._log = logger

    def score(self, requests: list[frames.Request]) -> None:
        """Answer every request of one SCORE frame: by one run_many() where the script has it, else one by one.

        run_many(raw_requests) returns as many items as it is given: each what run() would have returned, or an
        exception, which fails that request alone. If it raises or returns something else, run() decides.
        """
        refused, readable = _decode(requests)
        if self._script.run_many is not None and len(readable) > 1:
            together = self._together(self._script.run_many, readable)
            if together is not None:
                self._send(refused + together)
                return
        if refused:
            self._send(refused)
        for request in readable:
            self._send([self._alone(request)])

    def _alone(self, request: _Readable) -> Scored:
        begun = time.perf_counter()
        try:
            value = self._script.run(request.text)
        # Whatever a script raises, SystemExit included, is that request's failure and not the process's end.
        except BaseException as error:
            return self._failed(request, error)
        return self._encode(request, value, (time.perf_counter() - begun) * 1000)

    def _together(self, run_many: Any, readable: list[_Readable]) -> list[Scored] | None:
        begun = time.perf_counter()
        try:
            values = run_many([request.text for request in readable])
            count = len(values)
        except BaseException:
            self._log.exception("run_many() failed on %d requests; each is scored by run().", len(readable))
            return None
        milliseconds = (time.perf_counter() - begun) * 1000
        if count != len(readable):
            self._log.error(
                "run_many() returned %d items for %d requests; each is scored by run().", count, len(readable)
            )
            return None
        return [
            self._failed(request, value)
            if isinstance(value, BaseException)
            else self._encode(request, value, milliseconds)
            for request, value in zip(readable, values, strict=True)
        ]

    def _failed(self, request: _Readable, error: BaseException) -> Scored:
        self._log.error("run() failed.", exc_info=error, extra=log.of(request.request_id))
        return _error(request.number, 500, azureml.SCRIPT_ERROR, failed=True)

    def _encode(self, request: _Readable, value: Any, milliseconds: float) -> Scored:
        try:
            return _scored(request.number, value, milliseconds)
        except BaseException as error:
            self._log.error("run() returned what cannot be sent.", exc_info=error, extra=log.of(request.request_id))
            return _error(request.number, 500, azureml.INTERNAL_ERROR, failed=False)

    def _send(self, scored: list[Scored]) -> None:
        self._channel.sendall(b"".join(frames.pack_scored(scored)))


def main() -> int:
    """Load, start, and score until the front closes the socket. The exit code is the process's."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    faulthandler.enable()
    # A pipe would hold back what the script prints until the buffer is full, or for ever if the process is killed.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    threading.Thread(target=_end_with, args=(channel,), daemon=True).start()
    incoming = channel.makefile("rb")
    first = frames.read(incoming)
    if first is None:
        return 0
    order = json.loads(first[1])
    logger = log.set_up(order["log_level"])
    try:
        script = EntryScript.load(Path(order["entry_script"]), model_dir=Path(order["model_dir"]))
        script.start(Path(order["model_dir"]))
    except ScriptError as error:
        channel.sendall(frames.pack_json(Kind.FAILED, {"message": error.message, "hint": error.hint}))
        return error.exit_code
    # What is loaded now stays: a full collection would walk it all, for tens of milliseconds, amid requests.
    gc.collect()
    gc.freeze()
    channel.sendall(frames.pack(Kind.READY, bytes([script.run_many is not None])))
    scorer = Scorer(script, channel, logger)
    try:
        while (frame := frames.read(incoming)) is not None:
            scorer.score(frames.unpack_requests(frame[1]))
    except (BrokenPipeError, ConnectionResetError):
        logger.error("The front is gone; what was being scored is lost.")
    return 0


def _end_with(channel: socket.socket) -> None:
    """End this process soon after the front is gone, even out of a run() that would go on."""
    watched = select.poll()
    # With no events asked for, only the end of the other side is reported.
    watched.register(channel, 0)
    watched.poll()
    time.sleep(ORPHAN_GRACE_SECONDS)
    os._exit(1)


def _decode(requests: list[frames.Request]) -> tuple[list[Scored], list[_Readable]]:
    refused, readable = [], []
    for number, request in enumerate(requests):
        try:
            readable.append(_Readable(number, request.id, str(request.body, "utf-8")))
        except UnicodeDecodeError as error:
            refused.append(_error(number, 400, f"Input cannot be decoded as UTF-8: {error}", failed=False))
    return refused, readable


def _scored(number: int, value: Any, milliseconds: float) -> Scored:
    result = answer(value)
    if not 200 <= result.status <= 599:
        raise ValueError(f"The status {result.status} cannot be sent: it must be 200 to 599.")
    headers = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in result.headers]
    for name, text in headers:
        if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(text):
            raise ValueError(f"The header {name!r}: {text!r} cannot be sent: it holds characters HTTP forbids.")
    return Scored(number, result.status, result.failed or result.status >= 500, milliseconds, headers, result.body)


def _error(number: int, status: int, message: str, *, failed: bool) -> Scored:
    return Scored(number, status, failed, NOT_RETURNED, JSON_HEADERS, azureml.error_body(message))


if __name__ == "__main__":
    sys.exit(main())
