"""Shows how a load test comes along: a line that changes on a terminal, a new one every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.status import Status

from scorewright.loadtests.recorder import Cell

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from scorewright.loadtests.locust_process import Progress

EVERY_SECONDS = 5.0


class Display:
    """Writes to `console`; a context manager, so that the line is cleared whatever happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("starting …", console=console)
        self._what = ""
        self._seconds = 0.0
        self._gathered, self._took = Cell(), 0.0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._status.stop()

    def begin(self, what: str, seconds: float) -> None:
        """Something begins that is counted for so many seconds."""
        self._what, self._seconds = what, seconds
        self._gathered, self._took, self._last = Cell(), 0.0, time.monotonic()
        self._show(f"{what} …", now=True)

    def tick(self, progress: Progress) -> None:
        """What came back in the last second."""
        self._gathered.merge(progress.cell)
        self._took += progress.took
        self._show(f"{self._what}: {worded(progress.elapsed, self._seconds, self._gathered, self._took)}")

    def job(self, done: int, total: int | None) -> None:
        """So many rows of a batch job are done."""
        self._show(f"{self._what}: {done:,} of {'?' if total is None else f'{total:,}'} rows")

    def _show(self, line: str, *, now: bool = False) -> None:
        if self._console.is_terminal:
            self._status.update(line)
            self._gathered, self._took = Cell(), 0.0
        elif now or time.monotonic() - self._last >= EVERY_SECONDS:
            self._last = time.monotonic()
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._gathered, self._took = Cell(), 0.0


def worded(elapsed: float, seconds: float, cell: Cell, took: float) -> str:
    """How far it is and how it goes: elapsed time, rate, latencies, errors."""
    at = "warming up" if elapsed < 0 else f"{min(elapsed, seconds):.0f} of {seconds:.0f} s"
    latency, failed = cell.latency, sum(cell.failures.values())
    p50, p99 = latency.percentile(50), latency.percentile(99)
    times = f", p50 {p50:.1f} ms, p99 {p99:.1f} ms" if p50 is not None and p99 is not None else ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in cell.failures.items())
    return (
        f"{at}, {cell.requests / took:.0f} requests/s{times}, {f'{failed} failed: {kinds}' if failed else 'no errors'}"
    )
