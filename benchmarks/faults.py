"""`python -m benchmarks.faults`: faults injected into a real service under constant load, counted, as a table.

Every request of the clients is accounted for: answered rightly, failed with an explanation, cut off with a process that
was killed, or lost, which must not be.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.injected import FAULTS, SCRIPT, Fault
from tests.service.load import Load
from tests.service.servers import WAIT_SECONDS, runs, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from tests.service.servers import Server

SCORERS = 2
REGAINED = 0.9
"""The share of the throughput before a fault that must be back, for a second."""


@dataclass
class Outcome:
    """What became of the clients' requests, and of those that made the fault."""

    fault: Fault
    sent: int = 0
    answered: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    lost: int = 0
    own: list[str] = field(default_factory=list)
    recovered: float = 0.0
    regained: float | None = None
    points: int = 0
    injected: int = 0
    hit: list[int] = field(default_factory=list)


def amid_requests(server: Server, inject: Callable[[], None]) -> None:
    """While others are scored."""
    del server
    inject()


def twice_at_once(server: Server, inject: Callable[[], None]) -> None:
    """As many times at once as there are scorers."""
    del server
    with ThreadPoolExecutor(SCORERS) as threads:
        for one in [threads.submit(inject) for _ in range(SCORERS)]:
            one.result()


def amid_a_reload(server: Server, inject: Callable[[], None]) -> None:
    """While another generation is made ready."""
    before = server.log.count("Reloaded: ")
    server.process.send_signal(signal.SIGHUP)
    inject()
    wait_until(lambda: server.log.count("Reloaded: ") > before)


def again_at_once(server: Server, inject: Callable[[], None]) -> None:
    """And again before what it broke is mended."""
    del server
    inject()
    inject()


POINTS = (amid_requests, twice_at_once, again_at_once, amid_a_reload)


def run(
    fault: Fault,
    folder: Path,
    points: Sequence[Callable[[Server, Callable[[], None]], None]],
    *,
    throughput: bool = False,
) -> Outcome:
    """Serve, load, inject the fault at each point, and count; with `throughput`, wait until it is back, too."""
    outcome = Outcome(fault, points=len(points))
    bundle = write_bundle(folder / "bundle", SCRIPT)
    flags = ["--worker-count", str(SCORERS), "--http-workers", "2", *fault.flags]
    with serving(cwd=folder) as serve:
        server = serve(str(bundle), *flags).ready()
        wait_until(lambda: _whole(server))
        with Load(server, {"do": "echo"}, clients=8) as load:
            for point in points:
                load.more(100)
                before = _throughput(load) if throughput else 0
                begun = time.monotonic()
                point(server, lambda: _inject(server, fault, outcome))
                wait_until(lambda: _whole(server))
                load.more(100)
                outcome.recovered = max(outcome.recovered, time.monotonic() - begun)
                if throughput:
                    outcome.regained = max(outcome.regained or 0.0, _regained(load, begun, before))
        _count(load, outcome)
        if fault.do == "close_stdout":
            server.line("said after stdout was closed")
        if fault.do == "fork_and_end":
            wait_until(lambda: not _sleepers(bundle))
        if server.end() != 0:
            raise AssertionError(f"{fault.name}: the service did not end well:\n{server.log}")
    return outcome


def run_without_the_main_process(folder: Path) -> Outcome:
    """Kill the main process amid requests, see the others end, and start it again, as an orchestrator would."""
    outcome = Outcome(Fault("The main process is killed, and started again", cuts=True), points=1, injected=1)
    bundle = write_bundle(folder / "bundle", SCRIPT)
    with serving(cwd=folder) as serve:
        flags = [str(bundle), "--worker-count", str(SCORERS), "--http-workers", "2"]
        server = serve(*flags).ready()
        wait_until(lambda: _whole(server))
        with Load(server, {"do": "echo"}, clients=8) as load:
            load.more(500)
            others = [*server.scorers(), *server.fronts()]
            begun = time.monotonic()
            load.stop()
            server.process.kill()
        _count(load, outcome)
        wait_until(lambda: not any(runs(pid) for pid in others))
        again = serve(*flags, SCOREWRIGHT_PORT=str(httpx.URL(server.url).port)).ready()
        wait_until(lambda: _whole(again))
        outcome.recovered = time.monotonic() - begun
        if again.end() != 0:
            raise AssertionError(f"{outcome.fault.name}: the service did not end well:\n{again.log}")
    return outcome


