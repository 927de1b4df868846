"""A batch job: from a location of input to results at a location of output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorewright.service.batch.progress import Progress
    from scorewright.service.batch.settings import BatchSettings


@dataclass(frozen=True)
class Source:
    """What scores: a bundle's folder, or a batch entry script with its model folder and its own arguments."""

    bundle: Path | None = None
    entry_script: Path | None = None
    model_dir: str | None = None
    arguments: tuple[str, ...] = ()
    allow_version_skew: bool = False


@dataclass(frozen=True)
class Job:
    """A job as it is asked for. `input` and `output` are locations: a path, or a URL that fsspec knows."""

    source: Source
    input: str
    output: str
    settings: BatchSettings
    scheduler: str | None = None
    """A Dask scheduler's address; None starts a cluster of this machine's own."""
    resume: bool = False
    """Go on with what an interrupted run left at `output`, if it left anything."""
    low_priority: bool = False
    """Give way to everything else on this machine."""


@dataclass(frozen=True)
class Summary:
    """A job that has completed: its last counts, and what it wrote."""

    progress: Progress
    results: tuple[str, ...]
    seconds: float


def run(
    job: Job,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Summary:
    """Score everything at the input's location and leave the results at the output's.

    `cancelled` is asked several times a second; the job then raises BatchCancelledError and can be resumed.

    Raises LocationError for an input or output that is not to be had, BatchError if more items failed than
    `error_threshold` allows or none succeeded, ScriptError if the script cannot be started, and what a bundle raises.
    """
    raise NotImplementedError
