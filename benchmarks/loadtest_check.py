"""`python -m benchmarks.loadtest_check URL BUNDLE`: `scorewright loadtest` beside wrk, on one server and one payload.

Both ask with the same requests over as many connections, by turns, since a machine is not as fast at every moment.
wrk spends next to nothing on a request; where the two differ, it is what Locust costs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load
from benchmarks.errors import BenchmarkError
from scorewright.loadtests.plan import Plan
from scorewright.loadtests.report import read

TURNS = 3


@dataclass(frozen=True)
class Figures:
    """What one of the two found, the medians of all turns."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    """Print a table of both, and what Locust finds in shares of what wrk does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the scoring URL")
    parser.add_argument("bundle", type=Path, help="the bundle that it serves")
    parser.add_argument("--users", default="1,2,4,8", help="numbers of connections, separated by commas")
    parser.add_argument("--seconds", type=int, default=10, help="how long each turn is")
    given = parser.parse_args()
    load.require()
    print("| connections | | requests/s | p50 ms | p99 ms |\n|---:|---|---:|---:|---:|")
    for users in map(int, given.users.split(",")):
        ours, theirs = compared(given.url, given.bundle, users, given.seconds)
        for name, found in (("wrk", theirs), ("loadtest", ours)):
            figures = f"{found.requests_per_second:.0f} | {found.p50_ms:.3f} | {found.p99_ms:.3f}"
            print(f"| {users} | {name} | {figures} |")
        rate, p50 = ours.requests_per_second / theirs.requests_per_second, ours.p50_ms / theirs.p50_ms
        print(f"| {users} | loadtest / wrk | {rate:.2f} | {p50:.2f} | {ours.p99_ms / theirs.p99_ms:.2f} |", flush=True)


def compared(url: str, bundle: Path, users: int, seconds: int) -> tuple[Figures, Figures]:
    """`scorewright loadtest`'s figures and wrk's."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies.jsonl"
        plan = Path(folder) / "plan.json"
        _command(url, "--bundle", str(bundle), "--scenario", "realtime", "--plan", str(plan))
        bodies.write_text("".join(f"{payload.body}\n" for payload in Plan.read(plan).payloads))
        for turn in range(TURNS):
            found = load.load(url, bodies, connections=users, seconds=seconds)
            theirs.append(Figures(found.requests_per_second, found.p50_ms, found.p99_ms))
            ours.append(_ours(url, bundle, users, seconds, Path(folder) / f"report-{turn}"))
    return _median(ours), _median(theirs)


def _ours(url: str, bundle: Path, users: int, seconds: int, out: Path) -> Figures:
    words = ("--users", str(users), "--duration", f"{seconds}s", "--out", str(out))
    _command(url, "--bundle", str(bundle), "--scenario", "realtime", *words)
    (scenario,) = read(out).scenarios
    p50, p99 = scenario.latency.percentile(50), scenario.latency.percentile(99)
    if p50 is None or p99 is None:
        raise BenchmarkError(f"loadtest measured nothing: {json.dumps(scenario.failures)}")
    return Figures(scenario.requests_per_second, p50, p99)


def _command(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scorewright", "loadtest", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"scorewright loadtest ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def _median(turns: list[Figures]) -> Figures:
    return Figures(
        statistics.median(turn.requests_per_second for turn in turns),
        statistics.median(turn.p50_ms for turn in turns),
        statistics.median(turn.p99_ms for turn in turns),
    )


if __name__ == "__main__":
    main()
