"""Jobs whose input and output are in Azure Storage leave what they leave on a disk, byte for byte."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

import scorewright
from scorewright.service.batch.location import Location
from tests.service.batch.azurite import ACCOUNT
from tests.service.batch.cluster import dask_cluster
from tests.service.batch.test_faults import await_count

if TYPE_CHECKING:
    from tests.service.batch.azurite import Azurite, Line

pytestmark = pytest.mark.azurite

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture
def folder(azurite: Azurite) -> Location:
    """A folder in a container of the test's own."""
    return Location.of(f"abfs://{azurite.container(f'c{uuid4().hex}')}@{ACCOUNT}/some/folder")


def batch_run(*words: object) -> list[str]:
    return [sys.executable, "-m", "scorewright", "batch", "run", *map(str, words)]


def ended(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(batch_run(*words), capture_output=True, text=True, check=False, timeout=120)


def test_a_bundles_job_over_a_line_that_is_cut(folder: Location, line: Line, tmp_path: Path) -> None:
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(8_000, 3)), columns=["a", "b", "c"])
    tree = DecisionTreeClassifier(max_depth=3).fit(rows, rows["a"] > rows["b"])
    bundle = scorewright.generate(tree, rows.head(), name="tree", out=tmp_path / "tree").root
    (tmp_path / "in").mkdir()
    rows.to_csv(tmp_path / "in" / "a.csv", index=False)
    rows.to_parquet(tmp_path / "in" / "b.parquet")
    for path in (tmp_path / "in").iterdir():
        folder.child("in", path.name).upload(path)
    size = ("--mini-batch-size", 3000)
    assert ended(bundle, "--input", tmp_path / "in", "--output", tmp_path / "out", *size).returncode == 0

    line.cut("down", after=20_000, times=2)
    done = ended(bundle, "--input", f"{folder.url}/in", "--output", f"{folder.url}/out", *size)

    assert done.returncode == 0, done.stderr
    assert line.cuts == 2
    assert [file.relative for file in folder.child("out").files()] == ["predictions.parquet"]
    assert folder.child("out", "predictions.parquet").read() == (tmp_path / "out" / "predictions.parquet").read_bytes()


def test_a_job_that_is_killed_is_gone_on_with(folder: Location, tmp_path: Path) -> None:
    for number in range(6):
        folder.child("in", f"f{number}").put(b"wait")
    seen = tmp_path / "seen"
    (tmp_path / "dask").mkdir()
    seen.mkdir()
    with dask_cluster(tmp_path / "dask", 2) as cluster:
        words = ["--entry-script", SCRIPTS / "told.py", "--input", f"{folder.url}/in", "--output", f"{folder.url}/out"]
        words += ["--mini-batch-size", "1", "--timeout", "60", "--scheduler", cluster.address]
        with subprocess.Popen([*batch_run(*words), "--", str(seen)], stderr=subprocess.DEVNULL) as job:
            await_count(seen, 2)
            job.kill()
        assert job.returncode == -signal.SIGKILL
        (seen / "go").touch()
        refused = ended(*words, "--", seen)
        done = ended(*words, "--resume", "--", seen)
    assert (refused.returncode, done.returncode) == (12, 0), refused.stderr + done.stderr
    assert folder.child("out", "predictions.csv").read().decode() == "".join(f"f{number} wait\n" for number in range(6))
    assert folder.child("out", "_scorewright").names() == ["report.json"]


def test_an_input_or_output_that_is_not_to_be_had(folder: Location) -> None:
    folder.child("in", "a").put(b"ok")
    script = ("--entry-script", SCRIPTS / "doubles.py")
    nowhere = f"abfs://no-such-container@{ACCOUNT}/x"
    for words in (
        ("--input", nowhere, "--output", f"{folder.url}/out"),
        ("--input", f"{folder.url}/in", "--output", nowhere),
    ):
        done = ended(*script, *words)
        assert done.returncode == 12, done.stderr
        assert "There is no container no-such-container" in done.stderr
    assert folder.names() == ["in"]
