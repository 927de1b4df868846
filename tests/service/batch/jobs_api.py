"""A service with a batch driver that waits where it is told, and its jobs by HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.service.servers import OBEDIENT, WAIT_SECONDS, Server, children

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.servers import Serve

DRIVER = Path(__file__).parent / "scripts" / "gated.py"
JOB_SECONDS = 150.0
"""How long a job may take: it gives way to everything else on the machine."""

ONE_BY_ONE = {"mini_batch_size": 1}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition of a job is true; fail if it takes too long."""
    deadline = time.monotonic() + JOB_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


@dataclass
class JobsApi:
    """One data folder, and a service on it that may be started again."""

    serve: Serve
    folder: Path

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True)
        self.gate.mkdir()
        (self.folder / "score.py").write_text(OBEDIENT)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    def start(self, driver: Path = DRIVER, **environment: str) -> Server:
        """Start the service."""
        self.server = self.serve(
            *("--entry-script", str(self.folder / "score.py"), "--host", "127.0.0.1"),
            *("--batch-data", str(self.data), "--batch-entry-script", str(driver)),
            **{"TEST_GATE": str(self.gate), **environment},
        ).ready()
        return self.server

    def inputs(self, name: str, **files: str) -> None:
        """A folder of input."""
        (self.data / name).mkdir()
        for file, text in files.items():
            (self.data / name / file).write_text(text)

    def open(self, name: str) -> None:
        """Let the driver pass a file."""
        (self.gate / name).touch()

    def reached(self, name: str) -> None:
        """Wait until the driver is at a file."""
        wait_until((self.gate / f"{name}.reached").exists)

    def ask(self, method: str, path: str = "", **more: Any) -> httpx.Response:
        return httpx.request(method, f"{self.server.url}/batch/jobs{path}", timeout=WAIT_SECONDS, **more)

    def submit(self, source: str, output: str, **settings: Any) -> str:
        """The id of a new job."""
        body = {"input": source, "output": output, "settings": {**ONE_BY_ONE, **settings}}
        answer = self.ask("POST", json=body)
        assert answer.status_code == 202, answer.text
        found: str = answer.json()["id"]
        return found

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def until(self, job_id: str, *states: str) -> dict[str, Any]:
        """Wait for a state."""
        wait_until(lambda: self.job(job_id)["state"] in states)
        return self.job(job_id)

    def ended(self, job_id: str) -> dict[str, Any]:
        """Wait for the end."""
        return self.until(job_id, "completed", "failed", "cancelled")

    def runners(self) -> list[int]:
        """The process ids of the jobs' processes, from /proc."""
        words = b"scorewright.service.batch.job_process"
        return [pid for pid in children(self.server.process.pid) if words in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def contents(self, output: str) -> dict[str, bytes]:
        """The results: all files but those of the job's own folder."""
        found = self.data / output
        return {
            path.relative_to(found).as_posix(): path.read_bytes()
            for path in sorted(found.rglob("*"))
            if path.is_file() and "_scorewright" not in path.parts
        }
