"""What the jobs' routes do: take a job or refuse it, tell of jobs, cancel one, find a result. Blocks; for threads."""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from scorewright.errors import ForbiddenLocationError, LocationError, RequestError, UsageError
from scorewright.service.batch import model
from scorewright.service.batch.answers import BatchJobRequest, result_name
from scorewright.service.batch.settings import BatchSettings
from scorewright.service.batch.stored_job import Asked, same_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.service.batch.roots import Roots
    from scorewright.service.batch.store import Store
    from scorewright.service.batch.stored_job import State, StoredJob
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

LONGEST_KEY = 200
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}")


class Jobs:
    """Every method raises RequestError with the status that answers the client."""

    def __init__(self, target: Target, settings: Settings, roots: Roots) -> None:
        self._target = target
        self._settings = settings
        self._roots = roots

    @functools.cached_property
    def _store(self) -> Store:
        # A service without jobs has no use for SQLite.
        from scorewright.service.batch.store import Store

        return Store(self._roots.database)

    def submit(self, body: bytes, key: str | None) -> tuple[StoredJob, bool]:
        """Take a job; it, and whether it is new."""
        if key is not None and not _KEY.fullmatch(key):
            raise RequestError(400, f"Idempotency-Key must be 1 to {LONGEST_KEY} visible ASCII characters.")
        model.require(self._target, self._settings)
        asked = _asked(body)
        with _usable():
            if (known := self._known(key, asked)) is not None:
                return known, False
            try:
                output = self._places(asked)
            except RequestError:
                # The same request may have been taken meanwhile, and its job begun to write.
                if (known := self._known(key, asked)) is not None:
                    return known, False
                raise
            served = model.served(self._target, self._settings)
            return self._store.submit(asked, output, key, served=served, most_queued=self._settings.batch_max_queued)

    def newest(self, state: State | None, limit: int) -> list[StoredJob]:
        """Jobs, the newest first."""
        with _usable():
            return self._store.newest(state, limit)

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state that some are in."""
        if not self._roots.database.is_file():
            return {}
        with _usable():
            return self._store.counts()

    def find(self, job_id: str) -> StoredJob:
        """A job."""
        with _usable():
            return _there(job_id, self._store.find(job_id))

    def cancel(self, job_id: str) -> StoredJob:
        """Ask a job to end, if it has not."""
        with _usable():
            job = _there(job_id, self._store.find(job_id))
            return _there(job_id, self._store.cancel(job_id)) if job.unfinished else job

    def result(self, job_id: str, name: str) -> str:
        """Where a result of a job is, by its name."""
        job = self.find(job_id)
        found = next((location for location in job.results if result_name(location) == name), None)
        if found is None:
            named = ", ".join(result_name(location) for location in job.results)
            raise RequestError(
                404, f"Job {job_id} is {job.state}; " + (f"it has {named}." if named else "it has no results.")
            )
        try:
            self._roots.check(found)
        except LocationError as error:
            raise RequestError(403, error.message) from error
        with _usable():
            from scorewright.service.batch.location import Location

            if not Location.of(found).exists():
                raise RequestError(404, f"{found} has been removed since job {job_id} wrote it.")
        return found

    def _known(self, key: str | None, asked: Asked) -> StoredJob | None:
        known = None if key is None else self._store.by_key(key)
        return None if known is None else same_request(known, asked)

    def _places(self, asked: Asked) -> str:
        """The output's location, if there is something at the input and nothing at the output."""
        try:
            source, output = self._roots.input(asked.input), self._roots.output(asked.output)
        except ForbiddenLocationError as error:
            raise RequestError(403, f"{error.message} {error.hint}") from error
        except LocationError as error:
            raise RequestError(400, f"{error.message} {error.hint}") from error
        if (
            "://" not in source
            and not os.path.lexists(source)
            and next(glob.iglob(source, recursive=True), None) is None  # noqa: PTH207  # a location is text
        ):
            raise RequestError(404, f"input is {asked.input!r}: there is nothing at {source}.")
        if f"{output}/".startswith(f"{source}/") or f"{source}/".startswith(f"{output}/"):
            raise RequestError(409, f"input is {asked.input!r} and output {asked.output!r}: one is within the other.")
        if "://" not in output and os.path.lexists(output) and not _free(output):
            raise RequestError(409, f"output is {asked.output!r}, which exists. Name a new folder, or an empty one.")
        return output


@contextlib.contextmanager
def _usable() -> Iterator[None]:
    """What is wrong with the database is no client's fault."""
    try:
        yield
    except LocationError as error:
        raise RequestError(503, f"{error.message} {error.hint}") from error


def _there(job_id: str, job: StoredJob | None) -> StoredJob:
    if job is None:
        raise RequestError(404, f"There is no job {job_id[:100]!r}.")
    return job


def _asked(body: bytes) -> Asked:
    try:
        request = BatchJobRequest.model_validate_json(body)
        settings = BatchSettings.of(**request.settings)
    except ValidationError as error:
        raise RequestError(400, _explain(error)) from error
    except UsageError as error:
        # Two that contradict each other are each well formed.
        raise RequestError(400, f"settings: {error.message}") from error
    return Asked(request.input, request.output, settings.model_dump(mode="json", exclude_unset=True))


def _explain(error: ValidationError) -> str:
    faults = []
    for fault in error.errors():
        place = ".".join(str(step) for step in fault["loc"]) or "the body"
        words = fault["msg"]
        if fault["type"] == "extra_forbidden":
            words = f"there is no such field; there are {', '.join(BatchJobRequest.model_fields)}"
        faults.append(f"{place}: {words[0].lower()}{words[1:]}")
    return "; ".join(faults) + "."


def _free(path: str) -> bool:
    """Whether a folder is empty but for what a job left that did not complete: the same job goes on with that."""
    from scorewright.service.batch.folder import NAME, JobFolder
    from scorewright.service.batch.location import Location

    try:
        names = os.listdir(path)  # noqa: PTH208  # a location is text
    except OSError:
        return False
    return not names or (names == [NAME] and JobFolder(Location.of(path)).report() is None)
