"""When a scorer has done its share, and another is to take its place."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from scorewright import memory

if TYPE_CHECKING:
    from scorewright.service.scorer_process import ScorerProcess
    from scorewright.service.settings import Settings


@dataclass(frozen=True)
class Wear:
    """How many requests a scorer answers and how many bytes it may have; 0 for no limit.

    To the requests, up to `jitter` more are added by chance, so that not all scorers are replaced at once.
    """

    requests: int = 0
    jitter: int = 0
    most_bytes: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings name."""
        return cls(settings.max_requests, settings.max_requests_jitter, settings.max_scorer_bytes)

    def share(self) -> int:
        """How many requests one scorer answers; 0 for any number."""
        return self.requests and self.requests + random.randint(0, self.jitter)  # noqa: S311 - no secret

    def reason(self, scorer: ScorerProcess, share: int) -> str:
        """Why a scorer has done its share, in words; empty if it has not."""
        answered = scorer.status.answered
        if share and answered >= share:
            return f"it has answered {answered} requests"
        if self.most_bytes and answered:
            size = memory.anonymous(scorer.child.pid)
            if size is not None and size > self.most_bytes:
                return f"it has {size} bytes of memory, more than max_scorer_bytes"
        return ""
