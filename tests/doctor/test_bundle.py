"""A bundle: its files, versions, start and memory, by really starting a scorer of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.bundle import Bundle
from scorewright.doctor import memory
from scorewright.doctor.bundle import start
from scorewright.doctor.bundle.checks import CHECKS
from scorewright.doctor.bundle.patient import Patient
from scorewright.doctor.bundle.trial import Started, try_start
from scorewright.doctor.runner import examine
from scorewright.doctor.wanted import ProbeTimes, Wanted
from scorewright.errors import CheckFailedError
from tests.service.servers import write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

GOOD = "held = bytearray(b'x' * 30_000_000)\n\n\ndef init():\n    print('hello')\n\n\ndef run(raw):\n    return raw\n"
BAD = "def init():\n    raise OSError('no weights here')\n\n\ndef run(raw):\n    return raw\n"
HUNG = "import time\n\n\ndef init():\n    time.sleep(600)\n\n\ndef run(raw):\n    return raw\n"


def looked(folder: Path, wanted: Wanted | None = None) -> dict[str, tuple[str, str, str]]:
    """Result, words and remedy of every check."""
    found = examine(CHECKS, Patient(folder, wanted or Wanted()))
    return {one.check: (one.result, one.said, one.remedy) for one in found}


def test_a_good_one_is_measured(tmp_path: Path) -> None:
    started = try_start(Bundle.load(write_bundle(tmp_path / "b", GOOD)), 60)
    assert started.seconds > 0
    assert started.memory is not None
    assert 30_000_000 < started.memory < 300_000_000


def test_all_is_well(tmp_path: Path, command: Command) -> None:
    ran = command("doctor", write_bundle(tmp_path / "b", GOOD), "--client-timeout", 4000)
    assert ran.exit_code == 0, ran.out
    assert [line.split()[:2] for line in ran.out.splitlines()] == [
        ["ok", name] for name in ("files", "versions", "start", "memory", "timeouts")
    ]


def test_a_changed_file_is_not_loaded(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b", GOOD)
    (folder / "score.py").write_text(BAD)
    found = looked(folder)
    assert found["files"][0] == "failed"
    assert "score.py has changed" in found["files"][1]
    assert {found[name][0] for name in ("versions", "start", "memory")} == {"not looked at"}


def test_other_versions_are_not_loaded(tmp_path: Path) -> None:
    found = looked(write_bundle(tmp_path / "b", BAD, versions={"python": "3.9.1", "scikit-learn": "0.1"}))
    assert found["versions"][0] == "failed"
    assert "scikit-learn 0.1 made the model" in found["versions"][1]
    assert "requirements.txt, in a Python 3.9" in found["versions"][2]
    assert found["start"][0] == "not looked at"
    assert found["memory"][:2] == ("ok", found["memory"][1])
    assert "loaded it was not" in found["memory"][1]


def test_an_init_that_fails_says_why(tmp_path: Path) -> None:
    found = looked(write_bundle(tmp_path / "b", BAD))
    assert found["start"][0] == "failed"
    assert "no weights here" in found["start"][1]


def test_an_init_that_hangs_is_ended(tmp_path: Path) -> None:
    bundle = Bundle.load(write_bundle(tmp_path / "b", HUNG))
    with pytest.raises(CheckFailedError, match="has not ended in 2 s") as caught:
        try_start(bundle, 2)
    assert "--timeout" in caught.value.hint


def test_an_init_that_dies_says_how(tmp_path: Path) -> None:
    script = "import os\n\n\ndef init():\n    os.kill(os.getpid(), 9)\n\n\ndef run(raw):\n    return raw\n"
    with pytest.raises(CheckFailedError, match="killed by signal 9"):
        try_start(Bundle.load(write_bundle(tmp_path / "b", script)), 60)


@pytest.mark.parametrize(("needed", "given", "result"), [(2, 300, "ok"), (100, 300, "warning"), (300, 300, "failed")])
def test_start_against_probes(needed: float, given: float, result: str) -> None:
    found = start.judge(needed, given)
    assert found.result == result
    assert ("--timeout" in found.remedy) == (result != "ok")


@pytest.mark.parametrize(
    ("workers", "result", "says"),
    [(1, "ok", ""), (8, "warning", "Ask for 7 with"), (10, "failed", "Ask for 7 with")],
)
def test_scorers_against_memory(workers: int, result: str, says: str) -> None:
    found = memory.judge(Wanted(worker_count=workers, memory=1_000_000_000), 100_000_000, "measured")
    assert (found.result, says in found.remedy) == (result, True), found


def test_no_number_of_scorers_fits() -> None:
    found = memory.judge(Wanted(memory=60_000_000), 100_000_000, "measured")
    assert (found.result, found.remedy) == ("failed", "Give it 188 MB with --memory.")


def test_memory_of_the_target_is_what_counts(tmp_path: Path) -> None:
    def start_it(bundle: Bundle, patience: float) -> Started:
        return Started(1, 400_000_000)

    patient = Patient(write_bundle(tmp_path / "b", GOOD), Wanted(worker_count=4, memory=10**9), start_it)
    found = {one.check: one for one in examine(CHECKS, patient)}
    assert found["memory"].result == "failed"
    assert "4 scorers and the front take 1,650 MB of 1,000 MB" in found["memory"].said


def test_probe_times_are_those_asked_for(tmp_path: Path) -> None:
    patient = Patient(write_bundle(tmp_path / "b", GOOD), Wanted(probes=ProbeTimes(start=5)), lambda *_: Started(6, 1))
    assert {one.check: one.result for one in examine(CHECKS, patient)}["start"] == "failed"


def test_no_bundle(tmp_path: Path) -> None:
    found = looked(tmp_path)
    assert found["files"][0] == "failed"
    assert "it has no bundle.json" in found["files"][1]
