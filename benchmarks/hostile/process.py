"""A service under test: a bundle of its own, the server process, and what it holds, seen from outside."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 120.0

EXPECTED = "ScoringTimeoutError"
"""What a request with a header x-scoring-timeout-ms may cause."""

SCRIPT = """
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request):
    size = int(request.args.get("stream", "0"))
    if size:
        return AMLResponse((b"x" * 1000 for _ in range(size)), 200)
    told = [len(request.args), len(request.form), len(request.files), len(request.cookies), len(request.get_data())]
    return AMLResponse(told, 200, json_str=True)
"""
"""An entry script that looks at all of a request, and can answer piece by piece."""


@dataclass(frozen=True)
class Held:
    """What the processes of a service hold. Memory is their anonymous part, in MB.

    Their share of libraries is left out: it grows when others who have the same loaded end.
    """

    memory_mb: float
    descriptors: int
    threads: int
    connections: int
    processes: int


@dataclass
class Service:
    """A server that is ready."""

    process: subprocess.Popen[bytes]
    host: str
    port: int
    log: Path
    sample: bytes = b""
    expected: bytes = b""
    name: str = ""

    def held(self) -> Held:
        """What it holds now."""
        pids = [self.process.pid, *_descendants(self.process.pid)]
        memory = descriptors = threads = 0
        for pid in pids:
            with contextlib.suppress(OSError, ProcessLookupError):
                told = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
                memory += int(re.search(r"^Anonymous:\s+(\d+)", told, re.MULTILINE)[1])  # type: ignore[index]
                descriptors += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
                threads += sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
        rows = Path(f"/proc/{self.process.pid}/net/tcp").read_text("ascii").splitlines()[1:]
        own = f":{self.port:04X}"
        connections = sum(row.split()[1].endswith(own) and row.split()[3] == "01" for row in rows)
        return Held(memory / 1024, descriptors, threads, connections, len(pids))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body of one request over a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body or None, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def right(self) -> bool:
        """Whether it is ready and answers its sample as it must."""
        if self.ask("GET", "/readyz")[0] != 200:
            return False
        if not self.sample:
            return self.ask("POST", "/score", b"12345") == (200, b"[0, 0, 0, 0, 5]")
        status, answer = self.ask("POST", "/score", self.sample)
        return status == 200 and json.loads(answer) == json.loads(self.expected)

    def faults(self) -> list[str]:
        """What the log tells of that no input may cause. That a request's time is over is what its client asked for."""
        told = self.log.read_text("utf-8", "replace")
        raised = [
            found[-1]
            for line in re.split(r"(?m)^(?=\d{4}-\d\d-\d\dT)", told)
            if "Traceback (" in line
            # What was raised amid another's handling comes last.
            and not (found := re.findall(r"(?m)^[A-Za-z_][\w.]*(?=:|$)", line) or ["?"])[-1].endswith(EXPECTED)
        ]
        return raised + re.findall(r"Exception in .*|Fatal error.*|.*CRITICAL.*|.*never awaited.*|.*Warning: .*", told)


@contextlib.contextmanager
def service(folder: Path, bundle: Path | None, **settings: Any) -> Iterator[Service]:
    """Serve a bundle, or the script above where there is none. Raises BenchmarkError if it does not become ready."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "scorewright", "serve"]
    if bundle is None:
        (folder / "score.py").write_text(SCRIPT)
        words += ["--entry-script", "score.py"]
    else:
        words.append(str(bundle.resolve()))
    log = folder / "service.log"
    environment = {f"SCOREWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}
    own = {"SCOREWRIGHT_PORT": "0", "SCOREWRIGHT_HOST": "127.0.0.1", "SCOREWRIGHT_BATCH_DATA": str(folder / "data")}
    with log.open("wb") as written:
        process = subprocess.Popen(
            words, cwd=folder, stdout=written, stderr=subprocess.STDOUT, env={**os.environ, **own, **environment}
        )
    try:
        served = Service(process, "127.0.0.1", _port(process, log), log)
        if bundle is not None:
            served.sample = (bundle / "sample_request.json").read_bytes()
            served.expected = (bundle / "expected_response.json").read_bytes()
            served.name = json.loads((bundle / "bundle.json").read_text())["name"]
        _until_ready(served)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def make_bundle(folder: Path) -> Path:
    """The decision tree on breast-cancer data, generated."""
    if (folder / "bundle.json").is_file():
        return folder
    import joblib
    from sklearn.datasets import load_breast_cancer
    from sklearn.tree import DecisionTreeClassifier

    import scorewright

    folder.parent.mkdir(parents=True, exist_ok=True)
    rows, target = load_breast_cancer(as_frame=True, return_X_y=True)
    rows = rows.iloc[:, :4]
    model = folder.parent / f"{folder.name}.joblib"
    joblib.dump(DecisionTreeClassifier(max_depth=3, random_state=0).fit(rows, target), model)
    scorewright.generate(model, rows.head(20), out=folder)
    return folder


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"listens on http://127\.0\.0\.1:(\d+)\.", log.read_text("utf-8", "replace")):
            return int(found[1])
        time.sleep(0.02)
    raise BenchmarkError(f"The service did not start; {log} says why.")


def _until_ready(served: Service) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and served.process.poll() is None:
        if served.ask("GET", "/readyz")[0] == 200:
            return
        time.sleep(0.02)
    raise BenchmarkError(f"The service did not become ready; {served.log} says why.")


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *_descendants(child)]
    return found
