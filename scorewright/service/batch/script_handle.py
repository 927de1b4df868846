"""A worker's handle on the process that runs the script."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from scorewright.service.child import outcome

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.service.batch.mini_batch import MiniBatch
    from scorewright.service.batch.order import Order

_ENVIRONMENT = {
    # None of the frameworks is to start a thread for each core: there is a process for each.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Every mini-batch wants as much memory as the one before: given back to the kernel each time, a tenth of the time
    # goes into having it cleared.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""What the process is started with, unless it is set otherwise."""
SHUTDOWN_SECONDS = 10.0
"""How long a script may take for shutdown() before its process is killed."""
LAST_LINES = 5
_READ = 65536
_TAIL = 2048
"""Bytes of a log that are looked at and told of: a script may have printed gigabytes, and in one line."""


class ScriptEndedError(Exception):
    """The process ended, or was killed because it took too long."""


class ScriptHandle:
    """One process with one script: started, given mini-batches one by one, ended."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket, log: Path) -> None:
        self._process = process
        self._channel = channel
        self._log = log
        self._rest = b""
        self.started = False

    @classmethod
    def spawn(cls, order: Order, log: Path) -> Self:
        """Start the process; it loads the script and calls init(). What it prints is appended to the file `log`."""
        ours, theirs = socket.socketpair()
        with theirs, log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "scorewright.service.batch.script_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**_ENVIRONMENT, **os.environ},
                pass_fds=[theirs.fileno()],
                # Not a session: Linux shares processor time among sessions first, and low priority counts within one.
                process_group=0,
            )
        handle = cls(process, ours, log)
        handle._send(asdict(order))
        return handle

    def start(self) -> dict[str, Any]:
        """Wait until init() is done; what the process says. Raises ScriptEndedError if it ends meanwhile."""
        answer = self._receive(None)
        self.started = True
        return answer

    def score(self, batch: MiniBatch, seconds: float) -> dict[str, Any]:
        """What the process answers to a mini-batch. Raises ScriptEndedError if it ends or takes longer."""
        self._send(batch.to_dict())
        return self._receive(seconds)

    def close(self) -> None:
        """Have shutdown() called, and wait for the end."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(SHUTDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()
        self.kill()

    def kill(self) -> None:
        """End it now, and what it started, which may outlive it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.wait()
        self._channel.close()

    def _send(self, content: dict[str, Any]) -> None:
        # A process that has ended says so by what is read from it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._channel.sendall(json.dumps(content).encode() + b"\n")

    def _receive(self, seconds: float | None) -> dict[str, Any]:
        until = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = None if until is None else until - time.monotonic()
            if left is not None and (left <= 0 or not select.select([self._channel], [], [], left)[0]):
                self.kill()
                raise ScriptEndedError(
                    f"run() took longer than the timeout of {seconds:g} s and was ended: give it more time, or less "
                    "to do (mini_batch_size)."
                )
            data = self._received()
            if not data:
                raise ScriptEndedError(self._ended())
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _received(self) -> bytes:
        try:
            return self._channel.recv(_READ)
        except ConnectionResetError:
            return b""

    def _ended(self) -> str:
        code = self._process.wait()
        self.kill()
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - _TAIL))
            lines = log.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:]
        said = "\n".join(["", "Its last words:", *lines]) if lines else ""
        return f"The process that ran the script ended: {outcome(code)}.{said}"
