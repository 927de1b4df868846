"""A container under load while its scorers are killed, get stuck in C and run out of memory."""

from __future__ import annotations

import asyncio
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.docker.running import DEADLINE, wait_for

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from scorewright.build.image import Image
    from tests.docker.running import Engine, Running

pytestmark = pytest.mark.docker

SCRIPT = """
import collections, itertools, json, os

def init():
    pass

def run(raw):
    request = json.loads(raw)
    if request["do"] == "stick":
        collections.deque(itertools.repeat(0), maxlen=0)
    if request["do"] == "exit":
        os._exit(0)
    if request["do"] == "leak":
        kept = []
        while True:
            kept.append(bytearray(8_000_000))
    return request["number"]

def run_many(raws):
    return [run(raw) for raw in raws]
"""
DIED = "The process scoring this request ended unexpectedly. Check the logs for more info."
CLIENTS = 32


def test_only_what_is_at_fault_fails(
    engine: Engine, tree_image: Image, containers: ExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "score.py").write_text(textwrap.dedent(SCRIPT))
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755)
    running = engine.run(
        tree_image.tag,
        containers,
        command=["scorewright", "serve", "--entry-script", "/code/score.py", "--worker-count", "2"],
        volumes={str(tmp_path): {"bind": "/code", "mode": "ro"}},
        mem_limit="256m",
        memswap_limit="256m",
    ).until_healthy()
    faults, told = asyncio.run(_run(running))
    assert faults == {
        "kill -9": None,
        "stick": (500, "Scoring timeout after 500 ms"),
        "leak": (500, DIED),
        "exit": (500, DIED),
    }
    right, lost = told.pop("right"), told.pop(DIED, 0)
    assert told == {}
    # Killed while they were scored by themselves: one for the kill from outside.
    assert lost <= 1
    assert right > 1000
    assert running.score({"do": "echo", "number": 5}).json() == 5
    with capsys.disabled():
        print(f"\nsent {right + lost + 3}, answered {right}, lost {lost} with 4 scorers killed; faults: {faults}")  # noqa: T201


async def _run(running: Running) -> tuple[dict[str, tuple[int, str] | None], Counter[str]]:
    """Each fault's own answer, and how the requests of the others were answered."""
    told: Counter[str] = Counter()
    done = asyncio.Event()
    limits = httpx.Limits(max_connections=CLIENTS + 1)
    async with httpx.AsyncClient(base_url=running.url, timeout=DEADLINE, limits=limits) as client:

        async def ask_on(number: int) -> None:
            while not done.is_set():
                answer = await client.post("/score", json={"do": "echo", "number": number})
                said = answer.json()
                told["right" if (answer.status_code, said) == (200, number) else said["message"]] += 1
                number += CLIENTS

        async def fault(do: str) -> tuple[int, str]:
            headers = {"x-scoring-timeout-ms": "500"} if do == "stick" else {}
            answer = await client.post("/score", json={"do": do, "number": -1}, headers=headers)
            return answer.status_code, answer.json()["message"]

        asking = [asyncio.create_task(ask_on(number)) for number in range(CLIENTS)]
        faults: dict[str, tuple[int, str] | None] = {}
        for do in ("kill -9", "stick", "leak", "exit"):
            before = told["right"]
            if do == "kill -9":
                faults[do] = None
                await asyncio.to_thread(_kill_one, running)
            else:
                faults[do] = await fault(do)
            await asyncio.to_thread(_two_scorers, running)
            while told["right"] < before + 500:
                await asyncio.sleep(0.05)
        done.set()
        await asyncio.gather(*asking)
    return faults, told


def _kill_one(running: Running) -> None:
    before = running.logs.count("It is replaced")
    victim = _scorers(running)[0]
    assert running.exec("sh", "-c", f"kill -KILL {victim}")[0] == 0
    wait_for("the death", lambda: running.logs.count("It is replaced") > before or None)


def _two_scorers(running: Running) -> None:
    url = f"{running.url}/readyz"
    wait_for("two scorers", lambda: httpx.get(url, timeout=DEADLINE).json().get("scorers") == 2 or None)


def _scorers(running: Running) -> list[str]:
    words = "for p in /proc/[0-9]*; do grep -qs service.scorer $p/cmdline && echo ${p#/proc/}; done; true"
    return running.exec("sh", "-c", words)[1].split()
