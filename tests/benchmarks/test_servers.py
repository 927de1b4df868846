"""Servers that are started, waited for, measured and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from benchmarks import memory
from benchmarks.errors import ContenderError
from benchmarks.servers import Launch, free_port, processors, running

ROOT = Path(__file__).parents[2]


def python(program: str, port: int) -> Launch:
    return Launch([sys.executable, "-c", program, str(port)], port, "/score", "/", ("loaded", 2))


def test_a_server_runs_on_the_processors_and_ends_with_the_block(tmp_path: Path) -> None:
    port = free_port()
    words = [sys.executable, "-m", "benchmarks.hello", str(port)]
    launch = Launch(words, port, "/", "/", folder=ROOT, environment={"PYTHONPATH": str(ROOT)})
    with running(launch, tmp_path / "log") as server:
        assert httpx.post(server.url, content=b"{}").json() == {"predict_proba": [[0, 1, 0]]}
        assert sorted(os.sched_getaffinity(server.process.pid)) == processors()
        assert memory.memory_bytes(server.process.pid) > 5_000_000
        server.settle()
    assert server.process.returncode is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


def test_it_is_not_ready_before_every_worker_has_said_so(tmp_path: Path) -> None:
    program = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        print("loaded", flush=True)
        Handler.asked += 1
print("loaded", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
    with running(python(program, free_port()), tmp_path / "log") as server:
        assert (tmp_path / "log").read_text().count("loaded") >= 2
        assert server.start_seconds > 0


def test_a_server_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    program = "import sys; print('ImportError: no such thing'); print('bye'); sys.exit(3)"
    message = "ended with 3 at its start: ImportError: no such thing"
    with pytest.raises(ContenderError, match=message), running(python(program, free_port()), tmp_path / "log"):
        pass


def test_the_variables_of_azures_server_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", "/elsewhere")
    program = "import os; print('Error: ', 'AZUREML_MODEL_DIR' in os.environ); raise SystemExit(1)"
    with pytest.raises(ContenderError, match="False"), running(python(program, free_port()), tmp_path / "log"):
        pass


def test_the_tree_has_children_of_children() -> None:
    # Longer than a tick of the clock by which processor time is counted.
    program = "import subprocess, sys; sum(range(5_000_000)); "
    program += "subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = memory.tree(process.pid)
        assert found[0] == process.pid
        assert len(found) == 2
        assert memory.memory_bytes(process.pid) > memory.memory_bytes(found[1]) > 0
        assert memory.processor_seconds(process.pid) > 0
    assert memory.memory_bytes(process.pid) == 0
