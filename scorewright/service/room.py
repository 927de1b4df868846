"""Room for requests: how many are accepted, how much their bodies hold, and how much time each has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from scorewright.errors import RequestError
from scorewright.service.counters import IN_FLIGHT
from scorewright.service.frames import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.service.counters import FrontCounters
    from scorewright.service.job import Job
    from scorewright.service.limits import Limits

    Sweep = Callable[[], tuple[int, int]]


class Room:
    """What the limits leave. `sweep` drops what nobody waits for any more: how many requests, of how many bytes.

    These give their places back by themselves, a little later. What is still in the room that was used `before` takes
    up room in this one.
    """

    def __init__(self, limits: Limits, sweep: Sweep, counters: FrontCounters, before: Room | None = None) -> None:
        self._limits = limits
        self._words = counters.words
        self._sweep = sweep
        self._before = before
        self._accepted = 0
        self._held = 0
        self._left: asyncio.Future[None] | None = None

    async def empty(self) -> None:
        """Wait until every request that has a place here has gone."""
        if self._accepted:
            self._left = self._left or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._left)

    def place(self, since: float, budget: float | None) -> Place:
        """A place for a request that came at `since`, on the loop's clock; it counts from when it is entered.

        `budget` is the time in seconds that its client gives it; more than the service's own is not to be had.
        Raises RequestError 429 if there is none.
        """
        most = self._limits.requests
        accepted = self._accepted if self._before is None else self._accepted + self._older()[0]
        if accepted >= most and accepted - self._sweep()[0] >= most:
            raise RequestError(429, f"Too many requests: {accepted} are waiting or being scored.")
        return Place(self, since, self._limits.scoring if budget is None else min(budget, self._limits.scoring))

    def enter(self) -> None:
        """A request has come."""
        self._accepted += 1
        self._words[IN_FLIGHT] += 1

    def hold(self, size: int) -> None:
        """More of its body. Raises RequestError 429 if it is too much."""
        most = self._limits.held_bytes
        held = self._held if self._before is None else self._held + self._older()[1]
        if held + size > most and held + size - self._sweep()[1] > most:
            raise RequestError(
                429,
                f"Too many requests: the bodies of those that are waiting or being scored have {held} bytes "
                f"of the {most} there is room for.",
            )
        self._held += size

    def leave(self, size: int) -> None:
        """A request has gone, and its body."""
        self._accepted -= 1
        self._words[IN_FLIGHT] -= 1
        self._held -= size
        if self._left is not None and not self._accepted:
            self._left.set_result(None)
            self._left = None

    def _older(self) -> tuple[int, int]:
        """How many requests are in the rooms before this one, and the bytes of their bodies."""
        if self._before is None:
            return 0, 0
        requests, size = self._before._older()
        requests, size = requests + self._before._accepted, size + self._before._held
        if not requests:
            self._before = None
        return requests, size


class Place:
    """One request's place. `since` and `deadline` are on the loop's clock, `seconds` is the time between them.

    `job` is there once the request is queued; `trace` is its traceparent, if it has one.
    """

    __slots__ = ("_held", "_room", "deadline", "job", "seconds", "since", "trace")

    def __init__(self, room: Room, since: float, seconds: float) -> None:
        self.since = since
        self.seconds = seconds
        self.deadline = since + seconds
        self.job: Job | None = None
        self.trace = b""
        self._room = room
        self._held = 0

    def __enter__(self) -> Self:
        self._room.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._room.leave(self._held)

    def hold(self, size: int) -> None:
        """Make room for so many bytes of the body. Raises RequestError 429 if there is none."""
        self._room.hold(size)
        self._held += size

    def outgoing(self, request_id: bytes, head: bytes, body: bytes) -> Outgoing:
        """The request as it goes to a scorer."""
        return Outgoing(request_id, head, body, self.deadline, self.seconds * 1000, self.trace)
