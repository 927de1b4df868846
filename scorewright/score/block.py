"""How many rows a call of the model must have for a row's answer to be the same, bit for bit, in any company.

Linear algebra sums in another order when a call has few rows, or a number of rows that does not fill the
processor's registers: the last digits of an answer then depend on how many rows are scored together. If every call
is padded to a multiple of some block, by repeating its last row, they do not.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BLOCKS = (1, 2, 4, 8, 16, 32)
SIZES = (256, 129, 128, 100, 64, 33, 32, 31, 17, 16, 15, 8, 7, 5, 3, 2)
"""How many rows come together in a trial; each row is tried alone, too."""

SEED = 20261121

ALONE = "Answers depend, in their last digits, on what is scored with them: each request is scored by itself."
"""The note of a model without a block."""


def smallest_block(
    answers: Callable[[list[int]], Sequence[Any]], count: int, blocks: Sequence[int] = BLOCKS
) -> int | None:
    """The first of `blocks` with which each of `count` rows has one answer, whatever rows come with it; None: none.

    answers  scores the rows at these places, each from 0 to count - 1, with one call of the model; it gives one or
             more numpy arrays whose first dimension is the place
    """
    return next((block for block in blocks if _is_steady(answers, count, block)), None)


def padded(places: list[int], block: int) -> list[int]:
    """The places, the last repeated up to a multiple of `block`."""
    return places + places[-1:] * (-len(places) % block)


def is_dear(answers: Callable[[list[int]], object], rows: int) -> bool:
    """Whether a call with so many rows takes much longer than one with a single row."""
    return _seconds(answers, rows) > 1.5 * _seconds(answers, 1) + 0.0002


def _seconds(answers: Callable[[list[int]], object], rows: int) -> float:
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        answers([0] * rows)
        times.append(time.perf_counter() - begun)
    return min(times)


def _is_steady(answers: Callable[[list[int]], Sequence[Any]], count: int, block: int) -> bool:
    chance = random.Random(SEED)  # noqa: S311  # no secret: a trial that can be repeated
    known: dict[int, list[bytes]] = {}
    trials = [[place] for place in range(count)]
    for size in SIZES:
        trials.append(chance.choices(range(count), k=size))
    for places in trials:
        arrays = answers(padded(places, block))
        for row, place in enumerate(places):
            found = [_bits(array[row : row + 1]) for array in arrays]
            if known.setdefault(place, found) != found:
                return False
    return True


def _bits(row: Any) -> bytes:
    """An array of one row's answer, such that two are equal exactly if they are written alike."""
    plain = row.dtype.kind in "fiub" and not (row != row).any()  # noqa: PLR0124  # NaN has many forms and one name
    return bytes(row.tobytes()) if plain else repr(row.tolist()).encode()
