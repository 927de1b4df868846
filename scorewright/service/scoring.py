"""The scorer's work: requests in, the script called, answers out."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scorewright.contract.answer import PLAIN_HEADERS
from scorewright.errors import RequestError
from scorewright.service import frames, log, trace_context
from scorewright.service.deadline import Deadline, ScoringTimeoutError
from scorewright.service.frames import JSON_HEADERS, NOT_RETURNED, End, Kind, Piece, Scored
from scorewright.service.protocols import azureml

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator, Sequence

    from scorewright.contract.answer import Answer
    from scorewright.contract.script import EntryScript
    from scorewright.service.calls import Call, Calls
    from scorewright.service.channel import Channel
    from scorewright.service.status import Status

_HEADER_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


TIMEOUT_GRACE_SECONDS = 5.0
"""How long a run() that is told that its time is over may take to obey, before its process is ended."""


class _Task(NamedTuple):
    number: int
    request_id: str
    call: Call
    deadline: float
    budget_ms: float
    trace: str


class Scorer:
    """Calls a started script and puts what it returns into frames.

    `silence` is how long it may be at work, in seconds, without an answer.
    """

    def __init__(
        self,
        script: EntryScript,
        calls: Calls,
        status: Status,
        *,
        silence: float,
        current: log.Current,
        logger: logging.Logger,
    ) -> None:
        self._script = script
        self._calls = calls
        self._status = status
        self._silence = silence
        self._current = current
        self._log = logger
        self._channel: Channel

    def score(self, channel: Channel, requests: list[frames.Request]) -> None:
        """Answer every request of one SCORE frame: by one run_many() where the script has it, else one by one.

        run_many(raw_requests) returns as many items as it is given: each what run() would have returned, or an
        exception, which fails that request alone. If it raises, takes too long or returns something else, run()
        decides.

        Raises BrokenPipeError or ConnectionResetError if the front is gone.
        """
        self._channel = channel
        self._status.begin(channel.front)
        self._working()
        try:
            tasks = [
                _Task(number, request.id, self._calls.of(request), request.deadline, request.budget_ms, request.trace)
                for number, request in enumerate(requests)
            ]
            if self._script.run_many is not None and len(tasks) > 1:
                tasks = self._together(self._script.run_many, tasks)
            self._one_by_one(tasks)
        finally:
            self._current.request_id = self._current.traceparent = ""
            self._status.idle()

    def lost_front(self) -> None:
        """Say that what was being scored cannot be answered any more."""
        self._log.error("The front is gone; what was being scored is lost.")

    def _working(self, seconds: float = math.inf) -> None:
        """Tell by when there must be an answer: soon after these seconds, or before the silence is too long."""
        self._status.due(time.monotonic() + min(max(seconds, 0) + TIMEOUT_GRACE_SECONDS, self._silence))

    def _deadline(self, seconds: float) -> Deadline:
        self._working(seconds)
        return Deadline(seconds)

    def _at(self, task: _Task) -> None:
        """What is logged from now on is of this request."""
        self._current.request_id = task.request_id
        self._current.traceparent = task.trace

    def _one_by_one(self, tasks: list[_Task]) -> None:
        """Answer each by run(), those with the least time first.

        Where there are several, each has half of its time first: one that takes too long shall not use up the others'.
        """
        tasks.sort(key=lambda task: task.deadline)
        late = []
        for task in tasks:
            self._at(task)
            left = task.deadline - time.monotonic()
            if len(tasks) == 1:
                self._alone(task, left)
            elif not self._alone(task, left / 2, last=False):
                late.append(task)
        for task in late:
            self._at(task)
            self._alone(task, task.deadline - time.monotonic())

    def _alone(self, task: _Task, seconds: float, *, last: bool = True) -> bool:
        """Answer by run(). False if it took too long and this was not its last chance."""
        begun = time.perf_counter()
        try:
            with self._deadline(seconds):
                values = trace_context.within(task.trace, task.call.invoke)
        # Whatever a script raises, SystemExit included, is that request's failure and not the process's end.
        except BaseException as error:
            if not last and isinstance(error, ScoringTimeoutError):
                return False
            self._send([self._failed(task, error)])
        else:
            self._answer(task, values, (time.perf_counter() - begun) * 1000)
        return True

    def _together(self, run_many: Any, tasks: list[_Task]) -> list[_Task]:
        """Answer by one run_many() what can be; the tasks that run() has to decide.

        It has half of the least time there is: if that is not enough, each still has some for itself.
        """
        able = [(task, task.call.texts) for task in tasks if task.call.texts]
        texts = [text for _, own in able for text in own]
        if len(able) < 2:
            return tasks
        self._at(able[0][0])
        self._current.request_id += f"+{len(able) - 1}"
        begun = time.perf_counter()
        try:
            with self._deadline((min(task.deadline for task, _ in able) - time.monotonic()) / 2):
                # The trace of the first, as the lines that are logged have its id.
                values = _items(trace_context.within(able[0][0].trace, run_many, texts), len(texts))
        except ScoringTimeoutError as error:
            self._log.warning(
                "run_many() took too long on %d requests; each is scored by run(). It was here:",
                len(able),
                exc_info=error,
            )
            return tasks
        except BaseException:
            self._log.exception("run_many() failed on %d requests; each is scored by run().", len(able))
            return tasks
        milliseconds = (time.perf_counter() - begun) * 1000
        given = iter(values)
        self._answer_all([(task, [next(given) for _ in own]) for task, own in able], milliseconds)
        return [task for task in tasks if not task.call.texts]

    def _answer_all(self, returned: list[tuple[_Task, list[Any]]], milliseconds: float) -> None:
        whole, streams = [], []
        for task, values in returned:
            self._at(task)
            raised = next((value for value in values if isinstance(value, BaseException)), None)
            encoded = self._failed(task, raised) if raised is not None else self._encode(task, values, milliseconds)
            if isinstance(encoded, Scored):
                whole.append(encoded)
            else:
                streams.append((task, encoded))
        # Those that are made by and by have time.
        if whole:
            self._send(whole)
        for task, answer in streams:
            self._at(task)
            self._stream(task, answer, milliseconds)

    def _answer(self, task: _Task, values: list[Any], milliseconds: float) -> None:
        encoded = self._encode(task, values, milliseconds)
        if isinstance(encoded, Scored):
            self._send([encoded])
        else:
            self._stream(task, encoded, milliseconds)

    def _encode(self, task: _Task, values: list[Any], milliseconds: float) -> Scored | Answer:
        """The answer as it is sent, or, if it is made piece by piece, as it is."""
        try:
            answer = task.call.answer(values)
            scored = _scored(task.number, answer, milliseconds)
        except RequestError as refusal:
            return _scored(task.number, task.call.error(refusal.status, refusal.message), milliseconds)
        except BaseException as error:
            self._log.error("run() returned what cannot be sent.", exc_info=error)
            return _scored(task.number, task.call.error(500, azureml.INTERNAL_ERROR), NOT_RETURNED, failed=False)
        return scored if answer.pieces is None else answer

    def _failed(self, task: _Task, error: BaseException) -> Scored:
        if isinstance(error, RequestError):
            return _scored(task.number, task.call.error(error.status, error.message), NOT_RETURNED)
        if isinstance(error, ScoringTimeoutError):
            budget_ms = round(task.budget_ms)
            self._log.error("run() was interrupted, its %d ms are over; it was here:", budget_ms, exc_info=error)
            late = task.call.error(500, azureml.scoring_timeout(budget_ms))
            return _scored(task.number, late, NOT_RETURNED)._replace(late=True)
        self._log.error("run() failed.", exc_info=error)
        return _scored(task.number, task.call.error(500, azureml.SCRIPT_ERROR), NOT_RETURNED)

    def _stream(self, task: _Task, answer: Answer, milliseconds: float) -> None:
        """Send an answer as the script makes it, until it is whole, breaks, or nobody reads on.

        Its head is not sent before there is a first piece: until then, what fails can still be said.
        """
        try:
            pieces = _whole(answer.pieces or ())
            with self._deadline(task.deadline - time.monotonic()):
                piece = next(pieces, None)
        except BaseException as error:
            self._close(answer)
            self._send([self._failed(task, error)])
            return
        self._send([_scored(task.number, answer, milliseconds)._replace(more=True)])
        end = End.LAST
        try:
            while piece is not None and not self._cancelled(task.number):
                if piece:
                    self._send_piece(Piece(task.number, End.NOT_YET, piece))
                piece = next(pieces, None)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except BaseException as error:
            self._log.error("The answer broke off: what makes it failed.", exc_info=error)
            end = End.BROKE
        self._close(answer)
        self._send_piece(Piece(task.number, end, b""))

    def _close(self, answer: Answer) -> None:
        try:
            if answer.close is not None:
                answer.close()
        except BaseException as error:
            self._log.error("What makes the answer failed as it was closed.", exc_info=error)

    def _cancelled(self, number: int) -> bool:
        """Whether nobody reads on. What is cancelled may also be an answer that has just ended."""
        if not self._channel.waits():
            return False
        frame = self._channel.read()
        return frame is None or (frame[0] is Kind.CANCEL and frames.unpack_cancel(frame[1]) == number)

    def _send(self, scored: Sequence[Scored]) -> None:
        self._channel.send(frames.pack_scored(scored))
        self._status.count(len(scored))
        self._working()

    def _send_piece(self, piece: Piece) -> None:
        # A client that reads slowly holds this up: that is not the script's silence.
        self._status.idle()
        self._channel.send([frames.pack_piece(piece)])
        self._working()


def _items(returned: object, count: int) -> list[Any]:
    """What run_many() returned, an item a request. Raises TypeError or ValueError if it is not that."""
    if isinstance(returned, str | bytes | Mapping) or hasattr(returned, "columns"):
        raise TypeError(f"run_many() returned a {type(returned).__name__}, it must be a list with an item a request.")
    items: list[Any] = list(returned)  # type: ignore[call-overload]
    if len(items) != count:
        raise ValueError(f"run_many() returned {len(items)} items for {count} requests.")
    return items


def _whole(pieces: Iterable[object]) -> Iterator[bytes]:
    """The pieces, each seen to be bytes. Raises TypeError at one that is not."""
    for piece in pieces:
        if not isinstance(piece, bytes):
            raise TypeError(f"The answer has a piece of type {type(piece).__name__}, it must be str or bytes.")
        yield piece


def _scored(number: int, answer: Answer, milliseconds: float, *, failed: bool | None = None) -> Scored:
    """An answer as it crosses to the front. Raises ValueError if HTTP cannot carry it."""
    if not 200 <= answer.status <= 599:
        raise ValueError(f"The status {answer.status} cannot be sent: it must be 200 to 599.")
    if failed is None:
        failed = answer.failed or answer.status >= 500
    # Nearly every answer's: not worth a look at each character.
    headers = JSON_HEADERS if answer.headers == PLAIN_HEADERS else _checked(answer.headers)
    return Scored(number, answer.status, failed, milliseconds, headers, answer.body)


def _checked(told: list[tuple[str, str]]) -> frames.Headers:
    headers = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in told]
    for name, text in headers:
        if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(text):
            raise ValueError(f"The header {name!r}: {text!r} cannot be sent: it holds characters HTTP forbids.")
    return headers
