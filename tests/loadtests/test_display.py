from __future__ import annotations

import io

from rich.console import Console

from scorewright.loadtests.display import Display, worded
from scorewright.loadtests.locust_process import Progress
from scorewright.loadtests.recorder import Cell


def cell(*latencies: float, failed: int = 0) -> Cell:
    found = Cell()
    for latency in latencies:
        found.add(latency, "", 1, 1)
    for _ in range(failed):
        found.add(0.0, "HTTP 503", 1, 1)
    return found


def test_progress_says_how_far_it_is_how_fast_and_what_failed() -> None:
    assert (
        worded(12.3, 30, cell(2.0, 2.0, 2.0, 2.0), 2.0) == "12 of 30 s, 2 requests/s, p50 2.0 ms, p99 2.0 ms, no errors"
    )
    assert worded(-1.0, 30, cell(failed=3), 1.0) == "warming up, 3 requests/s, 3 failed: 3 HTTP 503"


def test_a_terminal_shows_each_second_and_leaves_nothing_behind() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100)
    with Display(console) as display:
        display.begin("realtime", 10)
        display.tick(Progress(1.0, 1.0, cell(5.0)))
        display.tick(Progress(2.0, 1.0, cell(7.0)))
    assert written.getvalue().rstrip().endswith("\x1b[2K")


def test_elsewhere_it_is_a_line_at_the_beginning_and_one_every_few_seconds() -> None:
    written = io.StringIO()
    with Display(Console(file=written, width=40)) as display:
        display.begin("realtime, one row a request", 10)
        display.tick(Progress(1.0, 1.0, cell(5.0)))
    assert written.getvalue() == "realtime, one row a request …\n"
