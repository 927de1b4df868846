"""A job as it was asked for, and as the database has it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from scorewright.errors import RequestError

State = Literal["queued", "running", "completed", "failed", "cancelled"]


@dataclass(frozen=True)
class Asked:
    """A job as a client asked for it: locations as they were given, and the settings that were."""

    input: str
    output: str
    settings: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The same request is the same text."""
        content = {"input": self.input, "output": self.output, "settings": self.settings}
        return json.dumps(content, sort_keys=True, default=list)


@dataclass(frozen=True)
class Served:
    """The bundle that was served when a job was accepted: it, and no other, scores the job."""

    name: str
    version: str
    sha256: str
    """`Bundle.digest`."""
    root: str
    model_dir: str | None

    @property
    def title(self) -> str:
        return f"{self.name}, version {self.version} ({self.sha256[:12]}…)"


@dataclass(frozen=True)
class StoredJob:
    """A job as the database has it. Times are seconds since the epoch; `output` is the location with links resolved."""

    id: str
    state: State
    asked: Asked
    output: str
    served: Served | None
    """None if a batch entry script scores it."""
    idempotency_key: str | None
    created: float
    started: float | None
    ended: float | None
    interruptions: int
    """Runs in a row that did not end by their own word, and got no further than the one before."""
    cancelling: bool
    progress: dict[str, Any]
    results: tuple[str, ...]
    message: str
    hint: str

    @property
    def unfinished(self) -> bool:
        return self.state in ("queued", "running")


def same_request(known: StoredJob, asked: Asked) -> StoredJob:
    """The job, if it was asked for in the same words. Raises RequestError 409 if not."""
    if known.asked.to_json() != asked.to_json():
        raise RequestError(
            409, f"Idempotency-Key is {known.idempotency_key!r}, with which job {known.id} was asked for otherwise."
        )
    return known
