"""`python -m benchmarks.hour`: an hour's worth of requests to a Keras bundle with several scorers, as fast as they go.

Every answer is compared with the model's own. At 20 requests a second an hour has 72,000.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import httpx

from benchmarks.cases import Rows
from benchmarks.models import train
from scorewright import memory
from scorewright.difference import difference
from scorewright.score.generator import generate
from tests.service.servers import WAIT_SECONDS, serving

HOUR = 72_000
CLIENTS = 8

START_SECONDS = 300.0
"""How long TensorFlow may take to load where others are at work, too."""


@dataclass
class Hour:
    """`memory` is what the scorers had of their own, in bytes, after a tenth and at the end."""

    sent: int
    right: int
    wrong: list[str]
    seconds: float
    scorers: int
    replaced: int
    memory: tuple[int, int]

    def __str__(self) -> str:
        early, late = (size / 1e6 for size in self.memory)
        return (
            f"{self.sent} requests in {self.seconds:.0f} s, {self.sent / self.seconds:.0f} a second: {self.right} "
            f"answered rightly, {len(self.wrong)} not; {self.replaced} of {self.scorers} scorers replaced; memory "
            f"{early:.0f} MB after a tenth, {late:.0f} MB at the end."
        )


def run(folder: Path, requests: int, scorers: int) -> Hour:
    """Train, generate, serve, ask and compare."""
    # A process of its own would be needed only to keep TensorFlow out of this one; the service is one.
    train("network", folder)
    bundle = folder / "bundle"
    generate(folder / "model.keras", sample=folder / "sample.npy", out=bundle)
    rows = Rows.of(folder)
    bodies = [json.dumps({"data": [row]}) for row in rows.rows]
    with serving(cwd=folder) as serve:
        server = serve(str(bundle), "--worker-count", str(scorers)).listening()
        end = time.monotonic() + START_SECONDS
        while httpx.get(server.url + "/readyz", timeout=WAIT_SECONDS).json().get("scorers") != scorers:
            if time.monotonic() > end or server.process.poll() is not None:
                raise AssertionError(f"the service is not ready:\n{server.log}")
            time.sleep(0.1)
        pids = server.scorers()
        port = httpx.URL(server.url).port or 0
        asked = iter(range(requests))
        lock = threading.Lock()
        wrong: list[str] = []
        sizes: list[int] = []

        def client() -> None:
            with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)) as connection:
                ask(connection)

        def ask(connection: HTTPConnection) -> None:
            while True:
                with lock:
                    number = next(asked, None)
                if number is None:
                    return
                if number == requests // 10:
                    sizes.append(_own(pids))
                at = number % len(bodies)
                connection.request("POST", "/score", bodies[at], {"content-type": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
                expected = {"predict": [rows.answers["predict"][at]]}
                said = difference(expected, json.loads(body)) if answer.status == 200 else body.decode()
                if said:
                    with lock:
                        wrong.append(f"request {number}: {answer.status} {said}")

        begun = time.monotonic()
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begun
        left = next(asked, None)
        if left is not None:
            raise AssertionError(f"a client broke off: request {left} was never sent")
        replaced = len(set(pids) - set(server.scorers()))
        sizes.append(_own(pids))
    return Hour(requests, requests - len(wrong), wrong, seconds, scorers, replaced, (sizes[0], sizes[-1]))


def _own(pids: list[int]) -> int:
    return sum(memory.private(pid) or 0 for pid in pids)


def main(words: list[str]) -> int:
    """Run it; 0 if every request was answered rightly by the scorers that began."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hour", description=__doc__)
    parser.add_argument("--requests", type=int, default=HOUR)
    parser.add_argument("--scorers", type=int, default=2)
    told = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        hour = run(Path(folder), told.requests, told.scorers)
    print(hour, *hour.wrong[:5], sep="\n")
    return int(bool(hour.wrong) or hour.replaced > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
