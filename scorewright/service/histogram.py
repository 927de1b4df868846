"""A histogram in a piece of memory that other processes read."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

_WORD = 8

SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of times: from a small tree's run() to a minute."""

REQUESTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
"""Bounds of a batch's size."""


def size(bounds: tuple[float, ...]) -> int:
    """The bytes that a histogram with these bounds takes."""
    return (len(bounds) + 2) * _WORD


class Histogram:
    """Counts of what was seen by upper bounds, which belong to their buckets, and the sum of it.

    u64 x n + 1   by bucket, the last for what is above every bound
    f64           the sum

    The number of all is not kept but added up: whoever reads amid a change still sees one histogram.
    """

    __slots__ = ("_counts", "_sum", "bounds")

    def __init__(self, bounds: tuple[float, ...], memory: memoryview) -> None:
        self.bounds = bounds
        counts = (len(bounds) + 1) * _WORD
        self._counts = memory[:counts].cast("Q")
        self._sum = memory[counts : counts + _WORD].cast("d")

    def observe(self, value: float) -> None:
        """One more."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._sum[0] += value

    def read(self) -> tuple[list[int], float]:
        """How many were at most each bound, the last of all; and the sum."""
        return list(accumulate(self._counts.tolist())), self._sum[0]
