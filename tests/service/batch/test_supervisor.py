"""Jobs in a real service: run, cancelled, stopped, killed with and without it, and gone on with."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from tests.service.batch.jobs_api import JobsApi, wait_until
from tests.service.servers import alive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Serve

FILES = {"a": "1", "hold": "2", "z": "3"}
WANTED = {"predictions.csv": b"a 1\nhold 2\nz 3\n"}


@pytest.fixture
def api(serve: Serve, tmp_path: Path) -> JobsApi:
    api = JobsApi(serve, tmp_path / "service")
    api.inputs("in", **FILES)
    return api


def at_the_gate(api: JobsApi, output: str = "out") -> str:
    """A job that has scored one file and is at the second."""
    job = api.submit("in", output)
    api.reached("hold")
    wait_until(lambda: api.job(job)["mini_batches"]["done"] == 1)
    return job


def test_whatever_is_killed_or_stopped_the_job_completes_and_nothing_differs(api: JobsApi) -> None:
    first = api.start()
    job = at_the_gate(api)
    (runner,) = api.runners()
    assert os.getpriority(os.PRIO_PROCESS, runner) == 19
    assert os.sched_getscheduler(runner) == os.SCHED_IDLE

    os.kill(runner, signal.SIGKILL)
    first.line(f"The process of job {job} broke off: it was killed by SIGKILL")
    runner = reached_again(api, runner)

    first.end(signal.SIGKILL)
    wait_until(lambda: not alive(runner))
    second = api.start()
    runner = reached_again(api, runner)

    assert second.end(signal.SIGTERM) == 0
    assert not alive(runner)
    assert f"Job {job} is stopped" in second.log
    api.open("hold")
    api.start()
    ended = api.ended(job)
    assert (ended["state"], ended["rows"]) == ("completed", {"total": 3, "done": 3, "failed": 0})
    undisturbed = api.ended(api.submit("in", "undisturbed"))
    assert undisturbed["state"] == "completed"
    assert api.contents("out") == api.contents("undisturbed") == WANTED


def reached_again(api: JobsApi, before: int) -> int:
    """Wait until another process is at the gate; its id."""
    (api.gate / "hold.reached").unlink()
    api.reached("hold")
    (runner,) = api.runners()
    assert runner != before
    return runner


def test_a_process_that_breaks_off_again_and_again_is_given_up(api: JobsApi) -> None:
    api.start()
    job = api.submit("in", "out")
    killed: set[int] = set()

    def given_up() -> bool:
        for runner in set(api.runners()) - killed:
            os.kill(runner, signal.SIGKILL)
            killed.add(runner)
        return bool(api.job(job)["state"] == "failed")

    wait_until(given_up)
    ended = api.job(job)
    assert ended["message"].startswith("Its process broke off 4 times in a row without getting further, the last time")
    assert "because it was killed by SIGKILL." in ended["message"]
    assert "memory" in ended["hint"]
    assert len(killed) == 4


def test_so_many_run_so_many_wait_and_what_is_cancelled_leaves_nothing(api: JobsApi) -> None:
    api.start(SCOREWRIGHT_BATCH_MAX_QUEUED="1")
    job = at_the_gate(api)
    waiting = api.submit("in", "out2")
    refused = api.ask("POST", json={"input": "in", "output": "out3"})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    assert refused.json() == {"message": "1 jobs are queued already; there may be 1."}
    assert (api.job(job)["state"], api.job(waiting)["state"]) == ("running", "queued")
    (runner,) = api.runners()
    assert api.ask("DELETE", f"/{waiting}").json()["state"] == "cancelled"

    answer = api.ask("DELETE", f"/{job}")
    assert (answer.status_code, answer.json()["message"]) == (202, "It is being cancelled.")
    ended = api.ended(job)
    assert (ended["state"], ended["results"]) == ("cancelled", [])
    assert ended["message"] == "It was cancelled; what it had scored has been removed."
    assert not (api.data / "out").exists()
    wait_until(lambda: not alive(runner))
    again = api.ask("DELETE", f"/{job}")
    assert (again.status_code, again.json()) == (200, ended)


def test_two_services_on_one_folder_do_not_work_on_the_same_job(api: JobsApi) -> None:
    first = api.start()
    job = at_the_gate(api)
    api.start()
    other = at_the_gate_of_another(api)
    assert api.job(job)["state"] == "running"
    assert len(api.runners()) == 1
    first.end(signal.SIGKILL)
    api.open("hold")
    for one in (job, other):
        assert api.ended(one)["state"] == "completed"
    assert api.contents("out") == WANTED


def at_the_gate_of_another(api: JobsApi) -> str:
    """A second job, that the second service runs as the first is taken."""
    (api.gate / "hold.reached").unlink()
    job = api.submit("in", "other")
    api.reached("hold")
    return job


def test_a_script_that_cannot_start_is_the_jobs_failure(api: JobsApi) -> None:
    api.start(TEST_DRIVER_FAILS="1")
    ended = api.ended(api.submit("in", "out"))
    assert ended["state"] == "failed"
    assert "no model here" in ended["message"]


def test_a_failed_job_is_gone_on_with_by_the_same_request(api: JobsApi) -> None:
    api.inputs("some", a="1", b="", c="3")
    api.start()
    failed = api.ended(api.submit("some", "out", error_threshold=0))
    assert failed["state"] == "failed"
    assert "1 items have failed, and error_threshold is 0" in failed["message"]
    ended = api.ended(api.submit("some", "out", error_threshold=1))
    assert (ended["state"], ended["rows"]) == ("completed", {"total": 3, "done": 2, "failed": 1})
    assert ended["error_count"] == 1
    (error,) = ended["errors"]
    assert error["file"].endswith("b")
    assert api.contents("out") == {"predictions.csv": b"a 1\nc 3\n"}


def test_a_link_to_elsewhere_among_the_input_fails_the_job(api: JobsApi, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (api.data / "in" / "link").symlink_to(tmp_path / "secret")
    api.start()
    ended = api.ended(api.submit("in", "out"))
    assert (ended["state"], ended["results"]) == ("failed", [])
    assert "in/link is not within" in ended["message"]


def test_a_full_disk_is_503_and_nothing_is_lost(api: JobsApi) -> None:
    api.start(SCOREWRIGHT_BATCH_MAX_JOBS="1")
    job = at_the_gate(api)
    size = (api.data / "jobs.sqlite-wal").stat().st_size
    pid = api.server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    answer = api.ask("POST", json={"input": "in", "output": "out2"})
    assert answer.status_code == 503
    assert "jobs.sqlite cannot be used" in answer.json()["message"]
    assert api.job(job)["state"] == "running"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    api.open("hold")
    assert api.ended(job)["state"] == "completed"
    assert api.ask("POST", json={"input": "in", "output": "out2"}).status_code == 202