def _throughput(load: Load) -> int:
    """Answers within a second from now."""
    now = time.monotonic()
    wait_until(lambda: time.monotonic() > now + 1)
    return load.told(now, now + 1)


def _regained(load: Load, begun: float, before: int) -> float:
    """Seconds after `begun` at which a second ended that had as many answers as it should."""

    def found() -> float | None:
        at, now = begun, time.monotonic()
        while at + 1 <= now:
            if load.told(at, at + 1) >= REGAINED * before:
                return at + 1 - begun
            at += 0.1
        return None

    wait_until(lambda: found() is not None)
    return found() or 0.0


def _inject(server: Server, fault: Fault, outcome: Outcome) -> None:
    outcome.injected += 1
    if fault.victims is not None:
        _signal(server, fault.victims, fault.number, outcome)
        return
    headers = {"x-scoring-timeout-ms": "500"} if "hang" in fault.do else {}
    answer = httpx.post(server.url + "/score", json={"do": fault.do}, headers=headers, timeout=WAIT_SECONDS)
    said = answer.json()
    outcome.own.append(said if answer.status_code == 200 else said["message"])


def _signal(server: Server, victims: Callable[[Server], list[int]], number: signal.Signals, outcome: Outcome) -> None:
    """Send it to one that has not had it yet, as soon as there is one."""
    while True:
        fresh = [pid for pid in victims(server) if pid not in outcome.hit]
        if fresh or number is not signal.SIGKILL:
            break
        time.sleep(0.01)
    victim = (fresh or victims(server))[0]
    outcome.hit.append(victim)
    os.kill(victim, number)
    if number is signal.SIGKILL:
        wait_until(lambda: not runs(victim))


def _whole(server: Server) -> bool:
    """Whether every front has every scorer, as far as several new connections tell."""
    if len(server.fronts()) != 1:
        return False
    told = [httpx.get(server.url + "/readyz", timeout=WAIT_SECONDS) for _ in range(8)]
    return all(answer.status_code == 200 and answer.json()["scorers"] == SCORERS for answer in told)


def _sleepers(bundle: Path) -> list[str]:
    """Processes without a parent that hold the bundle's script in their environment: what a scorer has left behind."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()
            if parent[0] != "Z" and parent[1] == "1" and str(bundle).encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def _count(load: Load, outcome: Outcome) -> None:
    right = (200, '"right"')
    outcome.sent, outcome.cut, outcome.lost = load.sent, load.cut, load.lost
    outcome.answered = load.answers[right]
    outcome.failed = _words(load.answers, right)


def _words(answers: Counter[tuple[int, str]], right: tuple[int, str]) -> dict[str, int]:
    return {f"{status} {body}": count for (status, body), count in answers.items() if (status, body) != right}


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes, as a Markdown table."""
    lines = [
        "| Fault | Injected | Its own requests were answered | Others sent | Answered | Failed, explained | Cut off "
        "| Lost | Whole again after | Throughput back after |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        own = ", ".join(f"{one.own.count(said)} × “{said}”" for said in dict.fromkeys(one.own)) or "–"
        failed = ", ".join(f"{count} × {said}" for said, count in one.failed.items()) or "0"
        back = "–" if one.regained is None else f"{one.regained:.1f} s"
        lines.append(
            f"| {one.fault.name} | {one.injected} times at {one.points} points | {own} | {one.sent} | {one.answered} "
            f"| {failed} | {one.cut} | {one.lost} | {one.recovered:.1f} s | {back} |"
        )
    return "\n".join(lines) + "\n"


def main(words: Sequence[str]) -> int:
    """Run every fault at every point; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--out", type=Path, help="a page, whose table between its two marks is written anew")
    told = parser.parse_args(words)
    outcomes = []
    for fault in (*FAULTS, None):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            outcomes.append(
                run_without_the_main_process(folder) if fault is None else run(fault, folder, POINTS, throughput=True)
            )
        print(table(outcomes[-1:]).splitlines()[-1], flush=True)
    if told.out is not None:
        head, mark, rest = told.out.read_text("utf-8").partition("<!-- table -->\n")
        told.out.write_text(head + mark + table(outcomes) + "<!-- end -->" + rest.partition("<!-- end -->")[2], "utf-8")
    return int(any(one.lost for one in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
