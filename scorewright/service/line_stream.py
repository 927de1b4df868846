"""What is written past the log, as lines of it: by sys.stdout and sys.stderr, and by native code and subprocesses.

Only for a log of JSON, of which every line must be JSON. In each process both streams become writers of log lines. What
goes past Python, to the file descriptors, comes to the main process through a pipe, so that the last words of a
process that crashes are not lost with it.
"""

from __future__ import annotations

import atexit
import io
import logging
import os
import sys
import threading
from typing import IO, TextIO

from scorewright.service import log

LONGEST = 64 * 1024
"""Characters of a line; what is longer becomes several."""

_STDOUT, _STDERR = 1, 2


class LineStream(io.TextIOBase):
    """A text stream whose lines are records of the log. Blank ones are none.

    They go to the handler itself: a script that sets logging up for itself, with this stream as its end, closes no
    circle.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, handler: logging.Handler, name: str, original: TextIO) -> None:
        super().__init__()
        self.buffer = original.buffer
        self._handler = handler
        self._name = name
        self._original = original
        self._begun = ""
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """io.TextIOBase."""
        with self._lock:
            *whole, self._begun = (self._begun + text).split("\n")
            if len(self._begun) > LONGEST:
                whole.append(self._begun)
                self._begun = ""
        for line in whole:
            self._log(line)
        return len(text)

    def end(self) -> None:
        """Log a line that was begun and not ended."""
        with self._lock:
            rest, self._begun = self._begun, ""
        self._log(rest)

    def writable(self) -> bool:
        """io.TextIOBase."""
        return True

    def fileno(self) -> int:
        """io.TextIOBase."""
        return self._original.fileno()

    def _log(self, line: str) -> None:
        for part in range(0, len(line), LONGEST):
            text = line[part : part + LONGEST].rstrip("\r")
            if text.strip():
                self._handler.handle(logging.LogRecord(self._name, logging.INFO, "", 0, text, None, None))


def take(logger: logging.Logger) -> None:
    """Have sys.stdout and sys.stderr end in this logger's handler, the last line at the process's end."""
    handler = logger.handlers[0]
    for name in ("stdout", "stderr"):
        original = getattr(sys, name)
        if original is not None:
            stream = LineStream(handler, name, original)
            setattr(sys, name, stream)
            atexit.register(stream.end)


def apart() -> TextIO | None:
    """The log's own way to this process's stdout. What is written to descriptor 1 goes where 2 goes from here on."""
    own = log.own_stdout()
    os.dup2(_STDERR, _STDOUT)
    return own


def follow(pipe: IO[bytes], process: int, logger: logging.Logger) -> None:
    """Log what comes out of a process's pipe, line by line, until its end."""
    with pipe:
        while line := pipe.readline(LONGEST):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text.strip():
                record = logging.LogRecord("stderr", logging.INFO, "", 0, text, None, None)
                record.of_process = process
                logger.handle(record)
