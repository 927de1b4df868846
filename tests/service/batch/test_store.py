"""The jobs' database: one truth for many processes, whoever dies when."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scorewright.errors import LocationError, RequestError
from scorewright.service.batch.store import Store
from scorewright.service.batch.stored_job import Asked, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.service.batch.stored_job import StoredJob

ASKED = Asked("in", "out", {"max_retries": 1})
SERVED = Served("tree", "1", "abc", "/bundle", "/bundle")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "data" / "jobs.sqlite")
    yield found
    found.close()


def submit(store: Store, name: str = "out", key: str | None = None, most: int = 100) -> StoredJob:
    return store.submit(Asked("in", name), f"/data/{name}", key, served=None, most_queued=most)[0]


def known(store: Store, job: StoredJob) -> StoredJob:
    found = store.find(job.id)
    assert found is not None
    return found


def test_before_the_first_job_there_is_no_file(store: Store) -> None:
    assert (store.newest(None, 10), store.unfinished(), store.find("x"), store.by_key("k")) == ([], [], None, None)
    assert not store.path.parent.exists()


def test_a_job_is_kept_as_it_was_asked_for(store: Store) -> None:
    job, new = store.submit(ASKED, "/data/out", "key", served=SERVED, most_queued=1)
    assert new
    assert (job.state, job.asked, job.output, job.served) == ("queued", ASKED, "/data/out", SERVED)
    assert job.idempotency_key == "key"
    again = Store(store.path)
    assert again.find(job.id) == job
    again.close()


def test_ids_are_in_the_order_of_submission(store: Store) -> None:
    jobs = [submit(store, f"out-{number}") for number in range(20)]
    assert [job.id for job in store.newest(None, 5)] == sorted((job.id for job in jobs), reverse=True)[:5]
    assert [job.id for job in store.unfinished()] == sorted(job.id for job in jobs)


def test_a_known_key_gives_the_job_and_with_another_request_a_refusal(store: Store) -> None:
    job = submit(store, key="k")
    assert submit(store, key="k") == job
    with pytest.raises(RequestError, match=r"with which job .* was asked for otherwise") as refused:
        submit(store, "other", key="k")
    assert refused.value.status == 409


def test_twenty_at_once_with_one_key_are_one_job(store: Store) -> None:
    stores = [Store(store.path) for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        jobs = list(
            threads.map(lambda one: one.submit(ASKED, "/data/out", "key", served=SERVED, most_queued=100), stores)
        )
    assert len({job.id for job, _ in jobs}) == 1
    assert sum(new for _, new in jobs) == 1
    for one in stores:
        one.close()


@pytest.mark.parametrize("place", ["/data/out", "/data/out/deeper", "/data"])
def test_what_another_job_writes_to_is_taken_until_it_has_ended(place: str, store: Store) -> None:
    first = submit(store)
    with pytest.raises(RequestError, match=f"to which job {first.id} writes") as refused:
        store.submit(ASKED, place, None, served=None, most_queued=100)
    assert refused.value.status == 409
    store.end(first.id, "failed")
    store.submit(ASKED, place, None, served=None, most_queued=100)


def test_the_queue_is_bounded_and_running_jobs_do_not_count(store: Store) -> None:
    first = submit(store, "a", most=2)
    submit(store, "b", most=2)
    with pytest.raises(RequestError, match="2 jobs are queued already; there may be 2") as refused:
        submit(store, "c", most=2)
    assert refused.value.status == 429
    store.claim(first.id)
    submit(store, "c", most=2)


def test_a_job_from_queue_to_end(store: Store) -> None:
    job = submit(store)
    claimed = store.claim(job.id)
    assert claimed is not None
    assert (claimed.state, claimed.interruptions) == ("running", 0)
    assert claimed.started is not None
    store.report(job.id, {"mini_batches_done": 3})
    store.end(job.id, "completed", results=("/data/out/a.parquet",))
    ended = known(store, job)
    assert (ended.state, ended.results, ended.progress) == (
        "completed",
        ("/data/out/a.parquet",),
        {"mini_batches_done": 3},
    )
    store.end(job.id, "failed", message="too late")
    store.report(job.id, {})
    store.requeue(job.id)
    assert known(store, job) == ended
    assert store.claim(job.id) is None


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(store: Store) -> None:
    queued, running, stopped = submit(store, "a"), submit(store, "b"), submit(store, "c")
    for job in (running, stopped):
        store.claim(job.id)
    store.requeue(stopped.id)  # it may have left something, which its process has to remove
    states = {}
    for job in (queued, running, stopped):
        found = store.cancel(job.id)
        assert found is not None
        states[job.id] = (found.state, found.cancelling)
    assert list(states.values()) == [("cancelled", False), ("running", True), ("queued", True)]
    assert [store.cancelling(job.id) for job in (queued, running, stopped)] == [False, True, True]
    assert store.cancel("nothing") is None


def test_runs_that_break_off_are_counted_until_one_gets_further(store: Store) -> None:
    job = submit(store)
    counted = []
    for done in (0, 0, 0, 4, 4):
        claimed = store.claim(job.id)
        assert claimed is not None
        counted.append(claimed.interruptions)
        store.report(job.id, {"mini_batches_done": done})
    store.requeue(job.id)
    claimed = store.claim(job.id)
    assert claimed is not None
    assert [*counted, claimed.interruptions] == [0, 1, 2, 3, 1, 1]


def test_states_are_told_apart(store: Store) -> None:
    job, other = submit(store, "a"), submit(store, "b")
    store.end(other.id, "failed", message="why", hint="what to do")
    assert store.newest("queued", 10) == [known(store, job)]
    (failed,) = store.newest("failed", 10)
    assert (failed.id, failed.message, failed.hint) == (other.id, "why", "what to do")


def _count(path: Path, job_id: str, times: int) -> None:
    store = Store(path)
    for number in range(times):
        store.report(job_id, {"mini_batches_done": number})
        submit(store, f"{os.getpid()}-{number}", most=1000)
    store.close()


def test_several_processes_write_and_none_is_refused(store: Store) -> None:
    job = submit(store)
    store.claim(job.id)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count, args=(store.path, job.id, 25)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert len(store.unfinished()) == 76


ENDLESS = """
    import sys
    from pathlib import Path
    from scorewright.service.batch.store import Store
    from scorewright.service.batch.stored_job import Asked

    store = Store(Path(sys.argv[1]))
    number = 0
    while True:
        asked = Asked("in", f"out{number}")
        job, _ = store.submit(asked, f"/data/{number}", f"key{number}", served=None, most_queued=10**6)
        store.claim(job.id)
        store.end(job.id, "completed")
        print(number, flush=True)
        number += 1
