"""Runs the servers of a case side by side, round by round."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import contenders, memory
from benchmarks.answers import check
from benchmarks.bodies import bodies
from benchmarks.cases import CASES, Rows
from benchmarks.contenders import TITLES
from benchmarks.errors import BenchmarkError, ContenderError
from benchmarks.floor import floor_of
from benchmarks.load import load
from benchmarks.results import CaseResult, Phase, Row, Start
from benchmarks.servers import Server, running

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.cases import Case, Key
    from benchmarks.progress import Progress

WARM_UP_SECONDS = 1

STARTED = CASES[0]
"""The case whose servers' start and memory are measured."""


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    rounds: int
    seconds: int
    connections: tuple[int, ...]

    def steps(self, cases: Sequence[Case]) -> int:
        """How many phases and starts that makes."""
        phases = sum(len(case.contenders) for case in cases) * len(self.connections)
        starts = sum(len(_started(case)) for case in cases if case is STARTED)
        return self.rounds * (phases + starts)


def train(case: Case, folder: Path) -> None:
    """Train the case's model into its folder. Raises BenchmarkError with the last words of what failed."""
    shutil.rmtree(folder, ignore_errors=True)
    words = [sys.executable, "-m", "benchmarks.models", case.model, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"The model {case.model} cannot be trained: {done.stderr.strip()[-500:]}")


def starts(case: Case, folder: Path, options: Options, progress: Progress) -> list[Start]:
    """Start each server several times, alone: seconds until it is ready, and the memory it takes before a request."""
    found = {key: Start(key=key, title=TITLES[key]) for key in _started(case)}
    for key, start in found.items():
        try:
            contenders.prepare(key, case, folder)
        except ContenderError as error:
            start.failed = str(error)
    for at in range(options.rounds):
        for key in _rotated(list(found), at):
            start = found[key]
            if start.failed is None:
                _start(key, case, folder, start)
            told = start.failed or f"{start.seconds[-1]:.2f} s, {start.memory_bytes[-1] / 1e6:.0f} MB"
            progress.step(f"({case.key}) start of {start.title}, round {at + 1}: {told}")
    return list(found.values())


def _started(case: Case) -> list[Key]:
    """The servers whose start and memory are compared."""
    return [key for key in case.contenders if key not in ("hello", "azmlinfsrv-generated")]


def _start(key: Key, case: Case, folder: Path, start: Start) -> None:
    try:
        with running(contenders.launch(key, case, folder), folder / f"{key}.log") as server:
            server.settle()
            start.seconds.append(server.start_seconds)
            start.memory_bytes.append(memory.memory_bytes(server.process.pid))
            start.processes = len(memory.tree(server.process.pid))
    except ContenderError as error:
        start.failed = str(error)


def run_case(case: Case, folder: Path, options: Options, progress: Progress) -> CaseResult:
    """Start all servers of the case, and put each round's phases to them in turn.

    All stay up, idle, while one is asked: the rounds of one are spread over the same minutes as those of the others.
    """
    asked = Rows.of(folder)
    rows = {key: Row(key=key, title=TITLES[key]) for key in case.contenders}
    with ExitStack() as stack:
        servers = {}
        for key, row in rows.items():
            try:
                contenders.prepare(key, case, folder)
                launch = contenders.launch(key, case, folder)
                servers[key] = stack.enter_context(running(launch, folder / f"{key}.log"))
            except ContenderError as error:
                row.failed = str(error)
                progress.step(f"({case.key}) {row.title}: {error}", options.rounds * len(options.connections))
        questions = {key: _Questions(key, case, folder, asked) for key in servers}
        floor = stack.enter_context(floor_of(case, folder, contenders.onnx_bundle(case, folder)))
        floors = []
        for at in range(options.rounds):
            for connections in options.connections:
                for key in _rotated(list(servers), at):
                    seconds = options.seconds
                    phase = _phase(servers[key], questions[key], connections, at, seconds)
                    rows[key].phases.append(phase)
                    told = f"{phase.load.requests_per_second:,.0f}/s" if phase.load else f"not counted: {phase.fault}"
                    progress.step(f"({case.key}) {rows[key].title}, {connections} connections, round {at + 1}: {told}")
            floors.append(floor.measure())
    return CaseResult(key=case.key, title=case.title, rows=list(rows.values()), floor=floors)


class _Questions:
    """What one server is asked, and the answers it must give."""

    def __init__(self, key: Key, case: Case, folder: Path, rows: Rows) -> None:
        self.bodies = bodies(rows, contenders.form(key), case.method)
        self.file = folder / f"bodies-{contenders.form(key)}.jsonl"
        self.file.write_text("".join(f"{body}\n" for body in self.bodies))
        self._expected = rows.answers[case.method]
        self._method = case.method
        self._fixed = key == "hello"

    def check(self, server: Server, at_once: int) -> None:
        """Raise ContenderError unless every answer is the model's; the bare route has no model."""
        if not self._fixed:
            check(server.url, self.bodies, self._expected, self._method, at_once=at_once)


def _phase(server: Server, questions: _Questions, connections: int, at: int, seconds: int) -> Phase:
    """Check every answer, then measure; a server's first phase of each kind begins with one that is not counted."""
    phase = Phase(round=at, connections=connections)
    try:
        questions.check(server, connections)
        if at == 0:
            load(server.url, questions.file, connections=connections, seconds=WARM_UP_SECONDS)
            server.settle()
        phase.load = load(server.url, questions.file, connections=connections, seconds=seconds)
    except ContenderError as error:
        phase.fault = str(error)
    # Otherwise what wrk has left behind in its queue would slow the next one.
    server.settle()
    return phase


def _rotated(keys: list[Key], by: int) -> list[Key]:
    """The same in an order that begins elsewhere each round."""
    by %= max(len(keys), 1)
    return keys[by:] + keys[:by]
