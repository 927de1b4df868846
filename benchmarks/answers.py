"""Whether a server's answers are the model's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.bodies import answered
from benchmarks.errors import ContenderError

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE = 1e-6
"""How far a probability may be from the model's own."""

ASKERS = 16
"""Requests under way at most: enough to be scored in batches."""

PATIENCE_SECONDS = 60.0


def check(url: str, bodies: Sequence[str], expected: Sequence[Any], method: str, *, at_once: int) -> None:
    """Ask everything once. Raises ContenderError at the first answer that is not the model's."""
    with httpx.Client(timeout=PATIENCE_SECONDS) as client, ThreadPoolExecutor(min(at_once, ASKERS)) as pool:

        def ask(body: str) -> httpx.Response:
            return client.post(url, content=body, headers={"Content-Type": "application/json"})

        try:
            answers = list(pool.map(ask, bodies))
        except httpx.TransportError as error:
            raise ContenderError(f"{url} cannot be asked: {error!r}") from error
    for position, (answer, right) in enumerate(zip(answers, expected, strict=True)):
        if answer.status_code != 200:
            raise ContenderError(f"row {position} is answered {answer.status_code}: {answer.text[:200]}")
        try:
            given = answered(answer.content, method)
        except (ValueError, KeyError, IndexError) as error:
            raise ContenderError(f"row {position} is answered with what cannot be read: {error}") from error
        if not equal(given, right):
            raise ContenderError(f"row {position} is answered {given}, the model itself answers {right}")


def equal(given: Any, right: Any) -> bool:
    """Whether a label is the same, or probabilities are within TOLERANCE and name the same class."""
    if not isinstance(right, list):
        return bool(given == right)
    return (
        isinstance(given, list)
        and len(given) == len(right)
        and all(isinstance(value, int | float) for value in given)
        and max(abs(have - want) for have, want in zip(given, right, strict=True)) <= TOLERANCE
        and given.index(max(given)) == right.index(max(right))
    )
