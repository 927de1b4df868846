"""One accepted request, on its way through the engine."""

from __future__ import annotations

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

    `gone` tells whether its client has gone away; `since`, `deadline` and `taken` are the loop's times at which it
    came, must be answered and was given to a scorer. `shared` says that others were given with it, `alone` that it
    is to be given by itself: in company, its scorer died. `stream` is there once its answer has begun and goes on.
    `queued` is when it came on the performance counter, which is finer than the loop's clock; 0 once it was taken.
    """

    __slots__ = ("alone", "answer", "deadline", "gone", "outgoing", "queued", "shared", "since", "stream", "taken")

    def __init__(
        self, outgoing: Outgoing, gone: Callable[[], bool], answer: asyncio.Future[Scored], since: float
    ) -> None:
        self.outgoing = outgoing
        self.gone = gone
        self.answer = answer
        self.since = since
        self.deadline = outgoing.deadline
        self.taken = since
        self.queued = time.perf_counter()
        self.shared = False
        self.alone = False
        self.stream: Stream | None = None
