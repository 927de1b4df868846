"""Waiting for what Azure does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_words import told_by_ml
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.deploy.target import Report


BUSY = ("Creating", "Updating", "Deleting", "Scaling")
"""Azure's words for what is being worked on."""


@dataclass(frozen=True)
class Waiting:
    """How long an operation may take, and how often it is looked at, in seconds."""

    longest: float = 3600
    poll: float = 5

    def too_long(self, label: str) -> DeployError:
        """The error for what takes longer."""
        return DeployError(
            f"{label}: Azure is not done after {self.longest:g} s, and goes on by itself.",
            hint="Run the same command again to wait on; nothing is made twice.",
        )


def wait_for(poller: Any, doing: str, waiting: Waiting, report: Report) -> Any:
    """What a long-running operation ends with. Raises DeployError if it takes too long, what it raises if it fails."""
    began = time.monotonic()
    report(doing)
    while not poller.done():
        waited = time.monotonic() - began
        if waited > waiting.longest:
            raise waiting.too_long(doing)
        report(f"{doing}: {str(poller.status()).lower()}")
        poller.wait(waiting.poll)
    return poller.result()


def state_of(found: Any) -> str:
    """Azure's word for how a resource is: Creating, Succeeded, Failed."""
    state = found.provisioning_state
    return str(getattr(state, "value", state))


def settled(ask: Callable[[], Any], label: str, waiting: Waiting, report: Report) -> Any:
    """What `ask` finds once nothing is being done to it: an interrupted command may have left work under way."""
    began = time.monotonic()
    while True:
        with told_by_ml(label):
            found = ask()
        if state_of(found) not in BUSY:
            return found
        if time.monotonic() - began > waiting.longest:
            raise waiting.too_long(label)
        report(f"{label} is still {state_of(found).lower()}")
        time.sleep(waiting.poll)
