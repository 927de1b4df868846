"""The engine: a bounded queue, and scorers that take from it when they are free."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from scorewright.errors import RequestError
from scorewright.service import rows
from scorewright.service.frames import End, Outgoing, Ready, Scored
from scorewright.service.protocols import azureml
from scorewright.service.stream import Stream, Streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scorewright.service.frames import Piece
    from scorewright.service.limits import Limits
    from scorewright.service.rows import RowCount

SCORER_DIED = "The process scoring this request ended unexpectedly. Check the logs for more info."

CHECK_SECONDS = 0.05
"""How long a request has waited before it is looked whether its client is still there: looking costs a little."""

SWEEP_SECONDS = 0.1
"""How often a full queue is searched for clients that have gone away."""

TICK_SECONDS = 0.05
"""How often it is looked for requests whose time is over."""

LATE_SECONDS = 0.25
"""How long past its deadline a scorer may take to say so itself, before the front does."""


class Worker(Protocol):
    """What the engine needs of a scorer."""

    script: Ready

    def send(self, requests: Sequence[Outgoing]) -> None:
        """Score these; `Engine.scored` and `Engine.piece` hear of the answers."""

    def cancel(self, number: int) -> None:
        """Make no more pieces of the answer to this request of the batch."""

    def hold(self, *, back: bool) -> None:
        """Take no more pieces for now, or take them again."""


class ClientGoneError(Exception):
    """The client of a request went away before it was scored: nobody waits for an answer."""


class Job:
    """One accepted request.

    `gone` tells whether its client has gone away; `since`, `deadline` and `taken` are the loop's times at which it
    came, must be answered and was given to a scorer. `shared` says that others were given with it, `alone` that it
    is to be given by itself: in company, its scorer died. `stream` is there once its answer has begun and goes on.
    """

    __slots__ = ("alone", "answer", "deadline", "gone", "outgoing", "shared", "since", "stream", "taken")

    def __init__(
        self, outgoing: Outgoing, gone: Callable[[], bool], answer: asyncio.Future[Scored], since: float
    ) -> None:
        self.outgoing = outgoing
        self.gone = gone
        self.answer = answer
        self.since = since
        self.deadline = outgoing.deadline
        self.taken = since
        self.shared = False
        self.alone = False
        self.stream: Stream | None = None


class Engine:
    """Takes requests in, hands them to free scorers, gives the answers back.

    A free scorer takes all that waits, up to the limits of a batch, if its script has run_many, else one. Nothing
    waits for company: batches form only while every scorer is busy. They are taken in the order they came.
    """

    def __init__(self, limits: Limits, count_rows: RowCount = rows.one) -> None:
        self._limits = limits
        self._count_rows = count_rows
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._free: deque[Worker] = deque()
        self._busy: dict[Worker, dict[int, Job]] = {}
        self._retired: set[Worker] = set()
        self._accepted = 0
        self._held_bytes = 0
        self._closed = "The service is starting: the entry script's init() has not finished."
        self._handing_out = False
        self._ticking = False
        self._swept = float("-inf")
        self._opened = asyncio.Event()
        self._early = 0
        self.draining = False
        self.script = Ready()

    @property
    def scorers(self) -> int:
        """How many scorers are alive and have finished init()."""
        return len(self._free) + len(self._busy.keys() - self._retired)

    @property
    def ready(self) -> bool:
        """Whether a new request would be scored."""
        return self.scorers > 0 and not self.draining

    @property
    def starting(self) -> bool:
        """Whether the first init() is still to be done."""
        return not self._opened.is_set()

    @property
    def state(self) -> str:
        """Why it is not ready, in a sentence for a client."""
        if self.draining:
            return "The service is stopping."
        return self._closed or "No scorer is alive; one is being started."

    async def opened(self) -> None:
        """Wait until it is known what the script is like: until the first init() is done.

        Contract: azureml-inference-server-http 1.5.1 answers no request before that, and refuses none.
        Raises RequestError 503 if nothing comes of the start, 429 if as many wait already as may.
        """
        if not self.starting:
            return
        if self._early >= self._limits.requests:
            raise RequestError(429, f"Too many requests: {self._early} are waiting for the service to start.")
        self._early += 1
        try:
            await self._opened.wait()
        finally:
            self._early -= 1

    async def score(
        self,
        request_id: bytes,
        body: bytes,
        gone: Callable[[], bool],
        *,
        head: bytes = b"",
        budget: float | None = None,
    ) -> Scored:
        """Queue a request and wait for its answer; a Streamed one has only begun.

        `budget` is the time in seconds that its client gives it; more than the service's own is not to be had.

        Raises RequestError 503 while there is nothing that could score it or if it has waited too long, 429 if there
        is no room for it, 500 if its scorer ended or its time is over, and ClientGoneError if it was dropped because
        its client left.
        """
        if self._closed:
            raise RequestError(503, self._closed)
        if not self._has_room(len(body)) and not self._has_room(len(body), without=self._swept_out()):
            raise RequestError(429, self._full())
        seconds = self._limits.scoring if budget is None else min(budget, self._limits.scoring)
        now = self._loop.time()
        outgoing = Outgoing(request_id, head, body, now + seconds, seconds * 1000)
        job = Job(outgoing, gone, self._loop.create_future(), now)
        self._accepted += 1
        self._held_bytes += len(body)
        self._waiting.append(job)
        self._hand_out_soon()
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK_SECONDS, self._tick)
        try:
            return await job.answer
        finally:
            self._accepted -= 1
            self._held_bytes -= len(body)

    def join(self, worker: Worker) -> None:
        """A scorer is ready."""
        self._closed = ""
        self.script = worker.script
        self._opened.set()
        self._free.append(worker)
        self._hand_out_soon()

    def retire(self, worker: Worker) -> None:
        """A scorer is dying: it is given nothing more, but what it has answered may still be on its way."""
        if worker in self._free:
            self._free.remove(worker)
        self._retired.add(worker)

    def leave(self, worker: Worker) -> None:
        """A scorer has died: what it was scoring by itself fails, what waits goes on waiting for its replacement.

        Of a batch it is not known which request it died of: each is scored again, by itself this time.
        """
        self.retire(worker)
        self._retired.remove(worker)
        again = [job for job in self._busy.pop(worker, {}).values() if not self._lost(job)]
        for job in reversed(again):
            job.alone = True
            self._waiting.appendleft(job)
        if self._closed:
            self.close(self._closed)
        self._hand_out_soon()

    def close(self, reason: str) -> None:
        """No scorer can be had for now: refuse what waits and what comes until one joins."""
        self._closed = reason
        self._opened.set()
        while self._waiting:
            _fail(self._waiting.popleft(), RequestError(503, reason))

    def abandon(self, reason: str) -> None:
        """Refuse what waits, what comes and what is being scored."""
        self.close(reason)
        for jobs in self._busy.values():
            for job in jobs.values():
                _fail(job, RequestError(503, reason))

    def scored(self, worker: Worker, answers: Iterable[Scored]) -> None:
        """A scorer has answered some of the requests it was given."""
        jobs = self._busy[worker]
        for answer in answers:
            if answer.more:
                job = jobs[answer.number]
                job.stream = Stream(worker, answer.number)
                if job.answer.done():
                    job.stream.cancel()
                _settle(job, Streamed.begun(answer, job.stream))
            else:
                _settle(jobs.pop(answer.number), answer)
        self._done(worker, jobs)

    def piece(self, worker: Worker, piece: Piece) -> None:
        """A scorer has made more of an answer that has begun."""
        jobs = self._busy[worker]
        stream = jobs[piece.number].stream
        if stream is not None:
            stream.put(piece.body, piece.end)
        if piece.end is not End.NOT_YET:
            del jobs[piece.number]
        self._done(worker, jobs)

    def _done(self, worker: Worker, jobs: dict[int, Job]) -> None:
        if not jobs:
            del self._busy[worker]
            if worker not in self._retired:
                self._free.append(worker)
                self._hand_out()

    def _has_room(self, size: int, without: Sequence[Job] = ()) -> bool:
        """Whether one more can be accepted; those in `without` have been dropped, and have not let go yet."""
        held = self._held_bytes - sum(len(job.outgoing.body) for job in without)
        return self._accepted - len(without) < self._limits.requests and held + size <= self._limits.held_bytes

    def _full(self) -> str:
        if self._accepted >= self._limits.requests:
            return f"Too many requests: {self._accepted} are waiting or being scored."
        return (
            f"Too many requests: the bodies of those that are waiting or being scored have {self._held_bytes} bytes "
            f"of the {self._limits.held_bytes} there is room for."
        )

    def _hand_out_soon(self) -> None:
        # Once per turn of the event loop, after every request that arrived in it: they go as one batch.
        if self._free and not self._handing_out:
            self._handing_out = True
            self._loop.call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._handing_out = False
        while self._free and self._waiting:
            worker = self._free[0]
            batch = self._batch(self._limits.batch_requests if worker.script.run_many else 1)
            if batch:
                self._free.popleft()
                self._busy[worker] = dict(enumerate(batch))
                worker.send([job.outgoing for job in batch])

    def _batch(self, most: int) -> list[Job]:
        """What one scorer is given: requests in the order they came, until the next would be too many.

        Those with little time left are not put together with those with much: who waits for whom shall not matter.
        """
        batch: list[Job] = []
        size = count = 0
        least = longest = 0.0
        now = self._loop.time()
        while self._waiting and len(batch) < most:
            job = self._waiting[0]
            if job.answer.done() or self._is_over(job, now) or self._has_left(job, now):
                self._waiting.popleft()
                continue
            left = job.deadline - now
            if batch:
                if job.alone or max(longest, left) > 2 * min(least, left):
                    break
                if len(batch) == 1:
                    count = self._count_rows(batch[0].outgoing.body)
                count += self._count_rows(job.outgoing.body)
                size += len(job.outgoing.body)
                if count > self._limits.batch_rows or size > self._limits.batch_bytes:
                    break
                least, longest = min(least, left), max(longest, left)
            else:
                size = len(job.outgoing.body)
                least = longest = left
            self._waiting.popleft()
            job.taken = now
            batch.append(job)
            if job.alone:
                break
        for job in batch:
            job.shared = len(batch) > 1
        return batch

    def _has_left(self, job: Job, now: float) -> bool:
        """Whether its client has gone away; looked at once it has waited a little."""
        if now - job.since < CHECK_SECONDS or not job.gone():
            return False
        job.answer.set_exception(ClientGoneError())
        return True

    def _is_over(self, job: Job, now: float) -> bool:
        """Whether a waiting request has no time left; it is told so."""
        if now >= job.deadline:
            _fail(job, _timeout(job))
            return True
        if now - job.since > self._limits.queue_wait and not job.alone:
            waited = f"The request has waited {self._limits.queue_wait * 1000:.0f} ms for a scorer, as long as it may."
            _fail(job, RequestError(503, waited))
            return True
        return False

    def _lost(self, job: Job) -> bool:
        """Whether a request that a dead scorer had is not to be scored again; it is told so."""
        now = self._loop.time()
        if job.answer.done() and job.stream is None:
            return True
        if job.stream is None and now >= job.deadline:
            _fail(job, _timeout(job))
        elif job.shared and job.stream is None:
            return False
        elif now - job.taken >= self._limits.worker_silence:
            _fail(job, RequestError(500, f"Scoring took longer than {self._limits.worker_silence} s.", failed=True))
        else:
            _fail(job, RequestError(500, SCORER_DIED, failed=True))
        return True

    def _tick(self) -> None:
        """Tell those whose time is over, while there are any that wait for something."""
        now = self._loop.time()
        for job in self._waiting:
            if not job.answer.done():
                self._is_over(job, now)
        for jobs in self._busy.values():
            for job in jobs.values():
                if now > job.deadline + LATE_SECONDS and job.stream is None:
                    _fail(job, _timeout(job))
        self._ticking = bool(self._waiting or self._busy)
        if self._ticking:
            self._loop.call_later(TICK_SECONDS, self._tick)

    def _swept_out(self) -> list[Job]:
        """Drop the requests whose clients have gone, if that was not done just now."""
        if self._loop.time() - self._swept < SWEEP_SECONDS:
            return []
        self._swept = self._loop.time()
        dropped = [job for job in self._waiting if not job.answer.done() and job.gone()]
        for job in dropped:
            job.answer.set_exception(ClientGoneError())
        return dropped


def _timeout(job: Job) -> RequestError:
    return RequestError(500, azureml.scoring_timeout(round(job.outgoing.budget_ms)), failed=True)


def _settle(job: Job, answer: Scored) -> None:
    if not job.answer.done():
        job.answer.set_result(answer)


def _fail(job: Job, error: RequestError) -> None:
    if job.stream is not None:
        job.stream.put(b"", End.BROKE)
    elif not job.answer.done():
        job.answer.set_exception(error)
