"""A process of the service's own: started without a shell, waited for without a signal handler."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

from scorewright.service.line_stream import follow

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

LAST_WORDS_SECONDS = 1.0
"""How long it is waited for what an ended process has written."""


class Child:
    """A module run as a program. `exit` is done with the exit code once the process has ended.

    What it has started and left in its process group ends with it.
    """

    def __init__(self, process: subprocess.Popen[bytes], logger: logging.Logger | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.exit: asyncio.Future[int] = loop.create_future()
        self._process = process
        self._words: threading.Thread | None = None
        if logger is not None and process.stderr is not None:
            self._words = threading.Thread(target=follow, args=(process.stderr, process.pid, logger), daemon=True)
            self._words.start()
        threading.Thread(target=self._wait, args=(loop,), daemon=True).start()

    @classmethod
    def spawn(
        cls,
        module: str,
        descriptors: Sequence[int],
        environment: Mapping[str, str],
        logger: logging.Logger | None = None,
    ) -> Self:
        """Start a module, with these file descriptors inherited and their numbers as its arguments.

        With a logger, what it writes to stderr is logged there, line by line. Raises OSError if it cannot start.
        """
        return cls(
            subprocess.Popen(
                [sys.executable, "-P", "-m", module, *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                stderr=None if logger is None else subprocess.PIPE,
                env=dict(environment),
                pass_fds=descriptors,
                # Ctrl-C in a terminal is for the main process: it drains, and ends the others when that is done. In one
                # session with it, or batch jobs of low priority would not give way to it.
                process_group=0,
            ),
            logger,
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def end(self) -> None:
        """Ask it to end, by SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """End it now."""
        # Not Popen.kill(), which may reap it: its id, which names the group, must not be given to another before.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        if hasattr(os, "waitid"):
            # Its id stays its own until wait(): by it the group is named.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        if self._words is not None:
            # Its last words come before what is said of its end. A child of its own may still hold the pipe.
            self._words.join(LAST_WORDS_SECONDS)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self.exit.set_result, code)


def outcome(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"it exited with code {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"
