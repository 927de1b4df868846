"""What a script prints and logs reaches the log once, with time, level and request id."""

from __future__ import annotations

import json
import re
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.service.servers import WAIT_SECONDS, serving, wait_until

if TYPE_CHECKING:
    from pathlib import Path

LINE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) \[\d+\] (?:(\S+) )?%s$"

PLAIN = """
import logging
import sys
import threading

LOG = logging.getLogger("mine")


def init():
    print("printed in init")
    logging.info("logged in init")


def run(raw):
    print("printed", raw, sep="-")
    print("to stderr", file=sys.stderr)
    logging.warning("warned by root")
    LOG.info("logged by a logger")
    LOG.debug("not at this level")
    thread = threading.Thread(target=lambda: LOG.info("logged by a thread"))
    thread.start()
    thread.join()
    return "answered"
"""


def lines(folder: Path, script: str, *, files: dict[str, str] | None = None, **environment: str) -> list[str]:
    """The log of a service that has scored one request of id `seen`, read to its end."""
    (folder / "score.py").write_text(script)
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    with serving(cwd=folder) as serve:
        server = serve("--entry-script", "score.py", **environment).ready()
        answer = httpx.post(server.url + "/score", content=b"x", headers={"x-request-id": "seen"})
        assert answer.status_code == 200
        assert server.end() == 0
        server.line("Stopped: every accepted request")
        return server.log.splitlines()


def found(log: list[str], text: str) -> list[tuple[str, str | None]]:
    """Level and request id of the lines with this text."""
    matches = [re.match(LINE % re.escape(text), line) for line in log]
    return [(match[1], match[2]) for match in matches if match is not None]


def test_prints_and_logs_of_a_script_without_any_set_up(tmp_path: Path) -> None:
    log = lines(tmp_path, PLAIN)
    assert found(log, "printed in init") == [("INFO", None)]
    assert found(log, "logged in init") == [("INFO", None)]
    assert found(log, "printed-x") == [("INFO", "seen")]
    assert found(log, "warned by root") == [("WARNING", "seen")]
    assert found(log, "logged by a logger") == [("INFO", "seen")]
    assert found(log, "logged by a thread") == [("INFO", "seen")]
    assert log.count("to stderr") == 1
    assert sum("not at this level" in line for line in log) == 0
    for text in ("printed in init", "printed-x", "warned by root", "logged by a logger", "logged in init"):
        assert sum(text in line for line in log) == 1


def test_the_level_is_the_services_but_prints_are_always_seen(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(PLAIN)
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py", "--port", "0", "--access-log", AZUREML_LOG_LEVEL="WARNING")
        server.line("INFO .* printed in init$")
        assert server.end() == 0
        wait_until(lambda: server.finished)
        assert "logged in init" not in server.log


@pytest.mark.parametrize(
    ("set_up", "as_set_up"),
    [
        ("logging.basicConfig(level=logging.DEBUG, format='MINE %(message)s')", "MINE "),
        ("logging.basicConfig(format='MINE %(message)s')\nLOG.setLevel(logging.DEBUG)", "MINE "),
        ("logging.getLogger('mine').addHandler(logging.StreamHandler())\nLOG.setLevel(logging.DEBUG)", ""),
        ("logging.getLogger().addHandler(logging.StreamHandler())\nLOG.setLevel(logging.DEBUG)", ""),
    ],
    ids=["basicConfig", "basicConfig without a level", "a logger's handler", "root's handler"],
)
def test_a_set_up_of_the_scripts_own_is_left_alone(set_up: str, as_set_up: str, tmp_path: Path) -> None:
    log = lines(tmp_path, PLAIN.replace("\n\n\ndef init", f"\n{set_up}\n\n\ndef init"))
    assert log.count(f"{as_set_up}logged by a logger") == 1
    assert log.count(f"{as_set_up}not at this level") == 1
    assert sum("logged by a logger" in line for line in log) == 1
    assert found(log, "printed-x") == [("INFO", "seen")]


def test_a_logging_json_replaces_the_set_up(tmp_path: Path) -> None:
    """Written for azmlinfsrv: its own is the pattern."""
    config = {
        "version": 1,
        "formatters": {
            "f": {"class": "azureml_inference_server_http.log_config.AMLLogFormatter", "format": "OWN %(message)s"}
        },
        "filters": {"r": {"()": "azureml_inference_server_http.log_config.RootAccessFilter"}},
        "handlers": {
            "h": {"class": "logging.StreamHandler", "formatter": "f", "filters": ["r"], "stream": "ext://sys.stdout"}
        },
        "loggers": {"azmlinfsrv": {"level": "INFO", "handlers": ["h"], "propagate": False}},
        "root": {"level": "DEBUG", "handlers": ["h"]},
    }
    log = lines(tmp_path, PLAIN, files={"logging.json": json.dumps(config)})
    for text in ("printed-x", "logged by a logger", "not at this level", "warned by root"):
        assert log.count(f"OWN {text}") == 1


def test_a_logging_json_that_names_only_the_root_loses_nothing(tmp_path: Path) -> None:
    config = {
        "version": 1,
        "formatters": {"f": {"format": "OWN %(message)s"}},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
        "root": {"level": "INFO", "handlers": ["h"]},
    }
    log = lines(tmp_path, PLAIN, files={"logging.json": json.dumps(config)})
    for text in ("printed-x", "warned by root", "Stopped: every accepted request has been answered."):
        assert log.count(f"OWN {text}") == 1
    assert sum("is ready after" in line for line in log) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "logging.json cannot be used as logging configuration: Expecting property name"),
        ('{"version": 1, "handlers": {"h": {"class": "no.such.Handler"}}}', "Unable to configure handler 'h'"),
        ("[]", "logging.json cannot be used as logging configuration"),
    ],
)
def test_a_logging_json_that_cannot_be_used_ends_the_start(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(PLAIN)
    (tmp_path / "logging.json").write_text(content)
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py")
        assert server.process.wait(30) == 2
        server.line(re.escape(said))
        assert "Traceback" not in server.log


def test_requests_scored_together_are_named_by_the_first(tmp_path: Path) -> None:
    script = """
    import os, time
    def init(): pass
    def run(raw):
        open("started", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.005)
        return 1
    def run_many(raws):
        print("together", len(raws))
        return [1 for _ in raws]
    """
    (tmp_path / "score.py").write_text(textwrap.dedent(script))
    with serving(cwd=tmp_path) as serve, ThreadPoolExecutor(5) as threads:
        server = serve("--entry-script", "score.py", "--max-concurrent-requests-per-instance", "3").ready()

        def send(name: str) -> int:
            headers = {"x-request-id": name}
            return httpx.post(server.url + "/score", content=b"x", headers=headers, timeout=WAIT_SECONDS).status_code

        held = threads.submit(send, "held")
        wait_until((tmp_path / "started").exists)
        sent = [threads.submit(send, f"r{number}") for number in range(3)]
        # One is refused, so the two others wait.
        wait_until(lambda: any(one.done() for one in sent))
        (tmp_path / "go").touch()
        assert (held.result(), sorted(one.result() for one in sent)) == (200, [200, 200, 429])
        (line,) = [line for line in server.log.splitlines() if " together 2" in line]
        assert re.search(r" INFO \[\d+\] r[0-2]\+1 together 2$", line)
