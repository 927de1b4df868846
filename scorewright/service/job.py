"""One accepted request, on its way through the engine."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from scorewright.service.frames import Outgoing, Scored
    from scorewright.service.stream import Stream


class ClientGoneError(Exception):
    """The client of a request went away before it was scored: nobody waits for an answer."""


class Job:
    """One accepted request.

    `gone` tells whether its client has gone away; `since` and `deadline` are the loop's times at which it came and
    must be answered. `came`, `taken` (or -inf) and `answered` (or -inf) are when it came, was given to a scorer and was
    answered, on a finer clock than the loop's; `queued` is the first on the performance counter, 0 once it was taken.
    `batch` is how many requests were given together, itself among them; `alone` says that it is to be given by
    itself: in company, its scorer died. `stream` is there once its answer has begun and goes on.
    """

    __slots__ = (
        *("alone", "answer", "answered", "batch", "came", "deadline", "gone", "outgoing", "queued", "since"),
        *("stream", "taken"),
    )

    def __init__(
        self, outgoing: Outgoing, gone: Callable[[], bool], answer: asyncio.Future[Scored], since: float
    ) -> None:
        self.outgoing = outgoing
        self.gone = gone
        self.answer = answer
        self.since = since
        self.deadline = outgoing.deadline
        self.came = time.monotonic()
        self.taken = -math.inf
        self.answered = -math.inf
        self.queued = time.perf_counter()
        self.batch = 0
        self.alone = False
        self.stream: Stream | None = None

    @property
    def milliseconds(self) -> float | None:
        """The time run() took; None while it has not returned."""
        if not self.answer.done() or self.answer.cancelled() or self.answer.exception() is not None:
            return None
        took = self.answer.result().milliseconds
        return took if took >= 0 else None

    def times(self) -> dict[str, float]:
        """How long it waited and ran, in milliseconds, and in how large a batch, as far as it came."""
        if math.isinf(self.taken):
            return {}
        told: dict[str, float] = {"queue_ms": round((self.taken - self.came) * 1000, 3), "batch": self.batch}
        if self.milliseconds is not None:
            told["run_ms"] = round(self.milliseconds, 3)
        return told
