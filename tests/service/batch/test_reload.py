"""SIGHUP while jobs are at work and wait: each keeps to the bundle that it was accepted for, or fails and says so."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service.batch.jobs_api import DRIVER, JobsApi, wait_until
from tests.service.servers import OBEDIENT, Server, children, write_bundle

if TYPE_CHECKING:
    from tests.service.servers import Serve

LINES = 'f"{path.name} {text}"'
SETTINGS = {"input_kind": "files", "output_format": "azure", "max_concurrency": 1}


def made(folder: Path, name: str) -> Path:
    """A bundle whose batch script waits as gated.py does, and writes its name on every line."""
    driver = DRIVER.read_text()
    assert LINES in driver
    return write_bundle(folder / name, OBEDIENT, batch_score__py=driver.replace(LINES, f'f"{name} {{path.name}}"'))


def reload(server: Server) -> None:
    before = server.log.count("Reloaded: ")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.log.count("Reloaded: ") > before)


def script_process(root: int) -> int:
    """The one process below another that runs a job's script."""
    found = [pid for pid in _below(root) if b"script_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    (pid,) = found
    return pid


def _below(root: int) -> list[int]:
    return [pid for child in children(root) for pid in (child, *_below(child))]


@pytest.fixture
def api(serve: Serve, tmp_path: Path) -> JobsApi:
    api = JobsApi(serve, tmp_path / "service")
    api.inputs("in", a="1", hold="2", z="3")
    link = tmp_path / "served"
    link.symlink_to(made(tmp_path, "old"))
    api.server = serve(str(link), "--batch-data", str(api.data), TEST_GATE=str(api.gate)).ready()
    return api


def running_and_queued(api: JobsApi) -> tuple[str, str]:
    """A job that is at its second file, and one that waits for it to end."""
    running = api.submit("in", "out", **SETTINGS)
    api.reached("hold")
    queued = api.submit("in", "out2", **SETTINGS)
    assert api.job(queued)["state"] == "queued"
    return running, queued


def lines(api: JobsApi, output: str) -> list[str]:
    (content,) = api.contents(output).values()
    return content.decode().splitlines()


def test_jobs_keep_to_the_bundle_that_they_were_accepted_for(api: JobsApi, tmp_path: Path) -> None:
    running, queued = running_and_queued(api)
    (tmp_path / "fresh").symlink_to(made(tmp_path, "new"))
    (tmp_path / "fresh").replace(tmp_path / "served")
    reload(api.server)
    # The process that takes its place loads what the job began with, not what is served now.
    os.kill(script_process(api.runners()[0]), signal.SIGKILL)
    api.open("hold")
    for job, output in ((running, "out"), (queued, "out2")):
        ended = api.ended(job)
        assert ended["state"] == "completed", ended
        assert lines(api, output) == ["old a", "old hold", "old z"]
    assert api.ended(api.submit("in", "out3", **SETTINGS))["state"] == "completed"
    assert lines(api, "out3") == ["new a", "new hold", "new z"]


def test_jobs_whose_bundle_is_gone_fail_and_say_so(api: JobsApi, tmp_path: Path) -> None:
    running, queued = running_and_queued(api)
    shutil.copytree(made(tmp_path, "new"), tmp_path / "old", dirs_exist_ok=True)
    reload(api.server)
    os.kill(script_process(api.runners()[0]), signal.SIGKILL)
    api.open("hold")
    ended = api.ended(running)
    assert ended["state"] == "failed"
    assert ended["message"].startswith(f"{tmp_path / 'old'} has changed since the job began")
    ended = api.ended(queued)
    assert ended["state"] == "failed"
    accepted = r"The job was accepted for hand-written, version 1 \(\w{12}…\), which is not in \S+ any more"
    assert re.fullmatch(rf"{accepted}: another bundle is there now\.", ended["message"])
    assert ended["hint"].startswith("Submit it again")
    assert api.contents("out") == api.contents("out2") == {}
    # A job that never began left nothing in the way of the same request.
    assert api.ended(api.submit("in", "out2", **SETTINGS))["state"] == "completed"
    assert lines(api, "out2") == ["new a", "new hold", "new z"]
