"""How much the engine takes on: requests, bytes, rows and time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from scorewright.service.settings import Settings

BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of bodies in a batch: larger requests gain nothing by waiting for each other."""


@dataclass(frozen=True)
class Limits:
    """What one front allows. Times are in seconds, infinite where there is no limit.

    requests        accepted and not answered yet, waiting and being scored
    held_bytes      of their bodies
    queue_wait      from acceptance until a scorer takes it
    scoring         from acceptance until the answer
    worker_silence  a scorer at work may answer nothing for so long
    batch_requests, batch_rows, batch_bytes   of one run_many()
    """

    requests: int = 1000
    held_bytes: int = 256 * 1024 * 1024
    queue_wait: float = math.inf
    scoring: float = math.inf
    worker_silence: float = math.inf
    batch_requests: int = 128
    batch_rows: int = 1024
    batch_bytes: int = BATCH_BYTES

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that the settings name; each of several fronts has its share of what may be accepted."""
        return cls(
            requests=math.ceil(settings.max_concurrent_requests_per_instance / settings.fronts),
            held_bytes=max(math.ceil(settings.max_queue_bytes / settings.fronts), settings.max_body_bytes),
            queue_wait=settings.max_queue_wait_ms / 1000 or math.inf,
            scoring=settings.scoring_timeout_ms / 1000 or math.inf,
            worker_silence=settings.worker_timeout or math.inf,
            batch_requests=settings.batch_requests,
            batch_rows=settings.max_batch_rows,
        )
