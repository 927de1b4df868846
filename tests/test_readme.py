"""The README's blocks, in order, as a reader would follow them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pandas as pd
import pytest

from tests.scripts import loaded
from tests.service.servers import serving

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCK = re.compile(r"<!-- test: ([\w ]+) -->\n```\w+\n(.*?)```", re.DOTALL)


def blocks(kind: str) -> list[str]:
    """The marked blocks of one kind."""
    return [text for found, text in BLOCK.findall(README) if found == kind]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder, after the first python and the first commands."""
    path = tmp_path_factory.mktemp("reader")
    program, _ = blocks("python")
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, cwd=path)
    (commands,) = blocks("commands")
    for line in commands.splitlines():
        run(line, path)
    return path


def run(line: str, folder: Path) -> str:
    """One line of a shell block, with this environment's scorewright first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", line], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_is_tried() -> None:
    assert README.count("```") // 2 == len(BLOCK.findall(README))


def test_serve_and_score(folder: Path) -> None:
    (serve,) = blocks("serve")
    words = serve.split()
    assert words[:2] == ["scorewright", "serve"]
    (curl,) = blocks("commands while serving")
    (answer,) = blocks("output")
    with serving() as start:
        server = start(str(folder / words[2])).ready()
        # curl --json is younger than some machines' curl; the request is the same.
        ((url, body),) = re.findall(r"curl --silent (\S+) --json '(.*)'", curl)
        assert url == "http://127.0.0.1:5001/score"
        posted = ["curl", "--silent", f"{server.url}/score", "-H", "Content-Type: application/json", "-d", body]
        assert json.loads(subprocess.run(posted, capture_output=True, check=True).stdout) == json.loads(answer)


def test_the_batch_block(folder: Path) -> None:
    (line,) = blocks("batch")
    run(line, folder)
    found = pd.read_parquet(folder / "scored" / "predictions.parquet")
    assert (len(found), found["error"].isna().all()) == (20, True)
    assert list(found.columns) == ["file", "row", "predict_proba_0", "predict_proba_1", "error"]


def test_the_load_test_block(folder: Path) -> None:
    (line,) = blocks("load test")
    with serving() as start:
        server = start(str(folder / "cancer")).ready()
        shorter = line.replace("http://127.0.0.1:5001", server.url).replace("--duration 5s", "--duration 1s")
        run(shorter, folder)
    report = json.loads((folder / "report" / "report.json").read_text())
    assert [scenario["name"] for scenario in report["measurements"]["scenarios"]] == [
        "realtime",
        "client-batch",
        "client-batch",
    ]
    assert (folder / "report" / "report.html").stat().st_size > 10_000


def test_the_notebook_block(folder: Path) -> None:
    first, second = blocks("python")
    shutil.rmtree(folder / "cancer-tree", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", first + second], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stdout == "dict_keys(['predict', 'predict_proba', 'predict_log_proba'])\n"


@pytest.mark.parametrize("request_", blocks("requests")[0].splitlines())
def test_the_requests_are_taken(folder: Path, request_: str) -> None:
    from scorewright.bundle import Bundle

    with loaded(Bundle.load(folder / "cancer")) as script:
        answer = script.run(request_)
    method = json.loads(request_).get("method", "predict_proba")
    assert list(answer) == [method]
    assert answer[method] == ([1, 0] if method == "predict" else [pytest.approx([0.18292683, 0.81707317])])


def test_the_refusal_is_as_quoted(folder: Path) -> None:
    from scorewright.bundle import Bundle

    with loaded(Bundle.load(folder / "cancer")) as script:
        message = json.loads(script.run('{"data": [[1, 2, 3]]}').get_data())["message"]
    assert f"`{message}`" in README


def test_the_entry_script_block(folder: Path, tmp_path: Path) -> None:
    """With a bundle's script, which is one as any other."""
    (line,) = blocks("entry script")
    words = line.split()
    assert words[:2] == ["scorewright", "serve"]
    assert words[-2:] == ["--port", "5001"]
    shutil.copy(folder / "cancer" / "score.py", tmp_path)
    shutil.copytree(folder / "cancer" / "model", tmp_path / "models" / "model")
    with serving(cwd=tmp_path) as start:
        server = start(*words[2:-2]).ready()
        answer = httpx.post(f"{server.url}/score", json={"data": [13.2, 25.3, 84.1, 537.9], "method": "predict"})
        assert answer.json() == {"predict": [1]}
