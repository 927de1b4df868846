"""Whether the scorers asked for fit into memory, and which of them goes first if they do not."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from scorewright.errors import ServiceError
from scorewright.memory import available, private

if TYPE_CHECKING:
    from collections.abc import Iterable

SOONER, MOST = 500, 1000
"""Of the kernel's oom_score_adj, a thousandth of the memory there is each; and the highest that there is."""


def require(scorers: int, pid: int, beside: Iterable[int] = ()) -> None:
    """Raise ServiceError if as many scorers as this process, which is one of them, do not fit beside other processes.

    What counts is the memory that it shares with nobody and has written to: each further one takes as much. The
    service's own process is one of the others.
    """
    own, room = private(pid), available()
    taken = sum(private(other) or 0 for other in (os.getpid(), *beside))
    if own is not None and room is not None and own * scorers + taken > room:
        raise ServiceError(
            f"worker_count is {scorers} and the first scorer has {_megabytes(own)} of its own: all take "
            f"{_megabytes(own * scorers)}, beside {_megabytes(taken)} of the service's other processes, and there are "
            f"{_megabytes(room)}.",
            hint="Ask for fewer scorers, or give the container more memory.",
        )


def expose(pid: int) -> None:
    """Have the kernel end this process sooner than the others if memory runs out: what is served goes on then."""
    _adjust(pid, min(_adjustment() + SOONER, MOST))


def shelter(pid: int) -> None:
    """Have the kernel end this process no sooner than the others."""
    _adjust(pid, _adjustment())


def _adjustment() -> int:
    try:
        return int(Path("/proc/self/oom_score_adj").read_text("ascii"))
    except OSError:
        return 0


def _adjust(pid: int, value: int) -> None:
    # Where the system does not take it, or the process has ended, all is as it would have been.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(value), "ascii")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
