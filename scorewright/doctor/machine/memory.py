"""How much memory there is; what a model takes of it, `doctor BUNDLE` measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped
from scorewright.doctor.memory import OTHERS
from scorewright.doctor.room import room
from scorewright.doctor.words import megabytes

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted

LEAST = 50_000_000
"""Bytes of a scorer's own with the smallest models: Python, numpy, scikit-learn and a tree."""


def look(wanted: Wanted) -> Outcome:
    have = wanted.memory or room()
    if have is None:
        return skipped("this system does not tell its memory", "Name it with --memory.")
    least = OTHERS + LEAST * wanted.worker_count
    if least > have:
        return failed(
            f"{megabytes(have)}, and {wanted.worker_count} scorers of even a small model take {megabytes(least)}",
            "Ask for fewer with --worker-count (WORKER_COUNT), or for more memory.",
        )
    return ok(f"{megabytes(have)}; what the scorers of a model take, `scorewright doctor BUNDLE` measures")


CHECK: Check[Wanted] = Check("memory", "the memory that there is for scorers", look)
