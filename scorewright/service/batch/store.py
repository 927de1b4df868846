"""The jobs in their database: one SQLite file that fronts, the main process and the jobs' processes share.

Every change is one transaction, so that whoever is killed when, a job is in one state. Nothing is created before the
first job is submitted.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from scorewright.errors import LocationError, RequestError
from scorewright.service.batch.stored_job import Asked, Served, StoredJob, same_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.service.batch.stored_job import State

BUSY_SECONDS = 15.0
"""How long a transaction may wait for another process's."""

SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    output TEXT NOT NULL,
    served TEXT NOT NULL,
    idempotency_key TEXT UNIQUE,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    interruptions INTEGER NOT NULL DEFAULT 0,
    mini_batches_before INTEGER NOT NULL DEFAULT 0,
    cancel INTEGER NOT NULL DEFAULT 0,
    progress TEXT NOT NULL DEFAULT '{}',
    results TEXT NOT NULL DEFAULT '[]',
    message TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT ''
)
"""
_INDEX = "CREATE INDEX jobs_by_state ON jobs (state, id)"
_UNFINISHED = "state IN ('queued', 'running')"


class Store:
    """The database. Its methods may be called by any thread, and raise LocationError if it cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def submit(
        self, asked: Asked, output: str, key: str | None, *, served: Served | None, most_queued: int
    ) -> tuple[StoredJob, bool]:
        """The job, and whether it is new: a key that is known gives the job that it was first given with.

        Raises RequestError 409 if the key came with another request, or an unfinished job writes to the same place,
        and 429 if `most_queued` jobs are queued.
        """
        with self._transaction(create=True) as database:
            if key is not None and (known := self._by_key(database, key)) is not None:
                return same_request(known, asked), False
            taken = f"SELECT id, output FROM jobs WHERE {_UNFINISHED}"  # noqa: S608  # a constant
            for other, place in database.execute(taken).fetchall():
                if _overlap(output, place):
                    raise RequestError(409, f"output is {asked.output!r}, to which job {other} writes.")
            (queued,) = database.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone()
            if queued >= most_queued:
                raise RequestError(429, f"{queued} jobs are queued already; there may be {most_queued}.")
            now = time.time()
            job_id = _new_id(now)
            database.execute(
                "INSERT INTO jobs (id, state, request, output, served, idempotency_key, created)"
                " VALUES (?, 'queued', ?, ?, ?, ?, ?)",
                (job_id, asked.to_json(), output, json.dumps(served and asdict(served)), key, now),
            )
            return self._get(database, job_id), True

    def by_key(self, key: str) -> StoredJob | None:
        """The job that was submitted with an idempotency key."""
        with self._reading() as database:
            return None if database is None else self._by_key(database, key)

    def find(self, job_id: str) -> StoredJob | None:
        """A job by its id."""
        with self._reading() as database:
            if database is None:
                return None
            row = database.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
            return None if row is None else _of(row)

    def newest(self, state: State | None, limit: int) -> list[StoredJob]:
        """Jobs, of one state if given, the newest first."""
        condition, values = ("WHERE state = ?", [state]) if state else ("", [])
        with self._reading() as database:
            if database is None:
                return []
            # The condition is one of two constants.
            query = f"SELECT * FROM jobs {condition} ORDER BY id DESC LIMIT ?"  # noqa: S608
            return [_of(row) for row in database.execute(query, [*values, limit])]

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state; states that none is in are left out."""
        with self._reading() as database:
            if database is None:
                return {}
            rows = database.execute("SELECT state, COUNT(*) AS jobs FROM jobs GROUP BY state")
            return {row["state"]: row["jobs"] for row in rows}

    def unfinished(self) -> list[StoredJob]:
        """Jobs that are queued or running, the oldest first."""
        with self._reading() as database:
            if database is None:
                return []
            query = f"SELECT * FROM jobs WHERE {_UNFINISHED} ORDER BY id"  # noqa: S608  # a constant
            return [_of(row) for row in database.execute(query)]

    def cancel(self, job_id: str) -> StoredJob | None:
        """Ask a job to end: at once if it is queued and has left nothing, else by the process that runs it."""
        with self._transaction() as database:
            database.execute(
                "UPDATE jobs SET state = 'cancelled', ended = ?, message = 'It was cancelled before it began.'"
                " WHERE id = ? AND state = 'queued' AND started IS NULL",
                (time.time(), job_id),
            )
            database.execute(f"UPDATE jobs SET cancel = 1 WHERE id = ? AND {_UNFINISHED}", (job_id,))  # noqa: S608
            row = database.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
            return None if row is None else _of(row)

    def cancelling(self, job_id: str) -> bool:
        """Whether a job is asked to end."""
        with self._reading() as database:
            if database is None:
                return False
            row = database.execute("SELECT cancel FROM jobs WHERE id = ?", (job_id,)).fetchone()
            return row is not None and bool(row["cancel"])

    def claim(self, job_id: str) -> StoredJob | None:
        """Make a queued job a running one, or a running one whose process is gone one that runs again.

        None if the job has ended meanwhile.
        """
        with self._transaction() as database:
            job = self._get(database, job_id)
            if not job.unfinished:
                return None
            done = int(job.progress.get("mini_batches_done", 0))
            database.execute(
                "UPDATE jobs SET state = 'running', started = coalesce(started, ?),"
                " interruptions = CASE WHEN state = 'queued' THEN interruptions"
                " WHEN ? > mini_batches_before THEN 1 ELSE interruptions + 1 END,"
                " mini_batches_before = ? WHERE id = ?",
                (time.time(), done, done, job_id),
            )
            return self._get(database, job_id)

    def requeue(self, job_id: str) -> None:
        """Let a running job that was stopped with the service be gone on with; that is no interruption."""
        self._change("UPDATE jobs SET state = 'queued' WHERE id = ? AND state = 'running'", (job_id,))

    def report(self, job_id: str, progress: dict[str, Any]) -> None:
        """How far a running job is."""
        self._change("UPDATE jobs SET progress = ? WHERE id = ? AND state = 'running'", (json.dumps(progress), job_id))

    def end(
        self, job_id: str, state: State, *, results: tuple[str, ...] = (), message: str = "", hint: str = ""
    ) -> None:
        """The last state of a job that has not ended yet."""
        self._change(
            "UPDATE jobs SET state = ?, ended = ?, results = ?, message = ?, hint = ?"  # noqa: S608  # a constant
            f" WHERE id = ? AND {_UNFINISHED}",
            (state, time.time(), json.dumps(results), message, hint, job_id),
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _change(self, statement: str, values: tuple[object, ...]) -> None:
        with self._transaction() as database:
            database.execute(statement, values)

    def _by_key(self, database: sqlite3.Connection, key: str) -> StoredJob | None:
        row = database.execute("SELECT * FROM jobs WHERE idempotency_key = ?", (key,)).fetchone()
        return None if row is None else _of(row)

    def _get(self, database: sqlite3.Connection, job_id: str) -> StoredJob:
        return _of(database.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone())

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """The database, if there is one."""
        if self._open is None and not self.path.is_file():
            yield None
            return
        with self._connection() as database:
            yield database

    @contextlib.contextmanager
    def _transaction(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        with self._connection(create=create) as database, _atomic(database):
            yield database

    @contextlib.contextmanager
    def _connection(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._open is None:
                    self._open = self._connect(create=create)
                yield self._open
            except (sqlite3.Error, OSError) as error:
                raise LocationError(
                    f"The jobs' database {self.path} cannot be used: {error}.",
                    hint="Its folder must be writable for the service, on a disk of this machine that is not full.",
                ) from error

    def _connect(self, *, create: bool) -> sqlite3.Connection:
        if create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
        )
        try:
            database.row_factory = sqlite3.Row
            # Readers and the one writer do not wait for each other.
            database.execute("PRAGMA journal_mode = WAL")
            # A job that was answered 202 is there after a power cut, too.
            database.execute("PRAGMA synchronous = FULL")
            self._set_up(database)
        except BaseException:
            database.close()
            raise
        return database

    def _set_up(self, database: sqlite3.Connection) -> None:
        if _version(database) == 0:
            with _atomic(database):
                # Another process may have been quicker.
                if _version(database) == 0:
                    database.execute(_SCHEMA)
                    database.execute(_INDEX)
                    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if (found := _version(database)) != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it has the form {found}, this version of scorewright knows {SCHEMA_VERSION}")


@contextlib.contextmanager
def _atomic(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # After some errors, such as a full disk, SQLite has rolled back by itself.
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _new_id(now: float) -> str:
    """Sorted as text, ids are in the order of their times."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{moment}-{int(now * 1000) % 1000:03d}-{secrets.token_hex(4)}"


def _overlap(one: str, other: str) -> bool:
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)


def _of(row: sqlite3.Row) -> StoredJob:
    return StoredJob(
        id=row["id"],
        state=cast("State", row["state"]),
        asked=Asked(**json.loads(row["request"])),
        output=row["output"],
        served=None if (served := json.loads(row["served"])) is None else Served(**served),
        idempotency_key=row["idempotency_key"],
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
        interruptions=row["interruptions"],
        cancelling=bool(row["cancel"]),
        progress=json.loads(row["progress"]),
        results=tuple(json.loads(row["results"])),
        message=row["message"],
        hint=row["hint"],
    )
