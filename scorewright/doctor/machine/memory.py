"""How much memory there is; what a model takes of it, `doctor BUNDLE` measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok, skipped, warning
from scorewright.doctor.memory import OTHERS
from scorewright.doctor.words import megabytes
from scorewright.memory import available

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted

SMALL = 120_000_000
"""Bytes of a scorer's own with a small model; measured with a decision tree by scikit-learn."""


def look(wanted: Wanted) -> Outcome:
    have = wanted.memory or available()
    if have is None:
        return skipped("this system does not tell its memory", "Name it with --memory.")
    small = OTHERS + SMALL * wanted.worker_count
    if small > have:
        count = wanted.worker_count
        return warning(
            f"{megabytes(have)}, and {count} scorers of a small scikit-learn model take {megabytes(small)}",
            "Ask for fewer with --worker-count (WORKER_COUNT), or for more memory.",
        )
    return ok(f"{megabytes(have)}; what the scorers of a model take, `scorewright doctor BUNDLE` measures")


CHECK: Check[Wanted] = Check("memory", "the memory that there is for scorers", look)
