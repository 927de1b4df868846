"""The open loop: requests that are due at fixed times, whatever becomes of those before them.

Runs inside Locust's processes only.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gevent
from gevent.event import AsyncResult

if TYPE_CHECKING:
    from scorewright.loadtests.recorder import Recorder

GRAIN_SECONDS = 0.002
"""How late a timer may wake this process: that is not the endpoint's fault, and not counted as its latency."""


@dataclass(frozen=True)
class Due:
    """A request to send. Times are those of time.perf_counter()."""

    at: float
    """When it was to be sent."""
    since: float
    """From when its latency counts."""


@dataclass
class Schedule:
    """Hands out due requests to free users, the one that was busy last first: no more connections than needed.

    What is due while all users are busy waits, and its latency counts from when it was due: a stalled endpoint
    cannot keep the requests from being sent that would have shown how slow it is.
    """

    recorder: Recorder
    counted_from: float
    """When the warm-up is over: before, nobody minds what is sent late."""
    _free: list[AsyncResult] = field(default_factory=list)
    _waiting: deque[Due] = field(default_factory=deque)
    _closed: bool = False

    def take(self) -> Due | None:
        """The next request to send; waits until one is due. None if there will be none."""
        if self._waiting:
            return self._waiting.popleft()
        if self._closed:
            return None
        mine = AsyncResult()
        self._free.append(mine)
        due: Due | None = mine.get()
        return due

    def give_up(self) -> list[Due]:
        """What is due that nobody was free to send, and will not be sent any more."""
        left = [*self._waiting]
        self._waiting.clear()
        return left

    @property
    def unsent(self) -> int:
        """How many are due that nobody was free to send."""
        return len(self._waiting)

    def run(self, begin: float, end: float, interval: float, phase: float) -> None:
        """Make a request due each `interval` seconds from `begin` until `end`, of time.perf_counter().

        `phase` is when in its interval, from 0 to 1.
        """
        number = 0
        while (due := begin + (number + phase) * interval) < end:
            if (ahead := due - time.perf_counter()) > 0:
                gevent.sleep(ahead)
            self._hand(due)
            number += 1
        self._closed = True
        while self._free:
            self._free.pop().set(None)

    def _hand(self, due: float) -> None:
        if not self._free:
            self._waiting.append(Due(due, due))
            return
        now = time.perf_counter()
        in_time = now - due <= GRAIN_SECONDS
        if not in_time and due >= self.counted_from:
            self.recorder.behind(now - due)
        self._free.pop().set(Due(due, now if in_time else due))
