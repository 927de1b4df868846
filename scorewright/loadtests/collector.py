"""Adds up what the generator processes of one run of Locust deliver, and tells it on stdout, a JSON object a line.

Runs inside Locust's processes only.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gevent

from scorewright.loadtests.recorder import Cell, Recorder
from scorewright.loadtests.share import GRACE_SECONDS

if TYPE_CHECKING:
    from scorewright.loadtests.plan import Plan

MARK = "scorewright"
"""The key of what is told: Locust may write to stdout, too."""


@dataclass
class Collector:
    """All that has been delivered so far."""

    plan: Plan
    processes: int
    total: Recorder = field(default_factory=Recorder)
    done: int = 0
    _recent: Cell = field(default_factory=Cell)

    def take(self, delivered: Recorder) -> None:
        """Add what one process has counted since it delivered last."""
        self.total.merge(delivered)
        self._recent.merge(delivered.counted(first=-(10**9)))
        self.done += delivered.done

    def follow(self) -> None:
        """Tell the progress each second, and at the end the result; of a process that died, what it delivered."""
        zero = time.time() + self.plan.warm_up
        deadline = zero + (self.plan.seconds or 0.0) + self.plan.timeout + 3 * GRACE_SECONDS
        last = time.time()
        while self.done < self.processes and time.time() < deadline:
            gevent.sleep(0.05)
            if (now := time.time()) >= last + 1:
                tell("progress", {"elapsed": now - zero, "took": now - last, "cell": self._recent.to_wire()})
                last, self._recent = now, Cell()
        tell("result", {"zero": zero, "lost": self.processes - self.done, "recorder": self.total.to_wire()})


def tell(what: str, value: dict[str, Any]) -> None:
    """Write one line for the process that started Locust."""
    sys.stdout.write(json.dumps({MARK: what, **value}) + "\n")
    sys.stdout.flush()
