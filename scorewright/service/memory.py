"""Whether the scorers asked for fit into memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scorewright.errors import ServiceError
from scorewright.memory import available, private

if TYPE_CHECKING:
    from collections.abc import Iterable


def require(scorers: int, pid: int, beside: Iterable[int] = ()) -> None:
    """Raise ServiceError if as many scorers as this process, which is one of them, do not fit beside other processes.

    What counts is the memory that it shares with nobody and has written to: each further one takes as much. The
    service's own process is one of the others.
    """
    own, room = private(pid), available()
    taken = sum(private(other) or 0 for other in (os.getpid(), *beside))
    if own is not None and room is not None and own * scorers + taken > room:
        raise ServiceError(
            f"worker_count is {scorers} and the first scorer has {_megabytes(own)} of its own: "
            f"all take {_megabytes(own * scorers)}, beside {_megabytes(taken)} of the service's other processes, and there are {_megabytes(room)}.",
            hint="Ask for fewer scorers, or give the container more memory.",
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
