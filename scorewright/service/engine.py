"""The engine: a bounded queue, and scorers that take from it when they are free."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from scorewright.errors import RequestError
from scorewright.service import rows
from scorewright.service.counters import HANDED, QUEUE_TIMEOUTS, TIMEOUTS, WAITING, FrontCounters
from scorewright.service.frames import NOT_RETURNED, End, Ready, Scored
from scorewright.service.job import ClientGoneError, Job
from scorewright.service.protocols import azureml
from scorewright.service.room import Room
from scorewright.service.stream import Stream, Streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scorewright.service.frames import Piece
    from scorewright.service.limits import Limits
    from scorewright.service.room import Place
    from scorewright.service.rows import RowCount
    from scorewright.service.worker import Worker

REPLACED = "The model was replaced while this request was still being sent. Send it again."

SCORER_DIED = "The process scoring this request ended unexpectedly. Check the logs for more info."

CHECK_SECONDS = 0.05
"""How long a request has waited before it is looked whether its client is still there: looking costs a little."""

SWEEP_SECONDS = 0.1
"""How often a full queue is searched for clients that have gone away."""

TICK_SECONDS = 0.05
"""How often it is looked for requests whose time is over."""

SLOW_SECONDS = 30.0
"""How long an engine that is replaced waits for the rest of requests that have begun to come."""

LATE_SECONDS = 0.25
"""How long past its deadline a scorer may take to say so itself, before the front does."""


class _Early(NamedTuple):
    """A request that waits for the first init()."""

    opened: asyncio.Future[None]
    gone: Callable[[], bool]


class Engine:
    """Takes requests in, hands them to free scorers, gives the answers back.

    A free scorer takes all that waits, up to the limits of a batch, if its script has run_many, else one. Nothing
    waits for company: batches form only while every scorer is busy. They are taken in the order they came.

    An engine scores by the scorers of one loading of the model. When another takes its place, this one answers what it
    has accepted. `starting` says that the first init() is still to be done, `reload` how the last reload fares that did
    not succeed. `counters` are told what happens; the engine that was used `before` tells the same ones.
    """

    def __init__(
        self,
        limits: Limits,
        count_rows: RowCount = rows.one,
        counters: FrontCounters | None = None,
        before: Engine | None = None,
    ) -> None:
        self.counters = counters or FrontCounters.alone()
        self._limits = limits
        self._count_rows = count_rows
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._free: deque[Worker] = deque()
        self._busy: dict[Worker, dict[int, Job]] = {}
        self._retired: dict[Worker, asyncio.Future[None]] = {}
        self._room: Room = Room(limits, self._swept, self.counters, None if before is None else before._room)
        self._told = {WAITING: 0, HANDED: 0}
        self._closed = "The service is starting: the entry script's init() has not finished."
        self._replaced = ""
        self._handing_out = False
        self._ticking = False
        self._swept_at = float("-inf")
        self._early: list[_Early] = []
        self.starting = True
        self.draining = False
        self.reload: Literal["under way", "refused"] | None = None
        self.script = Ready()

    @property
    def scorers(self) -> int:
        """How many scorers are alive and have finished init()."""
        return len(self._free) + len(self._busy.keys() - self._retired.keys())

    @property
    def ready(self) -> bool:
        """Whether a new request would be scored."""
        return self.scorers > 0 and not self.draining

    @property
    def state(self) -> str:
        """Why it is not ready, in a sentence for a client."""
        if self.draining:
            return "The service is stopping."
        return self._closed or "No scorer is alive; one is being started."

    def place(self, budget: float | None = None) -> Place:
        """A place for a request that has just come, as Room.place() has it."""
        return self._room.place(self._loop.time(), budget)

    async def opened(self, place: Place, gone: Callable[[], bool]) -> None:
        """Wait until it is known what the script is like: until the first init() is done.

        Contract: azureml-inference-server-http 1.5.1 answers no request before that, and refuses none.
        Raises RequestError 500 if the request's time is over before, and ClientGoneError if it was dropped because
        its client left.
        """
        if not self.starting:
            return
        early = _Early(self._loop.create_future(), gone)
        self._early.append(early)
        self._count_waiting()
        try:
            async with asyncio.timeout_at(None if math.isinf(place.deadline) else place.deadline):
                await early.opened
        except TimeoutError:
            raise self._timeout(place.seconds) from None
        finally:
            self._early.remove(early)
            self._count_waiting()

    async def score(
        self, place: Place, request_id: bytes, body: bytes, gone: Callable[[], bool], *, head: bytes = b""
    ) -> Scored:
        """Queue a request and wait for its answer; a Streamed one has only begun.

        Raises RequestError 503 while there is nothing that could score it or if it has waited too long, 500 if its
        scorer ended or its time is over, and ClientGoneError if it was dropped because its client left.
        """
        if self._closed:
            raise RequestError(503, self._closed)
        now = self._loop.time()
        job = Job(place.outgoing(request_id, head, body), gone, self._loop.create_future(), now)
        place.job = job
        self._waiting.append(job)
        self._count_waiting()
        self._hand_out_soon()
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK_SECONDS, self._tick)
        return await job.answer

    def join(self, worker: Worker) -> None:
        """A scorer is ready."""
        self._closed = self._replaced
        self.script = worker.script
        self._open()
        self._free.append(worker)
        self._hand_out_soon()

    def retire(self, worker: Worker) -> asyncio.Future[None]:
        """Give a scorer nothing more: it is dying, or to end. Done once it has answered all it was given.

        Of one that is dying, what it has answered may still be on its way.
        """
        if worker in self._free:
            self._free.remove(worker)
        answered = self._retired.setdefault(worker, self._loop.create_future())
        if worker not in self._busy and not answered.done():
            answered.set_result(None)
        return answered

    async def finished(self) -> None:
        """Wait until every request is answered that was accepted before another engine took this one's place.

        Those that take too long to come are refused.
        """
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await self._room.empty()
        except TimeoutError:
            self._replaced = self._closed = REPLACED
            while self._waiting or self._busy:
                await asyncio.sleep(TICK_SECONDS)

    def leave(self, worker: Worker) -> None:
        """A scorer has died: what it was scoring by itself fails, what waits goes on waiting for its replacement.

        What it had not begun waits, too. Of a batch it is not known which request it died of: each is scored again, by
        itself this time.
        """
        self.retire(worker)
        jobs = list(self._busy.pop(worker, {}).values())
        answered = self._retired.pop(worker)
        if not answered.done():
            answered.set_result(None)
        if worker.begun:
            jobs = [job for job in jobs if not self._lost(job)]
            for job in jobs:
                job.alone = True
        self._waiting.extendleft(reversed(jobs))
        self._count_waiting()
        if self._closed != self._replaced:
            self.close(self._closed)
        self._hand_out_soon()

    def close(self, reason: str) -> None:
        """No scorer can be had for now: refuse what waits and what comes until one joins."""
        self._closed = reason
        self._open()
        while self._waiting:
            _fail(self._waiting.popleft(), RequestError(503, reason))
        self._count_waiting()

    def _open(self) -> None:
        self.starting = False
        for early in self._early:
            if not early.opened.done():
                early.opened.set_result(None)

    def abandon(self, reason: str) -> None:
        """Refuse what waits, what comes and what is being scored."""
        self.close(reason)
        for jobs in self._busy.values():
            for job in jobs.values():
                _fail(job, RequestError(503, reason))

    def scored(self, worker: Worker, answers: Iterable[Scored]) -> None:
        """A scorer has answered some of the requests it was given."""
        jobs = self._busy[worker]
        ran = NOT_RETURNED
        for answer in answers:
            if ran == NOT_RETURNED:
                ran = answer.milliseconds
            if answer.late and not jobs[answer.number].answer.done():
                self.counters.words[TIMEOUTS] += 1
            if answer.more:
                job = jobs[answer.number]
                job.stream = Stream(worker, answer.number, self._limits.worker_silence)
                if job.answer.done():
                    job.stream.cancel()
                _settle(job, Streamed.begun(answer, job.stream))
            else:
                _settle(jobs.pop(answer.number), answer)
        # What comes at once was run at once.
        if ran != NOT_RETURNED:
            self.counters.run_time.observe(ran / 1000)
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
            elif not (answered := self._retired[worker]).done():
                answered.set_result(None)

    def _hand_out_soon(self) -> None:
        # Once per turn of the event loop, after every request that arrived in it: they go as one batch.
        if self._free and not self._handing_out:
            self._handing_out = True
            self._loop.call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._handing_out = False
        while self._free and self._waiting:
            worker = next((worker for worker in self._free if worker.idle), self._free[0])
            batch = self._batch(self._limits.batch_requests if worker.script.run_many else 1)
            if batch:
                self._free.remove(worker)
                self._busy[worker] = dict(enumerate(batch))
                worker.send([job.outgoing for job in batch])
                self._count_batch(batch)
        self._count_waiting()

    def _count_batch(self, batch: list[Job]) -> None:
        now = time.perf_counter()
        self.counters.batch_size.observe(len(batch))
        for job in batch:
            if job.queued:
                self.counters.queue_wait.observe(now - job.queued)
                job.queued = 0.0

    def _count_waiting(self) -> None:
        self._tell(WAITING, len(self._waiting) + len(self._early))

    def _tell(self, word: int, count: int) -> None:
        """Count what is true of this engine at the moment into what is true of the front."""
        if count != self._told[word]:
            self.counters.words[word] += count - self._told[word]
            self._told[word] = count

    def _batch(self, most: int) -> list[Job]:
        """What one scorer is given: requests in the order they came, until the next would be too many."""
        batch: list[Job] = []
        size = count = 0
        now = self._loop.time()
        while self._waiting and len(batch) < most:
            job = self._waiting[0]
            if job.answer.done() or self._is_over(job, now) or self._has_left(job, now):
                self._waiting.popleft()
                continue
            if batch:
                if job.alone:
                    break
                if len(batch) == 1:
                    count = self._count_rows(batch[0].outgoing)
                count += self._count_rows(job.outgoing)
                size += len(job.outgoing.body)
                if count > self._limits.batch_rows or size > self._limits.batch_bytes:
                    break
            else:
                size = len(job.outgoing.body)
            self._waiting.popleft()
            batch.append(job)
            if job.alone:
                break
        taken = time.monotonic()
        for job in batch:
            job.batch = len(batch)
            job.taken = taken
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
            _fail(job, self._timeout(job.outgoing.budget_ms / 1000))
            return True
        if now - job.since > self._limits.queue_wait and not job.alone:
            waited = f"The request has waited {self._limits.queue_wait * 1000:.0f} ms for a scorer, as long as it may."
            _fail(job, RequestError(503, waited))
            self.counters.words[QUEUE_TIMEOUTS] += 1
            return True
        return False

    def _lost(self, job: Job) -> bool:
        """Whether a request that a dead scorer had is not to be scored again; it is told so."""
        now = self._loop.time()
        if job.answer.done() and job.stream is None:
            return True
        if job.stream is None and now >= job.deadline:
            _fail(job, self._timeout(job.outgoing.budget_ms / 1000))
        elif job.batch > 1 and job.stream is None:
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
        self._forget_answered()
        handed = 0
        for worker, jobs in self._busy.items():
            begun = worker.begun
            handed += 0 if begun else len(jobs)
            for job in jobs.values():
                if job.answer.done():
                    continue
                if not begun:
                    self._is_over(job, now)
                elif now > job.deadline + LATE_SECONDS:
                    _fail(job, self._timeout(job.outgoing.budget_ms / 1000))
        self._tell(HANDED, handed)
        self._ticking = bool(self._waiting or self._busy)
        if self._ticking:
            self._loop.call_later(TICK_SECONDS, self._tick)

    def _swept(self) -> tuple[int, int]:
        """Drop the requests whose clients have gone, if that was not done just now: how many, of how many bytes."""
        if self._loop.time() - self._swept_at < SWEEP_SECONDS:
            return 0, 0
        self._swept_at = self._loop.time()
        early = [early for early in self._early if not early.opened.done() and early.gone()]
        for waiting in early:
            waiting.opened.set_exception(ClientGoneError())
        dropped = [job for job in self._waiting if not job.answer.done() and job.gone()]
        for job in dropped:
            job.answer.set_exception(ClientGoneError())
        self._forget_answered()
        return len(early) + len(dropped), sum(len(job.outgoing.body) for job in dropped)

    def _forget_answered(self) -> None:
        # They would be passed over when their turn comes; until then they would hold their bodies.
        if any(job.answer.done() for job in self._waiting):
            self._waiting = deque(job for job in self._waiting if not job.answer.done())
            self._count_waiting()

    def _timeout(self, seconds: float) -> RequestError:
        self.counters.words[TIMEOUTS] += 1
        return RequestError(500, azureml.scoring_timeout(round(seconds * 1000)), failed=True)


def _settle(job: Job, answer: Scored) -> None:
    if not job.answer.done():
        job.answered = time.monotonic()
        job.answer.set_result(answer)


def _fail(job: Job, error: RequestError) -> None:
    if job.stream is not None:
        job.stream.put(b"", End.BROKE)
    elif not job.answer.done():
        job.answer.set_exception(error)
