"""The engine: a bounded queue, and scorers that take from it when they are free."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from scorewright.errors import RequestError
from scorewright.service.frames import End, Ready, Scored
from scorewright.service.stream import Stream, Streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scorewright.service.frames import Piece

SCORER_DIED = "The process scoring this request ended unexpectedly. Check the logs for more info."

BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of bodies after which a batch takes no more: larger ones gain nothing by waiting for each other."""

CHECK_SECONDS = 0.05
"""How long a request has waited before it is looked whether its client is still there: looking costs a little."""

SWEEP_SECONDS = 0.1
"""How often a full queue is searched for clients that have gone away."""


class Worker(Protocol):
    """What the engine needs of a scorer."""

    script: Ready

    def send(self, requests: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        """Score these (id, head, body); `Engine.scored` and `Engine.piece` hear of the answers."""

    def cancel(self, number: int) -> None:
        """Make no more pieces of the answer to this request of the batch."""

    def hold(self, *, back: bool) -> None:
        """Take no more pieces for now, or take them again."""


class ClientGoneError(Exception):
    """The client of a request went away before it was scored: nobody waits for an answer."""


class Job:
    """One accepted request. `gone` tells whether its client has gone away; `since` is the loop's time it came.

    `stream` is there once its answer has begun and goes on.
    """

    __slots__ = ("answer", "body", "gone", "head", "request_id", "since", "stream")

    def __init__(
        self,
        request_id: bytes,
        head: bytes,
        body: bytes,
        gone: Callable[[], bool],
        answer: asyncio.Future[Scored],
        since: float,
    ) -> None:
        self.request_id = request_id
        self.head = head
        self.body = body
        self.gone = gone
        self.answer = answer
        self.since = since
        self.stream: Stream | None = None


class Engine:
    """Takes requests in, hands them to free scorers, gives the answers back.

    A free scorer takes all that waits, up to `max_batch` requests, if its script has run_many, else one. Nothing
    waits for company: batches form only while every scorer is busy.
    """

    def __init__(self, *, max_queue: int, max_batch: int) -> None:
        self._max_queue = max_queue
        self._max_batch = max_batch
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._free: deque[Worker] = deque()
        self._busy: dict[Worker, dict[int, Job]] = {}
        self._heard: dict[Worker, float] = {}
        self._retired: set[Worker] = set()
        self._closed = "The service is starting: the entry script's init() has not finished."
        self._handing_out = False
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
        if self._early >= self._max_queue:
            raise RequestError(429, f"Too many requests: {self._max_queue} are waiting for the service to start.")
        self._early += 1
        try:
            await self._opened.wait()
        finally:
            self._early -= 1

    async def score(self, request_id: bytes, body: bytes, gone: Callable[[], bool], *, head: bytes = b"") -> Scored:
        """Queue a request and wait for its answer; a Streamed one has only begun.

        Raises RequestError 503 while there is nothing that could score it, 429 if the queue is full, 500 if its
        scorer ended, and ClientGoneError if it was dropped because its client left.
        """
        if self._closed:
            raise RequestError(503, self._closed)
        if len(self._waiting) >= self._max_queue and not self._swept_some():
            raise RequestError(429, f"Too many requests: {self._max_queue} are waiting to be scored.")
        job = Job(request_id, head, body, gone, self._loop.create_future(), self._loop.time())
        self._waiting.append(job)
        self._hand_out_soon()
        return await job.answer

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

    def leave(self, worker: Worker, reason: str = SCORER_DIED) -> None:
        """A scorer has died: what it was scoring fails, what waits goes on waiting for its replacement."""
        self.retire(worker)
        self._retired.remove(worker)
        self._heard.pop(worker, None)
        for job in self._busy.pop(worker, {}).values():
            _fail(job, RequestError(500, reason, failed=True))

    def overdue(self, seconds: float, stream_seconds: float) -> list[Worker]:
        """The scorers that have had work for longer than this and have answered nothing meanwhile.

        For one that is amid an answer in pieces, `stream_seconds` counts, from its last piece on.
        """
        now = self._loop.time()
        return [
            worker
            for worker, jobs in self._busy.items()
            if now - self._heard[worker] > (stream_seconds if any(job.stream for job in jobs.values()) else seconds)
        ]

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
                _settle(job, Streamed.begun(answer, job.stream))
            else:
                _settle(jobs.pop(answer.number), answer)
        self._heard[worker] = self._loop.time()
        self._done(worker, jobs)

    def piece(self, worker: Worker, piece: Piece) -> None:
        """A scorer has made more of an answer that has begun."""
        jobs = self._busy[worker]
        stream = jobs[piece.number].stream
        if stream is not None:
            stream.put(piece.body, piece.end)
        if piece.end is not End.NOT_YET:
            del jobs[piece.number]
        self._heard[worker] = self._loop.time()
        self._done(worker, jobs)

    def _done(self, worker: Worker, jobs: dict[int, Job]) -> None:
        if not jobs:
            del self._busy[worker]
            if worker not in self._retired:
                self._free.append(worker)
                self._hand_out()

    def _hand_out_soon(self) -> None:
        # Once per turn of the event loop, after every request that arrived in it: they go as one batch.
        if self._free and not self._handing_out:
            self._handing_out = True
            self._loop.call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._handing_out = False
        while self._free and self._waiting:
            worker = self._free[0]
            batch = self._batch(self._max_batch if worker.script.run_many else 1)
            if batch:
                self._free.popleft()
                self._busy[worker] = dict(enumerate(batch))
                self._heard[worker] = self._loop.time()
                worker.send([(job.request_id, job.head, job.body) for job in batch])

    def _batch(self, limit: int) -> list[Job]:
        batch: list[Job] = []
        size = 0
        doubtful = self._loop.time() - CHECK_SECONDS
        while self._waiting and len(batch) < limit and size < BATCH_BYTES:
            job = self._waiting.popleft()
            if job.answer.done():
                continue
            if job.since <= doubtful and job.gone():
                job.answer.set_exception(ClientGoneError())
                continue
            batch.append(job)
            size += len(job.body)
        return batch

    def _swept_some(self) -> bool:
        """Drop the requests whose clients have gone, if that was not done just now; whether there were any."""
        if self._loop.time() - self._swept < SWEEP_SECONDS:
            return False
        self._swept = self._loop.time()
        kept: deque[Job] = deque()
        for job in self._waiting:
            if job.answer.done():
                continue
            if job.gone():
                job.answer.set_exception(ClientGoneError())
            else:
                kept.append(job)
        dropped = len(self._waiting) - len(kept)
        self._waiting = kept
        return dropped > 0


def _settle(job: Job, answer: Scored) -> None:
    if not job.answer.done():
        job.answer.set_result(answer)


def _fail(job: Job, error: RequestError) -> None:
    if job.stream is not None:
        job.stream.put(b"", End.BROKE)
    elif not job.answer.done():
        job.answer.set_exception(error)
