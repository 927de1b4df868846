"""The rehearsal process: whatever a script does to it, the step that failed is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.score.rehearsal import rehearse

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.score.rehearsal import Step

SCRIPT = """
import atexit, os, sys, threading
{top}

def init():
    {init}

def run(raw_data):
    {run}
    return {{"echo": raw_data}}

def run_many(raw_requests):
    return [run(raw) for raw in raw_requests]
"""


def steps(folder: Path, *, top: str = "", init: str = "pass", run: str = "pass") -> list[Step]:
    """The steps of a script without a batch script, with these lines in it."""
    (folder / "score.py").write_text(SCRIPT.format(top=top, init=init, run=run))
    return list(rehearse(folder, folder, ['{"data": 1}'], None, allow_version_skew=False))


def test_every_step_is_told_with_its_result(tmp_path: Path) -> None:
    told = steps(tmp_path)
    assert [step.name for step in told] == ["init", "run", "run_many"]
    assert [step.result for step in told[1:]] == [[[200, {"echo": '{"data": 1}'}]]] * 2
    assert all(step.memory > 1e6 and not step.error for step in told)


@pytest.mark.parametrize("code", [0, 7])
def test_a_process_that_ends_is_no_success(code: int, tmp_path: Path) -> None:
    (last,) = steps(tmp_path, init=f"print('so far'); os._exit({code})")
    assert (last.name, last.error, last.output) == ("init", f"the process ended with exit code {code}", "so far")
    last = steps(tmp_path, run=f"os._exit({code})")[-1]
    assert (last.name, last.error) == ("run", f"the process ended with exit code {code}")


def test_a_signal_is_told_by_its_number(tmp_path: Path) -> None:
    last = steps(tmp_path, run="os.kill(os.getpid(), 11)")[-1]
    assert (last.name, last.error) == ("run", "the process was killed by signal 11")


@pytest.mark.parametrize("end", ["sys.exit(0)", "raise KeyError('x')", "raise SystemExit"])
def test_what_is_raised_is_the_steps_error(end: str, tmp_path: Path) -> None:
    last = steps(tmp_path, run=end)[-1]
    assert last.name == "run"
    assert "Traceback" in last.error


def test_what_the_script_prints_is_no_report(tmp_path: Path) -> None:
    told = steps(tmp_path, run="""print('{"name": "run"}', flush=True)""")
    assert [step.name for step in told] == ["init", "run", "run_many"]


def test_a_thread_that_does_not_end_is_not_waited_for(tmp_path: Path) -> None:
    told = steps(tmp_path, init="threading.Thread(target=threading.Event().wait).start()")
    assert [step.name for step in told] == ["init", "run", "run_many"]
