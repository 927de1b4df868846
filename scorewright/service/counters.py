"""What a service counts: memory that its fronts share, so that each can tell the sum of all.

A front writes into its own section only, the main process into the first. A section belongs to a front's number and not
to its process: the front that takes a dead one's place counts on from there.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from enum import IntEnum
from typing import TYPE_CHECKING

from scorewright.service import histogram, shared_memory
from scorewright.service.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorewright.errors import RequestError

_WORD = 8
_STATUSES = 600
_WORDS = 8
_MOST_SCORERS = 1024

SECTION_BYTES = 16 * 1024

PID, IN_FLIGHT, WAITING, HANDED, GONE, TIMEOUTS, QUEUE_TIMEOUTS = range(7)
"""The words of a front: its process's id; how many requests it has accepted and not answered, how many of them wait in
its queue, and in a scorer's socket; how many were dropped since their clients had left, how many had no time left, and
how many had waited too long for a scorer."""

_MOMENTARY = (PID, IN_FLIGHT, WAITING, HANDED)


class Kind(IntEnum):
    """What a request asked for."""

    SCORE = 0
    V2 = 1
    OTHER = 2


SCORED = (Kind.SCORE, Kind.V2)
"""The kinds that the scorers answer."""


class Ended(IntEnum):
    """How a scorer ended that was replaced."""

    EXITED = 0
    KILLED = 1
    CRASHED = 2
    OVERDUE = 3
    NOT_STARTED = 4

    @classmethod
    def of(cls, code: int, *, overdue: bool) -> Ended:
        """From its exit code, and whether the service ended it because it had not answered in time."""
        if overdue:
            return cls.OVERDUE
        if code >= 0:
            return cls.EXITED
        # SIGKILL by others is the memory limit's, most often.
        return cls.KILLED if code == -signal.SIGKILL else cls.CRASHED


class FrontCounters:
    """What one front counts. `words` are single numbers, by PID and those that follow it.

    u64 x 8           the words
    u64 x 600 x 3     answers by kind and status
    histograms        of each scored kind's latency, of the queue's wait, of run()'s time, of the batches' sizes
    """

    def __init__(self, memory: memoryview) -> None:
        self.words = memory[: _WORDS * _WORD].cast("Q")
        at = _WORDS * _WORD
        self._statuses = []
        for _ in Kind:
            self._statuses.append(memory[at : at + _STATUSES * _WORD].cast("Q"))
            at += _STATUSES * _WORD
        histograms = []
        for bounds in (*[histogram.SECONDS] * (len(SCORED) + 2), histogram.REQUESTS):
            histograms.append(Histogram(bounds, memory[at : at + histogram.size(bounds)]))
            at += histogram.size(bounds)
        *self.latency, self.queue_wait, self.run_time, self.batch_size = histograms

    @classmethod
    def alone(cls) -> FrontCounters:
        """Those of a front that shares them with nobody."""
        return cls(memoryview(bytearray(SECTION_BYTES)))

    def begin(self) -> None:
        """This process is the front: what is true of a moment only begins anew."""
        self.end()
        self.words[PID] = os.getpid()

    def end(self) -> None:
        """The front's process has ended."""
        for word in _MOMENTARY:
            self.words[word] = 0

    def answered(self, kind: Kind, status: int, seconds: float | None = None) -> None:
        """A request is answered; `seconds` from its arrival if it was scored, or failed in being scored.

        Called before the answer is sent, so that a client who has it finds it counted, whichever front it asks.
        """
        self._statuses[kind][status] += 1
        if seconds is not None:
            self.latency[kind].observe(seconds)

    def refused(self, kind: Kind, refusal: RequestError, begun: float) -> None:
        """A request that began at this time of the performance counter is answered by an error of ours.

        What is refused was not scored, and says nothing of how long that takes.
        """
        self.answered(kind, refusal.status, time.perf_counter() - begun if refusal.failed else None)

    def statuses(self, kind: Kind) -> list[int]:
        """How many answers there were by status."""
        return self._statuses[kind].tolist()


class MainCounters:
    """What the main process counts.

    u64          scorers that are ready
    u64          fronts that were replaced
    u64 x 5      scorers that were replaced, by how they ended
    u64          how many scorer processes there are
    u64 x 1024   their ids
    """

    def __init__(self, memory: memoryview) -> None:
        self._words = memory[:SECTION_BYTES].cast("Q")
        self._ended = 2
        self._alive = self._ended + len(Ended)

    @classmethod
    def alone(cls) -> MainCounters:
        """Those of a main process that shares them with nobody."""
        return cls(memoryview(bytearray(SECTION_BYTES)))

    @property
    def ready(self) -> int:
        """Scorers that are alive and have finished init()."""
        return self._words[0]

    @ready.setter
    def ready(self, count: int) -> None:
        self._words[0] = count

    @property
    def fronts_replaced(self) -> int:
        """Fronts that have ended and been replaced."""
        return self._words[1]

    def front_replaced(self) -> None:
        """One more."""
        self._words[1] += 1

    def scorer_replaced(self, how: Ended) -> None:
        """A scorer has ended, and is replaced."""
        self._words[self._ended + how] += 1

    def scorers_replaced(self, how: Ended) -> int:
        """Scorers that have ended so."""
        return self._words[self._ended + how]

    def scorers_are(self, pids: Iterable[int]) -> None:
        """The scorer processes that there are, by their ids."""
        known = list(pids)[:_MOST_SCORERS]
        # Counted last when there are more and first when there are fewer: no word is read that was never written.
        self._words[self._alive] = min(len(known), self._words[self._alive])
        for place, pid in enumerate(known):
            self._words[self._alive + 1 + place] = pid
        self._words[self._alive] = len(known)

    @property
    def scorers(self) -> list[int]:
        """The ids of the scorer processes."""
        first = self._alive + 1
        return self._words[first : first + self._words[self._alive]].tolist()


class Counters:
    """The sections of the main process and of every front. `descriptor` is what they are handed over by.

    Each word is written and read at once, as a whole.
    """

    def __init__(self, descriptor: int, fronts: int) -> None:
        self.descriptor = descriptor
        memory = memoryview(mmap.mmap(descriptor, (fronts + 1) * SECTION_BYTES))
        self.main = MainCounters(memory)
        self.fronts = [FrontCounters(memory[at * SECTION_BYTES :][:SECTION_BYTES]) for at in range(1, fronts + 1)]

    @classmethod
    def create(cls, fronts: int) -> Counters:
        """Fresh ones, all zero, for so many fronts."""
        return cls(shared_memory.create("counters", (fronts + 1) * SECTION_BYTES), fronts)
