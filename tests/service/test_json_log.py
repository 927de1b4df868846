"""The log as JSON: every line an object, whoever wrote it and whatever is in it."""

from __future__ import annotations

import json
import logging
import textwrap
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scorewright.service import log
from tests.service.servers import serving, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Server

SCRIPT = r"""
import ctypes
import faulthandler
import logging
import os
import subprocess
import sys
import threading
import warnings


def init():
    print("printed in init")


def run(raw):
    if raw == "crash":
        sys.stderr.write("begun and never ended")
        ctypes.string_at(0)
    print("several\nlines\x00\x1b[31m \u2028 \ud800 end")
    print("by print to stderr", file=sys.stderr)
    sys.stdout.write("written in ")
    sys.stdout.write("two pieces\n")
    sys.stdout.buffer.write(b"bytes \xff\n")
    sys.stdout.flush()
    os.write(2, b"past Python, to 2\n")
    os.write(1, b"past Python, to 1\n")
    subprocess.run(["echo", "by a child"], check=True)
    logging.getLogger("mine").warning("logged %s", "well")
    warnings.warn("a warning of Python's", stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    raise ValueError("why\nnot")
"""


def objects(server: Server) -> list[dict[str, Any]]:
    """The whole log: fails at a line that is no object."""
    wait_until(lambda: server.finished)
    return [dict(json.loads(line)) for line in server.log.splitlines()]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The log of a service with two fronts, whose script has written in every way there is, and has crashed."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "score.py").write_text(textwrap.dedent(SCRIPT))
    with serving(cwd=folder) as serve:
        server = serve(
            *("--entry-script", "score.py", "--port", "0", "--log-format", "json"),
            *("--access-log", "--http-workers", "2"),
        )
        server.url = server.line(r"listens on (http://[^\s\"]+)\.").group(1)
        wait_until(lambda: httpx.get(server.url + "/readyz").status_code == 200)
        answer = httpx.post(server.url + "/score", content=b"x", headers={"x-request-id": "the-id"})
        assert answer.status_code == 500
        assert httpx.post(server.url + "/score", content=b"crash").status_code == 500
        server.line("It is replaced")
        wait_until(lambda: httpx.get(server.url + "/readyz").status_code == 200)
        assert server.end() == 0
        return objects(server)


def one(lines: list[dict[str, Any]], message: str) -> dict[str, Any]:
    (found,) = [line for line in lines if message in line["message"]]
    return found


def test_every_line_has_time_level_process_and_message(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        assert line.keys() >= {"time", "level", "process", "logger", "message"}
    assert one(lines, "listens on")["level"] == "INFO"
    assert sum(line["message"] == "printed in init" for line in lines) == 2  # the scorer's, and its replacement's


@pytest.mark.parametrize(
    ("message", "logger"),
    [
        ("several\nlines\x00\x1b[31m \u2028 \ud800 end", log.PRINTED),
        ("by print to stderr", "stderr"),
        ("written in two pieces", "stdout"),
        ("logged well", "mine"),
        ("UserWarning: a warning of Python's", "stderr"),
        ("ZeroDivisionError: division by zero", "stderr"),
    ],
)
def test_what_the_script_says_has_the_requests_id(lines: list[dict[str, Any]], message: str, logger: str) -> None:
    line = one(lines, message)
    assert (line["logger"], line["request_id"]) == (logger, "the-id")


@pytest.mark.parametrize("message", ["past Python, to 2", "past Python, to 1", "by a child", "bytes \ufffd"])
def test_what_goes_past_python_has_the_process(lines: list[dict[str, Any]], message: str) -> None:
    assert one(lines, message)["process"] == one(lines, "logged well")["process"]


def test_a_traceback_is_a_field(lines: list[dict[str, Any]]) -> None:
    line = one(lines, "run() failed.")
    assert line["exception"].startswith("Traceback") and line["exception"].endswith("ValueError: why\nnot")
    assert (line["level"], line["request_id"]) == ("ERROR", "the-id")


def test_the_last_words_of_a_crash_come_before_what_is_said_of_it(lines: list[dict[str, Any]]) -> None:
    messages = [line["message"] for line in lines]
    assert messages.index("Fatal Python error: Segmentation fault") < next(
        at for at, message in enumerate(messages) if "died: it was killed by SIGSEGV" in message
    )


def test_an_access_line_has_fields(lines: list[dict[str, Any]]) -> None:
    (line,) = [line for line in lines if "method" in line and line["request_id"] == "the-id"]
    assert (line["method"], line["path"], line["status"], line["batch"]) == ("POST", "/score", 500, 1)
    assert line["bytes"] > 0 and line["ms"] >= line["queue_ms"] >= 0


def test_a_failed_start_is_said_in_json_too(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def init():\n    raise OSError('no\\nmodel')\n\ndef run(raw):\n    pass\n")
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py", "--port", "0", SCOREWRIGHT_LOG_FORMAT="json")
        assert server.process.wait(60) == 3
        last = objects(server)[-1]
    assert last["level"] == "CRITICAL"
    assert last["message"].startswith("init() in ") and "OSError: no\nmodel" in last["message"]


def test_a_logging_json_wins(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def init():\n    print('here')\n\ndef run(raw):\n    pass\n")
    handlers = {"out": {"class": "logging.StreamHandler", "formatter": "mine", "stream": "ext://sys.stdout"}}
    config = {
        "version": 1,
        "formatters": {"mine": {"format": "MINE %(message)s"}},
        "handlers": handlers,
        "loggers": {"azmlinfsrv": {"handlers": ["out"], "level": "INFO"}},
    }
    (tmp_path / "logging.json").write_text(json.dumps(config))
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py", "--port", "0", "--log-format", "json")
        server.line("^MINE here$")
        assert server.end() == 0


def test_a_field_does_not_hide_what_the_line_is(caplog: pytest.LogCaptureFixture) -> None:
    record = logging.makeLogRecord({"msg": "text", "levelname": "INFO", **log.of("an-id", "0" * 32, status=200)})
    line = json.loads(log.JsonFormatter(log.Current()).format(record))
    assert (line["message"], line["request_id"], line["trace_id"], line["status"]) == ("text", "an-id", "0" * 32, 200)
