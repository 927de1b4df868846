"""`scorewright batch run` as a user has it: real processes, files and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.command import Command

ROOT = Path(__file__).parent.parent
TOLD = ROOT / "tests" / "service" / "batch" / "scripts" / "told.py"
WAIT_SECONDS = 60.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with an input of five files."""
    (tmp_path / "in").mkdir()
    (tmp_path / "seen").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"f{number}.txt").write_text("ok")
    return tmp_path


def words(data: Path, *more: str, output: Path | None = None) -> list[str]:
    named = ["--entry-script", str(TOLD), "--input", str(data / "in"), "--output", str(output or data / "out")]
    return ["batch", "run", *named, *more, "--", str(data / "seen")]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scorewright", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_it_says_what_it_did(data: Path) -> None:
    (data / "in" / "f3.txt").write_text("raise")
    ran = run(*words(data, "--mini-batch-size", "1", "--max-retries", "0"))
    assert ran.returncode == 0, ran.stderr
    first, second, last = ran.stdout.splitlines()
    assert first.startswith("4 items scored in ")
    assert first.endswith(" 1 failed, in 5 mini-batches")
    assert second.startswith("  f3.txt: run() raised ValueError: f3.txt is bad (told.py, line ")
    assert last == str(data / "out" / "predictions.csv")
    report = json.loads((data / "out" / "_scorewright" / "report.json").read_text())
    assert (report["progress"]["items_done"], report["progress"]["items_failed"]) == (4, 1)
    (error,) = map(json.loads, (data / "out" / "_scorewright" / "errors.jsonl").read_text().splitlines())
    assert (error["file"], error["row"]) == ("f3.txt", None)


def test_a_program_reads_json(data: Path) -> None:
    ran = run(*words(data, "--json"))
    told = json.loads(ran.stdout)
    assert told["progress"]["items_done"] == 5
    assert told["results"] == [str(data / "out" / "predictions.csv")]


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--mini-batch-size", "many"], 2, "mini_batch_size is 'many': it must be a number of files or rows"),
        (["--max-concurrency", "0"], 2, "max_concurrency is 0: input should be greater than or equal to 1"),
        (["--scheduler", "tcp://127.0.0.1:1"], 11, "The Dask scheduler tcp://127.0.0.1:1 does not answer"),
        (["--input-kind", "tabular"], 12, "f0.txt"),
    ],
)
def test_bad_words(
    data: Path, command: Command, more: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scorewright.service.batch import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    if more[0] == "--input-kind":
        (data / "in" / "f0.txt").rename(data / "in" / "f0.dat")
        said = "f0.dat has no rows that a mini-batch could be made of."
    ran = command(*words(data, *more))
    assert (ran.exit_code, said in ran.err) == (code, True), ran.err
    assert not (data / "out" / "predictions.csv").exists()


def test_neither_a_bundle_nor_a_script(command: Command) -> None:
    ran = command("batch", "run", "--input", "in", "--output", "out")
    assert (ran.exit_code, "Name a bundle, or an --entry-script" in ran.err) == (2, True)


def test_ctrl_c_keeps_what_is_scored(data: Path) -> None:
    (data / "in" / "f2.txt").write_text("wait")
    command = [sys.executable, "-m", "scorewright", *words(data, "--mini-batch-size", "1", "--timeout", "300")]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + WAIT_SECONDS
    while not (data / "seen" / "f2.txt").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGINT)  # as a terminal does: all processes get it
    _, err = job.communicate(timeout=WAIT_SECONDS)
    assert job.returncode == 11
    assert "Error: The job was told to stop; 2 of 5 mini-batches are scored." in err
    assert "Traceback" not in err
    (data / "seen" / "go").touch()
    seen = {path.name: path.stat().st_mtime_ns for path in (data / "seen").iterdir()}
    assert run(*words(data, "--mini-batch-size", "1", "--resume")).returncode == 0
    expected = [f"f{number}.txt {'wait' if number == 2 else 'ok'}" for number in range(5)]
    assert (data / "out" / "predictions.csv").read_text().splitlines() == expected
    again = {name for name, when in seen.items() if (data / "seen" / name).stat().st_mtime_ns != when}
    assert again == {"f2.txt"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_loses_nothing(data: Path) -> None:
    disk = data / "disk"
    disk.mkdir()
    for number in range(5):
        (data / "in" / f"f{number}.txt").write_text("x" * 20_000)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        ran = run(*words(data, "--mini-batch-size", "1", output=disk / "out"))
        assert (ran.returncode, "No space left" in ran.stderr) == (12, True), ran.stderr
        assert "Traceback" not in ran.stderr
        assert not (disk / "out" / "predictions.csv").exists()
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        assert run(*words(data, "--mini-batch-size", "1", "--resume", output=disk / "out")).returncode == 0
        assert (disk / "out" / "predictions.csv").stat().st_size == sum(20_000 + len("f0.txt \n") for _ in range(5))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
