"""A hand-written bundle around a script of the test's choosing, and real server processes that serve it."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import httpx

from scorewright.bundle import MANIFEST, Manifest, Method, ModelInfo, SampleInfo, Signature, TensorSpec, hash_files

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

WAIT_SECONDS = 30.0
"""How long a condition may take to come true before the test has failed."""


def write_bundle(folder: Path, score: str, *, versions: dict[str, str] | None = None, **files: str) -> Path:
    """A bundle whose score.py is `score`; `files` are others by name, `__` for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "model.txt").write_text("a model\n")
    (folder / "score.py").write_text(textwrap.dedent(score))
    (folder / "batch_score.py").write_text("def init():\n    pass\n\n\ndef run(mini_batch):\n    return mini_batch\n")
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    value = TensorSpec(name="data", dtype="float64", shape=(None, 1))
    manifest = Manifest(
        name="hand-written",
        version="1",
        generator="tests",
        framework="scikit-learn",
        runtime="native",
        model=ModelInfo(path="model/model.txt", format="joblib", kind="tests.Model"),
        versions=versions or {},
        signature=Signature(
            layout="array", inputs=(value,), methods={"predict": Method(outputs=(value,))}, default_method="predict"
        ),
        sample=SampleInfo(source="made", rows=1),
        files=hash_files(folder),
    )
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder


@dataclass
class Server:
    """A `scorewright serve` process. Its log is read line by line as it comes."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""
    finished: bool = False
    """Whether the log has been read to its end."""
    _new: queue.Queue[str | None] = field(default_factory=queue.Queue)

    @property
    def log(self) -> str:
        self._drain()
        return "\n".join(self.lines)

    def follow(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._new.put(line.rstrip("\n"))
        self._new.put(None)
        self.finished = True

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line of the log that holds `pattern`."""
        for line in self.lines:
            if found := re.search(pattern, line):
                return found
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                line_or_end = self._new.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line {pattern!r} in:\n" + "\n".join(self.lines)) from None
            if line_or_end is None:
                raise AssertionError(f"ended without a line {pattern!r}:\n" + "\n".join(self.lines))
            self.lines.append(line_or_end)
            if found := re.search(pattern, line_or_end):
                return found

    def listening(self) -> Server:
        self.url = self.line(r"listens on (https?://\S+)\.$").group(1)
        return self

    def ready(self) -> Server:
        self.listening()
        wait_until(lambda: httpx.get(self.url + "/readyz", timeout=WAIT_SECONDS).status_code == 200)
        return self

    def scorers(self) -> list[int]:
        """The process ids of the scorers, from /proc."""
        return self._running("scorewright.service.scorer")

    def fronts(self) -> list[int]:
        """The process ids of further fronts, from /proc."""
        return self._running("scorewright.service.front_process")

    def descriptors(self) -> int:
        """How many file descriptors the main process holds, from /proc."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def connections(self, pid: int | None = None) -> int:
        """How many connections a process of it, the main one unless told, has accepted, from /proc."""
        of = pid or self.process.pid
        port = f":{httpx.URL(self.url).port:04X}"
        rows = [line.split() for line in Path(f"/proc/{of}/net/tcp").read_text("ascii").splitlines()[1:]]
        ours = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == "01"}
        return len(ours & held(of))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS)

    def _running(self, module: str) -> list[int]:
        return [pid for pid in children(self.process.pid) if module.encode() in _command(pid)]

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while (line := self._new.get_nowait()) is not None:
                self.lines.append(line)


def held(pid: int) -> set[str]:
    """What the file descriptors of a process lead to. It may close some while it is looked at."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(link.readlink()))
    return found


def children(parent: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def _command(pid: int) -> bytes:
    """Its command line; nothing if it has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def runs(pid: int) -> bool:
    """Whether a process is there and not dead: one that nobody has waited for is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true; fail if it takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def connected(
    stack: contextlib.ExitStack, server: Server, front: int, verify: ssl.SSLContext | bool = True
) -> httpx.Client:
    """A client whose connection is this front's."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        before = server.connections(front)
        client = stack.enter_context(httpx.Client(base_url=server.url, timeout=WAIT_SECONDS, verify=verify))
        client.get("/livez")
        if server.connections(front) > before:
            return client
    raise AssertionError("the front takes no connection")


class Serve(Protocol):
    """Start `scorewright serve` with arguments and environment."""

    def __call__(self, *arguments: str, **environment: str) -> Server: ...


@contextlib.contextmanager
def serving(*, cwd: Path | None = None, python: Path | str = sys.executable) -> Iterator[Serve]:
    """Starts servers, in this folder and by this Python, and ends those that still run."""
    started: list[tuple[Server, threading.Thread]] = []

    def serve(*arguments: str, **environment: str) -> Server:
        process = subprocess.Popen(
            [str(python), "-m", "scorewright", "serve", *arguments],
            cwd=cwd,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SCOREWRIGHT_PORT": "0", **environment},
        )
        server = Server(process)
        assert process.stdout is not None
        reader = threading.Thread(target=server.follow, args=(process.stdout,), daemon=True)
        reader.start()
        started.append((server, reader))
        return server

    try:
        yield serve
    finally:
        for server, _ in started:
            if server.process.poll() is None:
                server.process.kill()
        for server, reader in started:
            server.process.wait(WAIT_SECONDS)
            # The log ends when the last scorer has: they follow a killed front by themselves.
            reader.join(WAIT_SECONDS)


OBEDIENT = '''
import json
import os
import sys
import time
from pathlib import Path

from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    """Fails, or waits, if the environment says so."""
    if os.environ.get("TEST_INIT_FAILS"):
        raise OSError("no model here")
    if os.environ.get("TEST_INIT_DIES"):
        os._exit(5)
    _hold(os.environ.get("TEST_INIT_UNTIL", ""))


def run(raw):
    """Does the one thing that its request asks for."""
    if not raw:
        return "nothing"
    try:
        request = json.loads(raw)
    except RecursionError:
        return AMLResponse({"message": "too deep, says the script"}, 400, json_str=True)
    (do, value), *rest = request.items()
    if do == "echo":
        return value
    if do == "raw":
        return raw
    if do == "raise":
        raise ValueError(value)
    if do == "exit":
        sys.exit(value)
    if do == "kill":
        os.kill(os.getpid(), value)
    if do == "until":
        Path(value + ".started").touch()
        _hold(value)
        return "held"
    if do == "note":
        with open(value, "a") as file:
            file.write(rest[0][1] + "\\n")
        return rest[0][1]
    if do == "object":
        return object()
    if do == "status":
        return AMLResponse("said so", value, {"X-Mine": "a, b", "x-request-id": "not mine"})
    if do == "modules":
        return sorted(sys.modules)
    if do == "print":
        print(value)
        return None
    raise KeyError(do)


def _hold(path):
    while path and not os.path.exists(path):
        time.sleep(0.005)
'''
"""An entry script that does what its requests ask for."""

TOGETHER = (
    OBEDIENT
    + '''

def run_many(raws):
    """Says how many it was given, unless a request asks for something else."""
    requests = [json.loads(raw) for raw in raws]
    if any(request.get("many") == "raise" for request in requests):
        raise ValueError("all of them")
    if any(request.get("many") == "short" for request in requests):
        return []
    return [_one(raw, request, len(raws)) for raw, request in zip(raws, requests)]


def _one(raw, request, count):
    if request.get("many") == "count":
        return count
    try:
        return run(raw)
    except Exception as error:
        return error
'''
)
"""The same with run_many; a request may also be {"many": "count" | "raise" | "short"}."""
