"""An answer that is sent on as the script makes it, piece by piece."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Self

from scorewright.service.frames import End, Scored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scorewright.service.worker import Worker

FULL_BYTES = 1024 * 1024
"""Bytes that may lie here for a client that reads slowly; then the scorer is held back."""


class BrokenAnswerError(Exception):
    """The script failed, or its process ended, amid an answer: what has been sent of it is not the whole."""


class Stream:
    """The pieces of one answer, between the scorer that makes them and the client that reads them."""

    def __init__(self, worker: Worker, number: int, patience: float = math.inf) -> None:
        """`patience` is how many seconds in all a client may hold the scorer back."""
        self._patience = patience
        self._worker = worker
        self._number = number
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._held = False
        self._unread = False
        self._end = End.NOT_YET
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._held_since = 0.0
        self._over: asyncio.TimerHandle | None = None
        self.too_slow: asyncio.Future[None] = self._loop.create_future()
        """Done if the client has held the scorer back for too long: the answer is broken off."""

    def put(self, body: bytes, end: End) -> None:
        """A piece has come from the scorer; with an end other than NOT_YET it was the last."""
        if body and not self._unread:
            self._pieces.append(body)
            self._size += len(body)
        self._end = end
        self._hold(back=self._size > FULL_BYTES and end is End.NOT_YET)
        self._news.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The pieces as they come. Raises BrokenAnswerError if the answer will not be whole."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                yield piece
                self._hold(back=self._held and self._size > FULL_BYTES // 2)
            if self._end is End.LAST:
                return
            if self._end is End.BROKE:
                raise BrokenAnswerError
            self._news.clear()
            await self._news.wait()

    def cancel(self) -> None:
        """Nobody reads on: have the scorer stop, and drop what it still sends."""
        self._unread = True
        self._pieces.clear()
        self._size = 0
        self._hold(back=False)
        if self._end is End.NOT_YET:
            self._worker.cancel(self._number)

    def _hold(self, *, back: bool) -> None:
        if back is not self._held:
            self._held = back
            self._worker.hold(back=back)
            self._count(back=back)

    def _count(self, *, back: bool) -> None:
        """Count the time for which the scorer stands still."""
        if self._over is not None:
            self._over.cancel()
            self._over = None
            self._patience -= self._loop.time() - self._held_since
        if back and not math.isinf(self._patience):
            self._held_since = self._loop.time()
            self._over = self._loop.call_later(max(self._patience, 0), self._give_up)

    def _give_up(self) -> None:
        self._over = None
        if not self.too_slow.done():
            self.too_slow.set_result(None)


class Streamed(Scored):
    """An answer that has begun and goes on in a stream."""

    rest: Stream

    @classmethod
    def begun(cls, scored: Scored, rest: Stream) -> Self:
        """The begun answer with its stream."""
        streamed = cls(*scored)
        streamed.rest = rest
        return streamed
