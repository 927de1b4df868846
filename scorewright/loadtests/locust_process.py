"""One run of Locust in processes of its own: gevent patches what it runs in, and that must not be ours."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from scorewright.errors import LoadTestError
from scorewright.loadtests.endpoint import KEY_VARIABLE
from scorewright.loadtests.recorder import Cell, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.loadtests.plan import Plan

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
START_SECONDS = 60.0
"""How long Locust may take beyond what the plan asks for, to start and to end."""


@dataclass(frozen=True)
class Progress:
    """What came back in the last second or so."""

    elapsed: float
    """Seconds since the warm-up ended; negative while it lasts."""
    took: float
    """Seconds that `cell` counts."""
    cell: Cell


@dataclass(frozen=True)
class Recorded:
    """What one run came to."""

    zero: float
    """When the warm-up ended, of time.time()."""
    recorder: Recorder
    lost: int
    """How many generator processes died before they had delivered all."""


@dataclass
class LocustProcess:
    """Runs a plan. The key is handed on in the environment alone."""

    plan: Plan
    key: str | None = None
    workers: int = 1
    """Generator processes; more than one are Locust's workers, and one more adds them up."""
    web_port: int | None = None
    """Where Locust's web interface is while it runs; None for none."""
    on_progress: Callable[[Progress], None] = lambda _: None
    _told: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Recorded:
        """Run to the end. Raises LoadTestError if Locust ends before the plan does."""
        with tempfile.TemporaryDirectory(prefix="scorewright-loadtest-") as folder:
            plan = Path(folder) / "plan.json"
            plan.touch(mode=0o600)
            plan.write_text(self.plan.to_json(), "utf-8")
            with (Path(folder) / "locust.log").open("w+b") as log:
                self._run(plan, log)
                if "result" not in self._told:
                    raise self._ended(log)
        result = self._told["result"]
        return Recorded(result["zero"], Recorder.from_wire(result["recorder"]), result["lost"])

    def _run(self, plan: Path, log: Any) -> None:
        # What a user has set for Locusts of their own is not for this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        environment |= {"SCOREWRIGHT_LOADTEST_PLAN": str(plan), "PYTHONUNBUFFERED": "1"}
        environment.pop(KEY_VARIABLE, None)
        if self.key:
            environment[KEY_VARIABLE] = self.key
        process = subprocess.Popen(
            self._words(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        patience = self.plan.warm_up + (self.plan.seconds or 0.0) + self.plan.timeout + START_SECONDS
        guard = threading.Timer(patience, _end, [process])
        guard.start()
        try:
            for line in process.stdout or ():
                self._hear(line)
            process.wait()
        finally:
            guard.cancel()
            _end(process)
            process.wait()
            if process.stdout:
                process.stdout.close()

    def _words(self) -> list[str]:
        words = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
        # Said here, no locust.conf or pyproject.toml can lead the load elsewhere.
        words += ["--host", urlunsplit((*urlsplit(self.plan.url)[:2], "", "", ""))]
        words += ["--users", str(self.plan.users), "--spawn-rate", str(self.plan.users)]
        words += ["--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"]
        if self.web_port is None:
            words += ["--headless"]
        else:
            words += ["--autostart", "--web-host", "127.0.0.1", "--web-port", str(self.web_port)]
        if self.workers > 1:
            port = str(_free_port())
            words += ["--processes", str(self.workers), "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
            words += ["--master-host", "127.0.0.1", "--master-port", port]
        return words

    def _hear(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return  # Locust's own summary
        what = told.pop("scorewright", None) if isinstance(told, dict) else None
        if what == "progress":
            self.on_progress(Progress(told["elapsed"], told["took"], Cell.from_wire(told["cell"])))
        elif what:
            self._told[what] = told

    def _ended(self, log: Any) -> LoadTestError:
        if "stopped" in self._told:
            return LoadTestError(
                "The load was stopped in Locust's web interface before it had lasted as long as it should.",
                hint="Let it run to its end: then the report is written.",
            )
        log.seek(0)
        lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return LoadTestError(
            f"Locust ended before it had measured anything. Its last words: {' | '.join(lines[-5:]) or 'none'}",
            hint="Is scorewright[loadtest] installed as it should be? `python -m locust --version` must work.",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    # Its workers are in its session, and may be left when it was killed.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
