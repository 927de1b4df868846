"""The process that works on one job of the service.

Started by the service as `python -m scorewright.service.batch.job_process DATABASE JOB_ID`; the first line of its
stdin is JSON and says what scores and where the job may read and write. It ends, with all that it has started, when
stdin does: the service has gone, and the next one goes on with the job. SIGTERM leaves the job to be gone on with, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from scorewright.bundle import Bundle
from scorewright.errors import BatchCancelledError, BatchError, BundleError, LocationError, ScorewrightError
from scorewright.service.batch import job_lock, priority
from scorewright.service.batch.pace import Pace
from scorewright.service.batch.settings import BatchSettings
from scorewright.service.batch.store import Store
from scorewright.service.batch.told import HELD_ELSEWHERE, Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.service.batch.progress import Progress
    from scorewright.service.batch.stored_job import Served, StoredJob

REPORT_SECONDS = 0.5
"""How often the database is told how far the job is, and asked whether it is to end."""

LAST_WORD_TRIES = 30
"""How often it is tried, a second apart, to write down how the job ended; if it fails, the job is run again."""


def main() -> int:
    """Work on the job; the exit code is the process's. 0 if how it ended is in the database."""
    database, job_id = Path(sys.argv[1]), sys.argv[2]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    if not line:
        return 1
    told = Told.of_json(line)
    threading.Thread(target=_follow_parent, daemon=True).start()
    priority.lower()
    store = Store(database)
    with job_lock.held(told.roots.own_folder, job_id) as ours:
        if not ours:
            return HELD_ELSEWHERE
        job = store.find(job_id)
        if job is not None and job.state == "running":
            _Work(store, job, told, stop).run()
    return 0


def _follow_parent() -> None:
    # Not sys.stdin: at the interpreter's end a thread that waits in it would be in the way.
    while os.read(0, 4096):
        pass
    # Nothing of this job may be at work when another process takes it over; all it has started is in its group.
    os.killpg(0, signal.SIGKILL)


class _Work:
    """One run of a job."""

    def __init__(self, store: Store, job: StoredJob, told: Told, stop: threading.Event) -> None:
        self._store = store
        self._job = job
        self._told = told
        self._stop = stop
        self._pace = Pace()
        self._latest: Progress | None = None
        self._untold = False
        self._next_report = 0.0
        self._next_question = 0.0
        self._cancelled = False

    def run(self) -> None:
        """Run the job to its end, and write down how it ended. Any other exception than a ScorewrightError passes."""
        # Only now: what takes long to load gives way, too.
        from scorewright.service.batch.job import Job, run
        from scorewright.service.batch.source import Source

        job, told = self._job, self._told
        try:
            roots = told.roots
            if self._asked_to_end():
                raise BatchCancelledError("cancelled")
            if told.bundle is not None:
                _require_there(told.bundle)
            summary = run(
                Job(
                    source=Source(
                        bundle=None if told.bundle is None else Path(told.bundle.root),
                        entry_script=None if told.entry_script is None else Path(told.entry_script),
                        model_dir=told.model_dir,
                        allow_version_skew=told.allow_version_skew,
                    ),
                    input=roots.input(job.asked.input),
                    output=roots.output(job.asked.output),
                    settings=BatchSettings.of(**job.asked.settings),
                    resume=True,
                ),
                on_progress=self._report,
                cancelled=self._asked_to_end,
                permitted=roots.check,
            )
        except BatchCancelledError:
            self._interrupted()
        except ScorewrightError as error:
            self._flush()
            message, hint = error.message, error.hint
            self._end(lambda: self._store.end(job.id, "failed", message=message, hint=hint))
        else:
            self._report(summary.progress)
            self._flush()
            self._end(lambda: self._store.end(job.id, "completed", results=summary.results))

    def _interrupted(self) -> None:
        if not self._cancelled:
            self._flush()
            self._end(lambda: self._store.requeue(self._job.id))
            return
        message, hint = "It was cancelled; what it had scored has been removed.", ""
        try:
            self._remove()
        except ScorewrightError as error:
            message, hint = f"It was cancelled, and what it had scored is still there: {error.message}", error.hint
        self._end(lambda: self._store.end(self._job.id, "cancelled", message=message, hint=hint))

    def _remove(self) -> None:
        """Remove what the job has left at its output. Nothing else is there: it is put there in the end."""
        from scorewright.service.batch.folder import NAME
        from scorewright.service.batch.location import Location

        output = Location.of(self._told.roots.output(self._job.asked.output))
        output.child(NAME).remove()
        if not output.names():
            # The folder may be somebody's mount.
            with contextlib.suppress(LocationError):
                output.remove()

    def _asked_to_end(self) -> bool:
        now = time.monotonic()
        if not self._cancelled and now >= self._next_question:
            self._next_question = now + REPORT_SECONDS
            # A question that is not answered is asked again.
            with contextlib.suppress(LocationError):
                self._cancelled = self._store.cancelling(self._job.id)
            if self._untold:
                self._flush()
        return self._cancelled or self._stop.is_set()

    def _report(self, progress: Progress) -> None:
        changed = self._latest is None or self._latest.step != progress.step
        self._latest = progress
        self._untold = True
        self._pace.see(progress)
        if changed or time.monotonic() >= self._next_report:
            self._flush()

    def _flush(self) -> None:
        if self._latest is None:
            return
        self._next_report = time.monotonic() + REPORT_SECONDS
        try:
            pace = {"rows_per_second": self._pace.rows_per_second, "seconds_left": self._pace.seconds_left}
            self._store.report(self._job.id, {**asdict(self._latest), **pace})
        except LocationError as error:
            # The work does not depend on it, and the next report says more.
            sys.stderr.write(f"{error.message}\n")
        else:
            self._untold = False

    def _end(self, write: Callable[[], None]) -> None:
        """Write the last word, however long the database cannot be written. Raises LocationError in the end."""
        for _ in range(LAST_WORD_TRIES):
            try:
                write()
            except LocationError as error:
                sys.stderr.write(f"{error.message}\n")
                time.sleep(1)
            else:
                return
        write()


def _require_there(accepted: Served) -> None:
    """Raise BatchError if the bundle that a job was accepted for is not to be had any more."""
    try:
        found = Bundle.load(accepted.root, model_dir=accepted.model_dir).digest
        why = "another bundle is there now"
    except BundleError as error:
        found, why = "", error.message
    if found != accepted.sha256:
        raise BatchError(
            f"The job was accepted for {accepted.title}, which is not in {accepted.root} any more: {why}.",
            hint="Submit it again to have it scored by what is served now, to another output if it had begun.",
        )


if __name__ == "__main__":
    sys.exit(main())