"""


@pytest.mark.parametrize("after", [0, 1, 7])
def test_a_writer_that_is_killed_leaves_whole_jobs(after: int, store: Store) -> None:
    words = [sys.executable, "-c", textwrap.dedent(ENDLESS), str(store.path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(after + 1):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    check = sqlite3.connect(store.path)
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()
    jobs = store.newest(None, 1000)
    assert sum(job.state == "completed" for job in jobs) >= after + 1
    assert sum(job.state != "completed" for job in jobs) <= 1
    submit(store)


FULL = """
    import sys
    from pathlib import Path
    from scorewright.errors import LocationError
    from scorewright.service.batch.store import Store
    from scorewright.service.batch.stored_job import Asked

    store = Store(Path(sys.argv[1]))
    taken = 0
    try:
        while True:
            store.submit(Asked("in", f"out{taken}"), f"/data/{taken}", None, served=None, most_queued=10**6)
            taken += 1
    except LocationError as error:
        print(taken, len(store.unfinished()), error.message)
"""


def test_a_full_disk_refuses_and_keeps_what_was_taken(store: Store) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    words = [sys.executable, "-c", textwrap.dedent(FULL), str(store.path)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True, preexec_fn=limit)
    taken, left, message = ran.stdout.split(maxsplit=2)
    assert int(taken) == int(left) == len(store.unfinished()) > 5
    assert message.startswith(f"The jobs' database {store.path} cannot be used: ")
    submit(store)


def test_a_file_that_was_not_set_up_before_its_process_was_killed_is_set_up(store: Store) -> None:
    store.path.parent.mkdir()
    store.path.touch()
    assert store.unfinished() == []
    submit(store)


def test_what_is_no_database_is_said_to_be_none(store: Store) -> None:
    store.path.parent.mkdir()
    store.path.write_text("no database, and long enough to be none" * 10)
    with pytest.raises(LocationError, match="file is not a database") as refused:
        store.unfinished()
    assert "must be writable" in refused.value.hint


def test_a_database_of_another_version_is_left_alone(store: Store) -> None:
    submit(store)
    with sqlite3.connect(store.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    other = Store(store.path)
    with pytest.raises(LocationError, match="it has the form 99"):
        other.unfinished()
