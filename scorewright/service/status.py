"""What a scorer tells without being asked: by when it must have answered, and how much it has answered so far.

A few bytes of memory that it shares with the front: a scorer that is stuck cannot send anything, and each front sees
only its own requests.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import tempfile

_DUE = struct.Struct("=d")
_ANSWERED = struct.Struct("=Q")
_SIZE = mmap.PAGESIZE


class Status:
    """One scorer's page. `descriptor` is what it is handed over by.

    All times are time.monotonic()'s, which every process of a machine shares.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._page = mmap.mmap(descriptor, _SIZE)
        self._answered = 0

    @classmethod
    def create(cls) -> Status:
        """A fresh page: nothing is due, nothing has been answered."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("scorer", os.MFD_CLOEXEC)
        else:
            descriptor, path = tempfile.mkstemp()
            os.unlink(path)  # noqa: PTH108 - it has no use for a name
        os.ftruncate(descriptor, _SIZE)
        status = cls(descriptor)
        status.idle()
        return status

    def due(self, at: float) -> None:
        """It has work, and must have answered some of it by then."""
        _DUE.pack_into(self._page, 0, at)

    def idle(self) -> None:
        """It has no work, or is not to be asked for it."""
        self.due(math.inf)

    def count(self) -> None:
        """It has sent answers."""
        self._answered += 1
        _ANSWERED.pack_into(self._page, _DUE.size, self._answered)

    @property
    def due_at(self) -> float:
        """By when it must have answered, infinite while it has no work."""
        return float(_DUE.unpack_from(self._page)[0])

    @property
    def answered(self) -> int:
        """How many times it has sent answers."""
        return int(_ANSWERED.unpack_from(self._page, _DUE.size)[0])

    @property
    def closed(self) -> bool:
        """Whether it has been given back."""
        return self._page.closed

    def close(self) -> None:
        """Give the page back; what it told last is not known any more."""
        self._page.close()
        os.close(self.descriptor)
