"""A job's own folder, beside its results: what was asked for, the plan, what is scored, how it ended.

    _scorewright/
      job.json         what was asked for: another job does not go on with it
      plan.jsonl       the mini-batches, a line each
      results/         of each that is scored, its piece and then its note
      files/           of each, what the script wrote itself
      draft/           the result while it is put together
      partitions/      the rows of mini-batches that are made by keys
      logs/            what scripts printed
      report.json      how it ended
      errors.jsonl     every error that is known in words

At the end of a job that completed, the report, the errors and the logs stay.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from scorewright.errors import LocationError
from scorewright.service.batch.mini_batch import MiniBatch
from scorewright.service.batch.progress import ERRORS_KEPT, ItemError, Progress
from scorewright.service.batch.scores import FILES, RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scorewright.service.batch.location import Location

NAME = "_scorewright"
_JOB, _PLAN, _REPORT, _ERRORS, LOGS, _LOCK = "job.json", "plan.jsonl", "report.json", "errors.jsonl", "logs", "lock"
_DRAFT = "draft"
_KEPT = {_REPORT, _ERRORS, LOGS, _LOCK}


class JobFolder:
    """The record of a job at its output. Everything in it is written at once or not at all."""

    def __init__(self, output: Location) -> None:
        self.output = output
        self.work = output.child(NAME)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the folder to oneself. Raises LocationError if another job is at work there (on this machine)."""
        if self.work.local is None:
            yield
            return
        try:
            self.work.local.mkdir(parents=True, exist_ok=True)
            lock = (self.work.local / _LOCK).open("w")
        except OSError as error:
            raise LocationError(
                f"{self.output.url} cannot be written to: {error.strerror}.", hint="Choose a folder that can be."
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocationError(
                    f"Another job is at work in {self.output.url}.", hint="Wait for it, or choose another output."
                ) from None
            yield

    def require_new(self) -> None:
        """Raise LocationError if there is anything but what a job left that has scored nothing."""
        if [name for name in self.output.names() if name != NAME] or not self._unscored():
            raise LocationError(
                f"{self.output.url} is not empty.",
                hint="Choose a folder that is new; --resume goes on with a job that was interrupted there.",
            )

    def forget_unscored(self) -> None:
        """Remove what a job left that has scored nothing: there is nothing to go on with."""
        if self._unscored():
            self.clear()

    def _unscored(self) -> bool:
        return not self.work.child(_REPORT).exists() and not self.work.child(RESULTS).names()

    def begun(self) -> dict[str, Any] | None:
        """What was asked for, if there is a job."""
        return self._json(_JOB)

    def begin(self, asked: dict[str, Any]) -> None:
        """Write down what is asked for."""
        self.work.child(_JOB).put(json.dumps(asked, indent=2).encode())

    def planned(self) -> list[MiniBatch] | None:
        """The plan, if there is one."""
        place = self.work.child(_PLAN)
        if not place.exists():
            return None
        return [MiniBatch.of(json.loads(line)) for line in place.read().splitlines()]

    def plan(self, batches: Sequence[MiniBatch]) -> None:
        """Write the plan down."""
        self.work.child(_PLAN).put(b"".join(json.dumps(batch.to_dict()).encode() + b"\n" for batch in batches))

    def notes(self) -> dict[int, dict[str, Any]]:
        """The notes of what has been scored, by the mini-batch's number."""
        results = self.work.child(RESULTS)
        names = [name for name in results.names() if name.endswith(".json")]
        notes = [json.loads(results.child(name).read()) for name in names]
        return {note["number"]: note for note in notes}

    def piece(self, number: int) -> bytes:
        """A mini-batch's part of the result."""
        return self.work.child(RESULTS, f"{number:07d}.piece").read()

    def draft(self, name: str) -> Location:
        """Where the result is put together before it gets its name in the output."""
        return self.work.child(_DRAFT, name)

    def file(self, number: int, name: str) -> Location:
        """A file that the script wrote for a mini-batch."""
        return self.work.child(FILES, f"{number:07d}", *name.split("/"))

    def report(self) -> dict[str, Any] | None:
        """How the job ended, if it completed."""
        return self._json(_REPORT)

    def end(
        self, asked: dict[str, Any], progress: Progress, results: Sequence[str], errors: Sequence[ItemError]
    ) -> None:
        """Write down how it ended."""
        if errors:
            lines = b"".join(json.dumps(asdict(error)).encode() + b"\n" for error in errors)
            self.work.child(_ERRORS).put(lines)
        told = {**asked, "progress": asdict(progress), "results": list(results)}
        self.work.child(_REPORT).put(json.dumps(told, indent=2).encode())

    def clear(self) -> None:
        """Remove what is of no more use once it has ended."""
        for name in self.work.names():
            if name not in _KEPT:
                self.work.child(name).remove()

    def _json(self, name: str) -> dict[str, Any] | None:
        place = self.work.child(name)
        if not place.exists():
            return None
        content: dict[str, Any] = json.loads(place.read())
        return content


def kept(errors: Sequence[ItemError]) -> tuple[ItemError, ...]:
    """The first errors, as a Progress has them."""
    return tuple(errors[:ERRORS_KEPT])


def told(progress: dict[str, Any]) -> Progress:
    """The Progress that a report tells."""
    return Progress(**{**progress, "errors": tuple(ItemError(**error) for error in progress["errors"])})
