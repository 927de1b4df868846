"""Killed at any point and gone on with, a job leaves what an undisturbed one does, byte for byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service.batch.cluster import dask_cluster

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPTS = Path(__file__).parent / "scripts"
STEPS = int(os.environ.get("SCOREWRIGHT_KILLS", "6"))
"""At how many of the steps a job is killed; 0 is at every one."""
WAIT_SECONDS = 60.0


def words(folder: Path, output: str, script: str, *more: str) -> list[str]:
    named = ["--entry-script", str(SCRIPTS / script), "--input", str(folder / "in"), "--output", str(folder / output)]
    return [sys.executable, "-m", "scorewright", "batch", "run", *named, "--mini-batch-size", "1", *more]


def finished(command: list[str], env: Mapping[str, str] | None = None) -> int:
    return subprocess.run(
        command, env={**os.environ, **(env or {})}, capture_output=True, check=False, timeout=120
    ).returncode


def contents(folder: Path) -> dict[str, bytes]:
    """The results: all files but those of the job's own folder."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "_scorewright" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths)}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"f{number}").write_text(str(number))
    return tmp_path


def killing(folder: Path, nth: int) -> dict[str, str]:
    counts = folder / f"counts{nth}"
    return {
        "PYTHONPATH": f"{SCRIPTS / 'killing'}:{os.environ.get('PYTHONPATH', '')}",
        "KILL_ROOT": str(folder / f"out{nth}"),
        "KILL_COUNTS": str(counts),
        "KILL_NTH": str(nth),
    }


@pytest.mark.timeout(1800)
def test_killed_at_the_nth_step_for_every_n(inputs: Path) -> None:
    """Each step that makes, renames or removes something at the output, in whichever process takes it."""
    # Counted by a run in which none is the last.
    assert finished(words(inputs, "out0", "doubles.py"), killing(inputs, 0)) == 0
    steps = (inputs / "counts0").stat().st_size // 200
    wanted = contents(inputs / "out0")
    assert sorted(wanted) == ["copies/f0", "copies/f1", "copies/f2", "predictions.csv"]
    assert wanted["predictions.csv"] == b"f0 0\nf1 2\nf2 4\n"
    assert steps > 30
    chosen = range(1, steps + 1) if not STEPS else sorted({1 + steps * number // STEPS for number in range(STEPS)})
    for nth in chosen:
        code = finished(words(inputs, f"out{nth}", "doubles.py"), killing(inputs, nth))
        taken = (inputs / f"counts{nth}").read_bytes()[-200:].decode().strip()
        # A script's process is replaced; with any other the command ends, and is given again.
        assert code in (0, -signal.SIGKILL), f"killed at step {nth} ({taken}) it ended with {code}"
        if code:
            code = finished(words(inputs, f"out{nth}", "doubles.py", "--resume"))
        assert code == 0, f"killed at step {nth} ({taken}), it does not resume"
        assert contents(inputs / f"out{nth}") == wanted, f"killed at step {nth} ({taken}), the output differs"
        left = {path.name for path in (inputs / f"out{nth}" / "_scorewright").iterdir()}
        assert left <= {"lock", "logs", "report.json"}, f"killed at step {nth} ({taken}), {left} is left"


def test_workers_of_a_cluster_that_are_lost_cost_only_their_mini_batches_time(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    seen = tmp_path / "seen"
    seen.mkdir()
    for number in range(6):
        (tmp_path / "in" / f"f{number}").write_text("wait")
    (tmp_path / "dask").mkdir()
    with dask_cluster(tmp_path / "dask", 2) as cluster:
        command = words(tmp_path, "out", "told.py", "--scheduler", cluster.address, "--timeout", "60", "--json")
        job = subprocess.Popen([*command, "--", str(seen)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        await_count(seen, 2)
        for worker in list(cluster.workers):
            worker.kill()
        cluster.add_worker()
        # What they were at is begun again by the one that comes after them.
        (seen / "go").touch()
        out, err = job.communicate(timeout=WAIT_SECONDS)
    assert job.returncode == 0, err.decode()
    assert (tmp_path / "out" / "predictions.csv").read_text() == "".join(f"f{number} wait\n" for number in range(6))
    assert b'"items_failed": 0' in out


def await_count(folder: Path, count: int) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while len(list(folder.iterdir())) < count:
        assert time.monotonic() < until
        time.sleep(0.02)
