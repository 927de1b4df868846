"""What a scorer tells without being asked: by when it must have answered, and what it has begun.

A few bytes of memory that it shares with the fronts: a scorer that is stuck or dead cannot send anything, and each
front sees only its own requests.

    u64 x 2   the time by which it must have answered (a float64), and how many requests it has answered
    u64 x n   by front: how many batches of that front it has begun
"""

from __future__ import annotations

import math
import mmap
import os

from scorewright.service import shared_memory

_SIZE = mmap.PAGESIZE
_WORD = 8
_DUE, _ANSWERED, _BEGUN = 0, 1, 2

FRONTS = _SIZE // _WORD - _BEGUN
"""For how many fronts there is room."""


class Status:
    """One scorer's page. `descriptor` is what it is handed over by.

    Each word is written and read at once, as a whole: packed byte by byte, half of it could be seen.
    All times are time.monotonic()'s, which every process of a machine shares.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._page = mmap.mmap(descriptor, _SIZE)
        self._times = memoryview(self._page).cast("d")
        self._counts = memoryview(self._page).cast("Q")

    @classmethod
    def create(cls) -> Status:
        """A fresh page: nothing is due, nothing has been begun or answered."""
        status = cls(shared_memory.create("scorer", _SIZE))
        status.idle()
        return status

    def due(self, at: float) -> None:
        """It has work, and must have answered some of it by then."""
        self._times[_DUE] = at

    def idle(self) -> None:
        """It has no work, or is not to be asked for it."""
        self._times[_DUE] = math.inf

    def begin(self, front: int) -> None:
        """It has begun a batch of this front."""
        self._counts[_BEGUN + front] += 1

    def count(self, requests: int) -> None:
        """It has answered so many more requests."""
        self._counts[_ANSWERED] += requests

    @property
    def due_at(self) -> float:
        """By when it must have answered, infinite while it has no work."""
        return self._times[_DUE]

    @property
    def answered(self) -> int:
        """How many requests it has answered."""
        return self._counts[_ANSWERED]

    def begun(self, front: int) -> int:
        """How many batches of this front it has begun."""
        return self._counts[_BEGUN + front]

    @property
    def closed(self) -> bool:
        """Whether it has been given back."""
        return self._page.closed

    def close(self) -> None:
        """Give the page back; what it told last is not known any more."""
        if not self.closed:
            self._times.release()
            self._counts.release()
            self._page.close()
            os.close(self.descriptor)
