"""How far a batch job is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Step = Literal["planning", "scoring", "assembling", "done"]


@dataclass(frozen=True)
class ItemError:
    """Something that was not scored: a row of a file (`row` from 0), a file, or (`row` None) all that is named."""

    file: str
    row: int | None
    message: str


@dataclass(frozen=True)
class Progress:
    """Counts so far. Items are rows where the mini-batches have rows, else files; None is not yet known."""

    step: Step = "planning"
    mini_batches_total: int | None = None
    mini_batches_done: int = 0
    mini_batches_failed: int = 0
    items_total: int | None = None
    items_done: int = 0
    items_failed: int = 0
    retries: int = 0
    errors: tuple[ItemError, ...] = field(default=())
    """The first errors, at most ERRORS_KEPT."""


ERRORS_KEPT = 100
"""How many errors are told in full; all of them are in errors.jsonl beside the results."""
