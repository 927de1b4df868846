"""What wrk says, and wrk itself."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.errors import BenchmarkError, ContenderError
from benchmarks.load import load, read, require
from tests.benchmarks.servers import answering

if TYPE_CHECKING:
    from pathlib import Path

SEEN = {
    "requests": 5000,
    "microseconds": 2_000_000,
    "refused": 0,
    "broken": 0,
    "late": 0,
    "p50": 380,
    "p90": 550,
    "p99": 2754,
    "max": 7226,
}


def output(**other: int) -> str:
    return f"Running 2s test @ http://127.0.0.1:1\n  Latency Distribution\n{json.dumps({**SEEN, **other})}\n"


def test_the_last_line_is_read() -> None:
    found = read(output())
    assert found.requests_per_second == 2500
    assert (found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms) == (0.38, 0.55, 2.754, 7.226)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"refused": 3}, "of 5000 requests: 3 not 2xx"),
        ({"broken": 1, "late": 2}, "of 5000 requests: 1 connections broken, 2 too late"),
        ({"requests": 0}, "nothing was answered in 2 s"),
    ],
)
def test_a_figure_with_failures_does_not_count(other: dict[str, int], message: str) -> None:
    with pytest.raises(ContenderError, match=f"^{message}$"):
        read(output(**other))


@pytest.mark.parametrize("text", ["", "unable to connect", '{"requests": 1}', "[]"])
def test_anything_else_is_not_read(text: str) -> None:
    with pytest.raises(BenchmarkError, match=r"something else than wrk\.lua"):
        read(text)


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchmarkError, match="apt-get install wrk"):
        require()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed; .ci/run installs it")
def test_wrk_asks_every_body_in_turn(tmp_path: Path) -> None:
    bodies = [json.dumps({"data": [[number, "ü"]]}, ensure_ascii=False) for number in range(10)]
    file = tmp_path / "bodies.jsonl"
    file.write_text("".join(f"{body}\n" for body in bodies))

    def answer(row: Any) -> tuple[int, Any]:
        return (404 if refuse and row[0] == 7 else 200), row

    with answering(answer) as asked:
        refuse = False
        found = load(asked.url, file, connections=1, seconds=1)
        first = bodies.index(asked[0])
        assert asked[: len(bodies)] == bodies[first:] + bodies[:first]
        assert found.requests <= len(asked)
        refuse = True
        with pytest.raises(ContenderError, match=r"^of \d+ requests: \d+ not 2xx$"):
            load(asked.url, file, connections=4, seconds=1)
