"""What the engine needs of a scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorewright.service.frames import Outgoing, Ready


class Worker(Protocol):
    """What the engine needs of a scorer."""

    script: Ready

    @property
    def begun(self) -> bool:
        """Whether it has begun what it was given last; while it scores for another front, it has not."""

    @property
    def idle(self) -> bool:
        """Whether it scores for nobody, as far as can be told from outside."""

    def send(self, requests: Sequence[Outgoing]) -> None:
        """Score these; `Engine.scored` and `Engine.piece` hear of the answers."""

    def cancel(self, number: int) -> None:
        """Make no more pieces of the answer to this request of the batch."""

    def hold(self, *, back: bool) -> None:
        """Take no more pieces for now, or take them again."""
