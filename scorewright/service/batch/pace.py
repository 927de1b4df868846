"""How quickly a job goes on: rows a second, and the seconds that are left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.service.batch.progress import Progress

SETTLE_SECONDS = 0.3
"""What is counted this soon after planning was scored by an earlier run: no worker has started yet."""


class Pace:
    """Measured from when scoring begins in this run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: float | None = None
        self._before = (0, 0)
        self._now = (0, 0)
        self._total: int | None = None

    def see(self, progress: Progress) -> None:
        """The job is so far."""
        self._now = (
            progress.items_done + progress.items_failed,
            progress.mini_batches_done + progress.mini_batches_failed,
        )
        self._total = progress.mini_batches_total
        if progress.step == "planning":
            return
        if self._begun is None:
            self._begun = self._clock()
        if self._clock() < self._begun + SETTLE_SECONDS:
            self._before = self._now

    @property
    def rows_per_second(self) -> float | None:
        """Rows, or files, that were scored or failed in a second; None before the first."""
        return self._rate(0)

    @property
    def seconds_left(self) -> float | None:
        """How long it will take if it goes on like this; None if that is not known yet."""
        rate = self._rate(1)
        return None if rate is None or self._total is None else max(0, self._total - self._now[1]) / rate

    def _rate(self, which: int) -> float | None:
        done = self._now[which] - self._before[which]
        if self._begun is None or not done:
            return None
        return done / max(self._clock() - self._begun, SETTLE_SECONDS)
