"""What the service tells the process of a job."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from scorewright.service.batch.roots import Roots
from scorewright.service.batch.stored_job import Served

HELD_ELSEWHERE = 75
"""The exit code of a process whose job another one is at work on."""


@dataclass(frozen=True)
class Told:
    """What scores: a bundle, or a batch entry script; with its model's folder. And what the job may touch."""

    bundle: Served | None
    entry_script: str | None
    model_dir: str | None
    allow_version_skew: bool
    data: str
    further: tuple[str, ...]

    @property
    def roots(self) -> Roots:
        return Roots(Path(self.data), self.further)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, line: str) -> Told:
        """The same again."""
        content = json.loads(line)
        bundle = None if content["bundle"] is None else Served(**content["bundle"])
        return cls(**{**content, "bundle": bundle, "further": tuple(content["further"])})
