"""The bulk and mixed scenarios, against a real service and its batch jobs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.loadtests.servers import DOUBLING, SAMPLE, SHORT, measured
from tests.service.servers import serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command


IN_BULK = """
import time


def init():
    pass


def run(mini_batch):
    time.sleep(1.5)
    return mini_batch
"""
"""A job that lasts long enough to be seen beside requests."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that doubles numbers, in bulk slowly."""
    folder = tmp_path_factory.mktemp("bulk") / "bundle"
    return write_bundle(folder, DOUBLING, batch_score__py=IN_BULK, sample_request__json=json.dumps(SAMPLE))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's data folder."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def url(bundle: Path, data: Path) -> Iterator[str]:
    """The bundle, served with that folder."""
    with serving() as serve:
        yield serve(str(bundle), SCOREWRIGHT_BATCH_DATA=str(data)).ready().url


def test_a_job_by_itself_and_beside_requests(
    bundle: Path, data: Path, url: str, command: Command, tmp_path: Path
) -> None:
    words = ("--bundle", bundle, "--scenario", "bulk,mixed", *SHORT, "--users", 1)
    bulk = ("--bulk-data", data, "--bulk-rows", 3000)
    done = command("loadtest", url, *words, *bulk, "--out", tmp_path / "report")
    assert done.exit_code == 0, done.err
    alone, mixed = measured(tmp_path / "report").scenarios
    for scenario in (alone, mixed):
        assert scenario.bulk is not None
        assert (scenario.bulk.rows, scenario.bulk.failed_rows) == (3000, 0)
        assert scenario.bulk.job_id
        assert scenario.failures == {}
    assert (alone.name, alone.requests, alone.rows) == ("bulk", 1, 3000)
    assert mixed.name == "mixed"
    assert mixed.requests == mixed.latency.total > 0
    assert mixed.idle_latency is not None
    assert mixed.idle_latency.total > 0
    assert not [path for path in data.iterdir() if path.name.startswith("loadtest-")]


def test_what_is_ended_leaves_neither_its_input_nor_its_job(bundle: Path, data: Path, url: str, tmp_path: Path) -> None:
    words = ["--bundle", str(bundle), "--scenario", "mixed", "--warm-up", "0", "--duration", "1s", "--users", "1"]
    running = subprocess.Popen(
        [sys.executable, "-m", "scorewright", "loadtest", url, *words, "--bulk-data", str(data)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip

    def states() -> list[str]:
        return [job["state"] for job in httpx.get(f"{url}/batch/jobs").json()["jobs"]]

    try:
        wait_until(lambda: "running" in states())
    finally:
        running.terminate()
        running.wait(30)
    assert running.returncode == 128 + signal.SIGTERM
    assert not [path for path in data.iterdir() if path.name.startswith("loadtest-")]
    wait_until(lambda: "running" not in states())
    assert states()[0] == "cancelled"


def test_an_input_that_the_endpoint_cannot_read(bundle: Path, url: str, command: Command) -> None:
    words = ("--bundle", bundle, "--scenario", "bulk", "--bulk-input", "nowhere/rows.csv")
    done = command("loadtest", url, *words)
    assert done.exit_code == 13
    assert "does not take the batch job on nowhere/rows.csv" in done.err
