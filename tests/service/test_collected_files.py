"""The files of collected data: their places, and their bound, whoever writes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scorewright.service.collected_files import LOCK, PARTS, CollectedFiles

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0
NOON = 1_764_244_800.0  # 2025-11-27T12:00:00Z


def names(folder: Path) -> list[str]:
    return sorted(str(file.parent.relative_to(folder)) for file in folder.rglob("*.jsonl"))


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.jsonl"))


def test_an_hour_has_a_folder_as_in_azure(tmp_path: Path) -> None:
    files = CollectedFiles(tmp_path, 10_000)
    for line in (b"1\n", b"2\n"):
        assert files.append("request", line, NOON) == 0
    files.append("response", b"3\n", NOON + HOUR)
    assert names(tmp_path) == ["request/2025/11/27/12", "response/2025/11/27/13"]
    assert next((tmp_path / "request").rglob("*.jsonl")).read_bytes() == b"1\n2\n"


def test_the_oldest_gives_way_whoever_wrote_it(tmp_path: Path) -> None:
    line = b"x" * 99 + b"\n"
    earlier = CollectedFiles(tmp_path, 800)
    for at in range(8):
        assert earlier.append("request", line, NOON + at * HOUR) == 0
    assert size(tmp_path) == 800
    assert CollectedFiles(tmp_path, 800).append("response", line, NOON + 8 * HOUR) == 1
    assert earlier.append("request", line, NOON + 9 * HOUR) == 1
    assert size(tmp_path) == 800
    assert names(tmp_path)[0] == "request/2025/11/27/14"
    assert not (tmp_path / "request/2025/11/27/12").exists()


def test_a_file_ends_before_it_is_all_there_is(tmp_path: Path) -> None:
    files = CollectedFiles(tmp_path, 800)
    for _ in range(30):
        files.append("request", b"x" * 39 + b"\n", NOON)
    assert size(tmp_path) <= 800
    assert max(file.stat().st_size for file in tmp_path.rglob("*.jsonl")) <= 800 // PARTS
    with pytest.raises(ValueError, match="101 bytes"):
        files.append("request", b"x" * 101, NOON)


def test_what_a_process_that_was_killed_has_left_counts(tmp_path: Path) -> None:
    CollectedFiles(tmp_path, 800).append("request", b"x" * 100, NOON)
    (tmp_path / LOCK).write_text("garbage")
    later = CollectedFiles(tmp_path, 800)
    later.append("request", b"y" * 50, NOON)
    assert (tmp_path / LOCK).read_text() == "150"


def test_several_processes_stay_within_the_bound_and_tear_no_line(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from scorewright.service.collected_files import CollectedFiles
files = CollectedFiles(Path(sys.argv[1]), 40_000)
for at in range(200):
    files.append("request", (sys.argv[2] * 199 + "\\n").encode(), 1_764_244_800.0 + at * 60)
"""
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), word]) for word in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert 30_000 < size(tmp_path) <= 40_000
    lines = [line for file in tmp_path.rglob("*.jsonl") for line in file.read_text().splitlines()]
    assert {len(line) for line in lines} == {199}
    assert all(len(set(line)) == 1 for line in lines)
