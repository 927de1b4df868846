"""`python -m benchmarks`: measure, and write results.json, table.md and throughput.svg."""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import contenders, load, plot, report, run, targets
from benchmarks.cases import CASES, Case
from benchmarks.errors import BenchmarkError
from benchmarks.machine import machine, versions
from benchmarks.progress import Progress
from benchmarks.results import Results

WORK = contenders.ROOT / ".cache/bench"
"""Models, bundles and the servers' logs; made anew by each run."""


def main(arguments: list[str]) -> int:
    """Run the benchmark; the exit code."""
    told = _parser().parse_args(arguments)
    try:
        _run(told.models, run.Options(told.rounds, told.seconds, told.connections), told.out, arguments)
    except BenchmarkError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(cases: tuple[Case, ...], options: run.Options, out: Path, arguments: list[str]) -> None:
    wrk = load.require()
    for server in (contenders.JUDGE / "azmlinfsrv", contenders.MLSERVER / "mlserver"):
        if not server.is_file():
            raise BenchmarkError(f"There is no {server}. `make bench` installs it.")
    results = Results(
        when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=shlex.join(["python", "-m", "benchmarks", *arguments]),
        rounds=options.rounds,
        seconds=options.seconds,
        connections=list(options.connections),
        machine=machine(),
        versions=versions(wrk),
        cases=[],
        starts=[],
    )
    progress = Progress(options.steps(cases))
    for case in cases:
        folder = WORK / case.key
        progress.note(f"({case.key}) {case.title}: training; logs will be in {folder}")
        run.train(case, folder)
        if case is run.STARTED:
            results.starts = run.starts(case, folder, options, progress)
        results.cases.append(run.run_case(case, folder, options, progress))
    results.verdicts = targets.verdicts(results)
    _write(results, out)


def _write(results: Results, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = report.table(results)
    (out / "results.json").write_text(results.model_dump_json(indent=1) + "\n")
    (out / "table.md").write_text(text)
    plot.plot(results, out / "throughput.svg")
    page = out.with_suffix(".md")
    if page.is_file():
        report.quote(page, text)
    print(f"\n{text}\nWritten: {out}/results.json, table.md, throughput.svg{f', {page}' if page.is_file() else ''}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=5, help="rounds, of which the median counts (5)")
    parser.add_argument("--seconds", type=_positive, default=2, help="seconds of load for each server in a round (2)")
    parser.add_argument("--models", type=_cases, default=CASES, help="letters of models, as a,b (all)")
    parser.add_argument("--connections", type=_connections, default=(1, 32, 128), help="as 1,32,128 (that)")
    out = "where to write; the page of that name beside it quotes the table (out/bench)"
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help=out)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def _cases(text: str) -> tuple[Case, ...]:
    asked = {letter.strip() for letter in text.split(",")}
    unknown = asked - {case.key for case in CASES}
    if unknown:
        letters = ", ".join(case.key for case in CASES)
        raise argparse.ArgumentTypeError(f"there is no model {', '.join(sorted(unknown))}; there are {letters}")
    return tuple(case for case in CASES if case.key in asked)


def _connections(text: str) -> tuple[int, ...]:
    return tuple(_positive(number) for number in text.split(","))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
