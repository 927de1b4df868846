"""How quickly a job goes on: rows a second, and the seconds that are left."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.service.batch.progress import Progress


class Pace:
    """Measured from the first mini-batch of this run on: what was done by an earlier one says nothing of now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: float | None = None
        self._before = (0, 0)

    def told(self, progress: Progress) -> dict[str, Any]:
        """The progress as JSON takes it, with `rows_per_second` and `seconds_left`, which are None if not yet known."""
        now = self._clock()
        done = (
            progress.items_done + progress.items_failed,
            progress.mini_batches_done + progress.mini_batches_failed,
        )
        if self._begun is None and progress.step != "planning":
            self._begun, self._before = now, done
        rate = left = None
        if self._begun is not None and now > self._begun:
            seconds = now - self._begun
            items, batches = done[0] - self._before[0], done[1] - self._before[1]
            rate = items / seconds if items else None
            if batches and progress.mini_batches_total is not None:
                left = max(0, progress.mini_batches_total - done[1]) * seconds / batches
        return {**asdict(progress), "rows_per_second": rate, "seconds_left": left}
