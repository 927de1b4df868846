"""Whether as many scorers as are asked for fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Outcome, failed, ok, skipped, warning
from scorewright.doctor.words import megabytes
from scorewright.memory import available

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted

OTHERS = 50_000_000
"""Bytes of the service's main process with the front in it; measured, at rest: 43 MB of its own."""

FULL = 0.8
"""From this part of the memory on there is little left for requests."""


def judge(wanted: Wanted, scorer: int, how: str) -> Outcome:
    """`scorer` is what one takes, in bytes; `how` says how that is known."""
    have = wanted.memory or available()
    if have is None:
        return skipped(f"this system does not tell its memory; {how}", "Name it with --memory.")
    needed = OTHERS + scorer * wanted.worker_count
    count = f"{wanted.worker_count} scorer" + ("s" if wanted.worker_count > 1 else "")
    said = f"{how}: {count} and the front take {megabytes(needed)} of {megabytes(have)}"
    most = int((have * FULL - OTHERS) // max(scorer, 1))
    remedy = (
        f"Ask for {most} with --worker-count (WORKER_COUNT), or for more memory with --memory."
        if most > 0
        else f"Give it {megabytes(needed / FULL)} with --memory."
    )
    if needed > have:
        return failed(said, remedy)
    return warning(said, remedy) if needed > FULL * have else ok(said)
