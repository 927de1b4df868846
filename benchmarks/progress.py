"""What is done, how long it took and how long the rest will."""

from __future__ import annotations

import time


class Progress:
    """A line for each step that is done."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._done = 0
        self._begun = time.monotonic()

    def step(self, text: str, count: int = 1) -> None:
        """So many more steps are done."""
        self._done += count
        elapsed = time.monotonic() - self._begun
        left = elapsed / self._done * max(self._steps - self._done, 0)
        print(f"[{self._done:>4}/{self._steps}] {clock(elapsed)}, about {clock(left)} left  {text}", flush=True)

    def note(self, text: str) -> None:
        """Say what is being done now."""
        print(f"{'':>{len(f'[{self._steps:>4}/{self._steps}]')}} {text}", flush=True)


def clock(seconds: float) -> str:
    """Minutes and seconds, as 03:07."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
