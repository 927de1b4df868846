"""Sees to it that every job that was submitted is worked on, by a process of its own, until it has ended.

It is part of the service's main process, since a look costs next to nothing. Any front may have taken a job, and an
earlier service may have left some, so it looks into the database; while there is none, that is one stat().
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from scorewright.errors import LocationError
from scorewright.service.batch import job_lock, model
from scorewright.service.batch.told import HELD_ELSEWHERE
from scorewright.service.child import Child, outcome

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from scorewright.service.batch.roots import Roots
    from scorewright.service.batch.store import Store
    from scorewright.service.batch.stored_job import StoredJob
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

LOOK_SECONDS = 0.5

OBEY_SECONDS = 5.0
"""How long a job's process may take to stop with the service."""

MOST_INTERRUPTIONS = 4
"""Runs in a row that may break off without getting further, before a job has failed."""

FIRST_WAIT_SECONDS = 0.5
"""How long after a run broke off the next begins: it doubles while that does not help."""

LAST_LINES = 5
_TAIL_BYTES = 4096


class Supervisor:
    """Runs at most `batch_max_jobs` at once."""

    def __init__(self, settings: Settings, target: Target, roots: Roots, logger: logging.Logger) -> None:
        self._settings = settings
        self._target = target
        self._roots = roots
        self._log = logger
        self._running: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, Child] = {}
        self._store: Store | None = None
        self._trouble = ""
        self._task = asyncio.create_task(self._watch())

    def serve(self, target: Target) -> None:
        """This is served from now on. Jobs that were accepted for another bundle keep to that."""
        self._target = target

    async def stop(self) -> None:
        """Stop all work; what has not ended is gone on with by the next service."""
        self._task.cancel()
        for task in self._running.values():
            task.cancel()
        exits = {process.exit: (job_id, process) for job_id, process in self._processes.items()}
        for job_id, process in exits.values():
            self._log.info("Job %s is stopped; it is gone on with when the service starts again.", job_id)
            process.end()
        if exits:
            await asyncio.wait(exits, timeout=OBEY_SECONDS)
        for ended, (job_id, process) in exits.items():
            _kill_all(process)
            await ended
            if self._store is not None:
                # If it cannot be said now, the next service finds out.
                with contextlib.suppress(LocationError):
                    await asyncio.to_thread(self._store.requeue, job_id)
        if self._store is not None:
            self._store.close()

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except LocationError as error:
                if error.message != self._trouble:
                    self._log.error("No job can be begun: %s %s", error.message, error.hint)
                self._trouble = error.message
            except Exception:
                # The jobs of other times must not wait for ever for one that is special.
                self._log.exception("Looking after the jobs has failed; it is tried again.")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        if self._store is None:
            if not self._roots.database.is_file():
                return
            # SQLite is loaded by those who have jobs.
            from scorewright.service.batch.store import Store

            self._store = Store(self._roots.database)
        store = self._store
        waiting = await asyncio.to_thread(store.unfinished)
        self._trouble = ""
        for job in waiting:
            if len(self._running) >= self._settings.batch_max_jobs:
                return
            if job.id not in self._running and await asyncio.to_thread(self._begin, store, job):
                self._running[job.id] = asyncio.create_task(self._follow(store, job))
                self._running[job.id].add_done_callback(functools.partial(self._followed, job.id))

    def _begin(self, store: Store, job: StoredJob) -> bool:
        """Claim a job if no process is at work on it, of this service or another one; whether it is to be run."""
        try:
            with job_lock.held(self._roots.own_folder, job.id) as free:
                if not free:
                    return False
        except OSError as error:
            raise LocationError(
                f"{self._roots.own_folder} cannot be written to: {error.strerror}.", hint="Mend its folder's rights."
            ) from error
        claimed = store.claim(job.id)
        if claimed is None:
            return False
        if claimed.interruptions >= MOST_INTERRUPTIONS:
            self._give_up(store, claimed, "with the service")
            return False
        return True

    def _give_up(self, store: Store, job: StoredJob, how: str) -> None:
        store.end(
            job.id,
            "failed",
            message=f"Its process broke off {MOST_INTERRUPTIONS} times in a row without getting further, the last time "
            f"{how}.{_last_lines(self._log_file(job.id))}",
            hint="Most often memory is short: give the machine more, or make mini_batch_size smaller.",
        )
        self._log.error("Job %s has failed: its process broke off again and again.", job.id)

    async def _follow(self, store: Store, job: StoredJob) -> None:
        """From the start to the end of a job's process."""
        job_id = job.id
        try:
            process = self._spawn(job)
        except OSError as error:
            self._log.error("The process of job %s cannot be started: %s", job_id, error)
            await asyncio.sleep(FIRST_WAIT_SECONDS)
        else:
            self._processes[job_id] = process
            self._log.info("Job %s runs in process %d.", job_id, process.pid)
            code = await asyncio.shield(process.exit)
            # What it has started must not outlive it.
            _kill_all(process)
            del self._processes[job_id]
            if code == HELD_ELSEWHERE:
                await asyncio.sleep(FIRST_WAIT_SECONDS)
            else:
                await self._ended(store, job_id, code)

    def _followed(self, job_id: str, task: asyncio.Task[None]) -> None:
        del self._running[job_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("Job %s could not be followed; it is looked at again.", job_id, exc_info=error)

    async def _ended(self, store: Store, job_id: str, code: int) -> None:
        job = None
        with contextlib.suppress(LocationError):
            job = await asyncio.to_thread(store.find, job_id)
        if job is not None and not job.unfinished:
            self._log.info("Job %s is %s.%s", job_id, job.state, f" {job.message}" if job.message else "")
            return
        broken_off = job.interruptions + 1 if job is not None else 1
        if job is not None and broken_off >= MOST_INTERRUPTIONS:
            with contextlib.suppress(LocationError):
                await asyncio.to_thread(self._give_up, store, job, f"because {outcome(code)}")
            return
        wait = FIRST_WAIT_SECONDS * 2 ** (broken_off - 1)
        said = _last_lines(self._log_file(job_id))
        self._log.error(
            "The process of job %s broke off: %s. It is run again in %g s.%s", job_id, outcome(code), wait, said
        )
        await asyncio.sleep(wait)

    def _spawn(self, job: StoredJob) -> Child:
        """Start the process. Its stdin is open as long as this one lives."""
        job_id = job.id
        with self._log_file(job_id).open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "scorewright.service.batch.job_process"),
                    *(str(self._roots.database), job_id),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._target.environment(self._settings),
                # A group of its own: it is ended with all that it has started. Not a session: Linux shares processor
                # time among sessions first (sched_autogroup), and low priority counts within one only.
                process_group=0,
            )
        told = model.told(self._target, self._settings, self._roots, job.served).to_json()
        if process.stdin is not None:
            # It may be dead already; whoever waits for it will see.
            with contextlib.suppress(OSError):
                process.stdin.write(told.encode() + b"\n")
                process.stdin.flush()
        return Child(process)

    def _log_file(self, job_id: str) -> Path:
        return self._roots.own_folder / f"{job_id}.log"


def _kill_all(process: Child) -> None:
    """End a job's process, and all that it has started and is left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_lines(file: Path) -> str:
    """The end of a log, to be added to a message."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:]
    except OSError:
        return ""
    return " Its last lines: " + " | ".join(lines) if lines else ""
