"""Which mini-batch a worker gets next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorewright.service.batch.mini_batch import MiniBatch


class Lanes:
    """Mini-batches shared out so that each worker's follow one another, where they can.

    A worker that is at a place of a parquet file reads on from there; for one further on, it must read what lies
    between (see `parquet_slices`). A worker that has nothing left takes half of the most that another has, who may be
    lost by then.
    """

    def __init__(self, batches: Sequence[MiniBatch]) -> None:
        self._unclaimed = deque(batches)
        self._lanes: dict[str, deque[MiniBatch]] = {}

    def next(self, worker: str) -> MiniBatch | None:
        """The worker's next mini-batch; None if all are given out."""
        lane = self._lanes.setdefault(worker, deque())
        if not lane:
            longest = max([self._unclaimed, *self._lanes.values()], key=len)
            kept = 0 if longest is self._unclaimed else len(longest) // 2
            lane.extend(list(longest)[kept:])
            while len(longest) > kept:
                longest.pop()
        return lane.popleft() if lane else None
