"""What a worker is told before it scores: the script, what it is given, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from scorewright.service.batch.settings import OutputFormat


@dataclass(frozen=True)
class Order:
    """As JSON takes it. Folders are paths on the worker's machine, `work` is a location."""

    script: str
    model_dir: str | None
    arguments: tuple[str, ...]
    bundle: str | None
    """A bundle, whose hashes and library versions are verified before its script is loaded."""
    digest: str
    """`Source.digest` as the job began: a process that is started later must find the same."""
    allow_version_skew: bool
    input_kind: Literal["files", "tabular"]
    work: str
    append_row: bool
    output_format: OutputFormat
    logging_level: str
    scratch: str
    """Where this worker's own folder is made: what a script writes, and what is downloaded for it."""
