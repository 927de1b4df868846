"""What keeps two processes from working on one job: a lock that its owner's death undoes."""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def held(folder: Path, job_id: str) -> Iterator[bool]:
    """Have the lock of a job while the block runs; False if another process has it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{job_id}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
