"""One generator process's share of the load: which request goes out when, and what came of it.

Runs inside Locust's processes only.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from scorewright.loadtests.answers import difference
from scorewright.loadtests.recorder import WRONG, Recorder
from scorewright.loadtests.schedule import Due, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorewright.loadtests.plan import Plan

REPORT_SECONDS = 0.5
GRACE_SECONDS = 2.0
GOLDEN = 0.618
"""Steps of so much of an interval spread any number of processes over it."""
_EXAMPLE = 300
_NOT_SENT = "it could not even be sent in time"


@dataclass(frozen=True)
class Body:
    """A request as it is sent, and the right answer to it."""

    sent: bytes
    answer: bytes | None

    def judge(self, status: int, received: bytes | None, error: Exception | None, timeout: float) -> tuple[str, str]:
        """What kind of failure an answer is, empty if it is right; and what it says."""
        if status == 0:
            return broken(error, timeout), _words(str(error or "").encode())
        if status != 200:
            return f"HTTP {status}", _words(received or b"")
        if self.answer is not None and (words := difference(self.answer, received or b"")):
            return WRONG, words
        return "", ""


@dataclass
class Share:
    """Hands requests to the users of this process, and counts what becomes of them."""

    plan: Plan
    recorder: Recorder = field(default_factory=Recorder)
    """What has happened since it was last delivered."""
    _bodies: Iterator[Body] = field(init=False)
    _schedule: Schedule | None = None
    _begun: Event = field(default_factory=Event)
    _zero: float = 0.0
    _end: float = float("inf")
    _flying: dict[int, Due] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        bodies = [Body(one.body.encode(), one.answer and one.answer.encode()) for one in self.plan.payloads]  # type: ignore[arg-type]
        self._bodies = itertools.cycle(bodies)

    def begin(self, *, users: int, all_users: int, process: int = 0) -> None:
        """All users are there, so many of them in this process: the warm-up begins, unless it has.

        `process` numbers the generator processes, which are not to send all at the same time.
        """
        if self._begun.is_set():
            return
        now = time.perf_counter()
        self._zero = now + self.plan.warm_up
        if self.plan.seconds is not None:
            self._end = self._zero + self.plan.seconds
        if self.plan.rate is not None and users:
            self._schedule = Schedule(self.recorder, self._zero)
            interval = all_users / users / self.plan.rate
            gevent.spawn(self._schedule.run, now, self._end, interval, (0.5 + process * GOLDEN) % 1)
        self._begun.set()

    def take(self) -> Due | None:
        """Wait until this user is to send a request; None if there is no more to send."""
        self._begun.wait()
        if self._schedule is None:
            now = time.perf_counter()
            return Due(now, now) if now < self._end else None
        while (due := self._schedule.take()) is not None:
            if time.perf_counter() - due.since < self.plan.timeout:
                return due
            self._count(due, 0.0, _unanswered(self.plan.timeout), 0, 0, _NOT_SENT)
        return None

    def body(self) -> Body:
        """The next request; users take turns, so that neighbours differ."""
        return next(self._bodies)

    def sent(self, due: Due) -> int:
        """Note that a request is on its way. The number is for `ended`."""
        number = next(self._numbers)
        self._flying[number] = due
        return number

    def ended(self, number: int, latency_ms: float, failure: str, sent: int, received: int, example: str) -> None:
        """Count a request that has ended, unless it was given up before."""
        if (due := self._flying.pop(number, None)) is not None:
            self._count(due, latency_ms, failure, sent, received, example)
            # What comes later than the counted seconds was not answered in them: that is no throughput.
            if not failure and (now := time.perf_counter()) < self._end:
                self.recorder.answered(int((now - self._zero) // 1))

    def follow(self, deliver: Callable[[Recorder], None]) -> None:
        """Deliver what was counted, twice a second, until all is; the last one is `done`."""
        self._begun.wait()
        gevent.sleep(max(0.0, self._zero - time.perf_counter()))
        began, used = time.perf_counter(), time.process_time()
        while (now := time.perf_counter()) < self._end:
            gevent.sleep(min(REPORT_SECONDS, self._end - now))
            self._deliver(deliver, _share(began, used))
        share = _share(began, used)
        deadline = self._end + self.plan.timeout + GRACE_SECONDS
        while (self._flying or self._unsent) and time.perf_counter() < deadline:
            gevent.sleep(REPORT_SECONDS / 10)
        for due in self._flying.values():
            self._count(due, 0.0, _unanswered(self.plan.timeout), 0, 0, "")
        self._flying.clear()
        for due in self._schedule.give_up() if self._schedule else ():
            self._count(due, 0.0, _unanswered(self.plan.timeout), 0, 0, _NOT_SENT)
        self.recorder.done = True
        self._deliver(deliver, share)

    @property
    def _unsent(self) -> int:
        return self._schedule.unsent if self._schedule else 0

    def _deliver(self, deliver: Callable[[Recorder], None], share: float) -> None:
        delivered, self.recorder = self.recorder, Recorder()
        if self._schedule:
            self._schedule.recorder = self.recorder
        delivered.cpu_share = share
        deliver(delivered)

    def _count(self, due: Due, latency_ms: float, failure: str, sent: int, received: int, example: str) -> None:
        second = int((due.at - self._zero) // 1)
        self.recorder.add(second, latency_ms, failure, sent, received, example)


def broken(error: Exception | None, timeout: float) -> str:
    """What kind of failure it is that no answer came."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return _unanswered(timeout)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return "connection broken"


def _unanswered(timeout: float) -> str:
    return f"no answer in {timeout:g} s"


def _share(began: float, used: float) -> float:
    took = time.perf_counter() - began
    return (time.process_time() - used) / took if took > 0 else 0.0


def _words(received: bytes) -> str:
    return " ".join(received[:_EXAMPLE].decode("utf-8", "replace").split())
