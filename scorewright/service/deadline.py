"""The soft deadline of a run(): it is interrupted where it is, as Azure's server does it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_LONGEST_SECONDS = 30 * 24 * 3600.0
"""A timer counts in whole seconds that have to fit; what runs longer is as good as without a limit."""


class ScoringTimeoutError(TimeoutError):
    """Raised inside run() when its time is over.

    Contract: azureml-inference-server-http 1.5.1, server/utils.py: a script may catch it as TimeoutError and go on.
    """


class Deadline:
    """A time limit in seconds on the main thread's Python code; code in C is interrupted only once it returns.

    Raises ScoringTimeoutError at once if there is no time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed = False

    def __enter__(self) -> Self:
        if self._seconds <= 0:
            raise ScoringTimeoutError("there was no time left for run()")
        if self._seconds < _LONGEST_SECONDS:
            self._armed = True
            self._before = signal.signal(signal.SIGALRM, self._over)
            signal.setitimer(signal.ITIMER_REAL, self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._armed:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    def _over(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        # Too late if run() has just returned: nothing may be raised into what follows it.
        if self._armed:
            raise ScoringTimeoutError("run() took longer than it may")
