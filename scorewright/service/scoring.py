"""The scorer's work: requests in, the script called, answers out."""

from __future__ import annotations

import re
import select
import time
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from scorewright.contract.answer import PLAIN_HEADERS
from scorewright.errors import RequestError
from scorewright.service import frames, log
from scorewright.service.deadline import Deadline, ScoringTimeoutError
from scorewright.service.frames import JSON_HEADERS, NOT_RETURNED, End, Kind, Piece, Scored
from scorewright.service.protocols import azureml

if TYPE_CHECKING:
    import logging
    import socket
    from collections.abc import Iterable, Iterator

    from scorewright.contract.answer import Answer
    from scorewright.contract.script import EntryScript
    from scorewright.service.calls import Call, Calls

_HEADER_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class _Task(NamedTuple):
    number: int
    request_id: str
    call: Call


class Scorer:
    """Calls a started script and puts what it returns into frames."""

    def __init__(
        self,
        script: EntryScript,
        calls: Calls,
        channel: socket.socket,
        incoming: BinaryIO,
        *,
        timeout_ms: int,
        current: log.Current,
        logger: logging.Logger,
    ) -> None:
        self._script = script
        self._calls = calls
        self._channel = channel
        self._incoming = incoming
        self._timeout_ms = timeout_ms
        self._current = current
        self._log = logger
        self._readable = select.poll()
        self._readable.register(channel, select.POLLIN)

    def score(self, requests: list[frames.Request]) -> None:
        """Answer every request of one SCORE frame: by one run_many() where the script has it, else one by one.

        run_many(raw_requests) returns as many items as it is given: each what run() would have returned, or an
        exception, which fails that request alone. If it raises, takes too long or returns something else, run()
        decides.
        """
        tasks = [_Task(number, request.id, self._calls.of(request)) for number, request in enumerate(requests)]
        if self._script.run_many is not None and len(tasks) > 1:
            tasks = self._together(self._script.run_many, tasks)
        for task in tasks:
            self._current.request_id = task.request_id
            self._alone(task)
        self._current.request_id = ""

    def _alone(self, task: _Task) -> None:
        begun = time.perf_counter()
        try:
            with Deadline(self._timeout_ms):
                values = task.call.invoke()
        # Whatever a script raises, SystemExit included, is that request's failure and not the process's end.
        except BaseException as error:
            self._send([self._failed(task, error)])
        else:
            self._answer(task, values, (time.perf_counter() - begun) * 1000)

    def _together(self, run_many: Any, tasks: list[_Task]) -> list[_Task]:
        """Answer by one run_many() what can be; the tasks that run() has to decide."""
        able = [(task, task.call.texts) for task in tasks if task.call.texts]
        texts = [text for _, own in able for text in own]
        if len(able) < 2:
            return tasks
        self._current.request_id = f"{able[0][0].request_id}+{len(able) - 1}"
        begun = time.perf_counter()
        try:
            with Deadline(self._timeout_ms):
                values = run_many(texts)
                count = len(values)
        except BaseException:
            self._log.exception("run_many() failed on %d requests; each is scored by run().", len(able))
            return tasks
        milliseconds = (time.perf_counter() - begun) * 1000
        if count != len(texts):
            self._log.error("run_many() returned %d items for %d requests; each is scored by run().", count, len(texts))
            return tasks
        given = iter(values)
        self._answer_all([(task, [next(given) for _ in own]) for task, own in able], milliseconds)
        return [task for task in tasks if not task.call.texts]

    def _answer_all(self, returned: list[tuple[_Task, list[Any]]], milliseconds: float) -> None:
        whole = []
        for task, values in returned:
            self._current.request_id = task.request_id
            raised = next((value for value in values if isinstance(value, BaseException)), None)
            encoded = self._failed(task, raised) if raised is not None else self._encode(task, values, milliseconds)
            if isinstance(encoded, Scored):
                whole.append(encoded)
            else:
                self._stream(task, encoded, milliseconds)
        if whole:
            self._send(whole)

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
            self._log.error("run() was interrupted after %d ms, where it was:", self._timeout_ms, exc_info=error)
            message = azureml.scoring_timeout(self._timeout_ms)
        else:
            self._log.error("run() failed.", exc_info=error)
            message = azureml.SCRIPT_ERROR
        return _scored(task.number, task.call.error(500, message), NOT_RETURNED)

    def _stream(self, task: _Task, answer: Answer, milliseconds: float) -> None:
        """Send an answer as the script makes it, until it is whole, breaks, or nobody reads on.

        Its head is not sent before there is a first piece: until then, what fails can still be said.
        """
        try:
            pieces = _whole(answer.pieces or ())
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
                    self._channel.sendall(frames.pack_piece(Piece(task.number, End.NOT_YET, piece)))
                piece = next(pieces, None)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except BaseException as error:
            self._log.error("The answer broke off: what makes it failed.", exc_info=error)
            end = End.BROKE
        self._close(answer)
        self._channel.sendall(frames.pack_piece(Piece(task.number, end, b"")))

    def _close(self, answer: Answer) -> None:
        try:
            if answer.close is not None:
                answer.close()
        except BaseException as error:
            self._log.error("What makes the answer failed as it was closed.", exc_info=error)

    def _cancelled(self, number: int) -> bool:
        """Whether nobody reads on. What is cancelled may also be an answer that has just ended."""
        if not self._readable.poll(0):
            return False
        frame = frames.read(self._incoming)
        return frame is None or (frame[0] is Kind.CANCEL and frames.unpack_cancel(frame[1]) == number)

    def _send(self, scored: Iterable[Scored]) -> None:
        self._channel.sendall(b"".join(frames.pack_scored(list(scored))))


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
