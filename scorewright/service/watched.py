"""Files that somebody replaces while the service runs: looked at again and again."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

LOOK_SECONDS = 1.0

Content = dict[str, bytes]
"""What is in the files, by their paths. A folder's are those directly in it, hidden ones left out."""


class Watched:
    """Files, and folders of files, whose content matters and not their dates.

    A mounted secret changes by a symbolic link, with whatever dates its files have.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._taken: Content | None = None
        self._seen: Content | None = None

    def read(self) -> Content:
        """What is in them now. Raises OSError."""
        found: Content = {}
        for path in self._paths:
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
            # Kubernetes keeps what its links lead to in folders whose names begin with two dots.
            files = [one for one in inside if one is path or (one.is_file() and not one.name.startswith("."))]
            found |= {str(one): one.read_bytes() for one in files}
        return found

    def take(self) -> Content:
        """What is in them, which is no change from now on. Raises OSError."""
        self._taken = self._seen = self.read()
        return self._taken

    def changed(self) -> Content | None:
        """What is in them now, if that is new and was the same at the last look: else somebody is still writing.

        Raises OSError if they cannot be read, once for each time that this begins.
        """
        try:
            now = self.read()
        except OSError:
            if self._seen == {}:
                return None
            self._seen = {}
            raise
        before, self._seen = self._seen, now
        if now != before or now == self._taken:
            return None
        self._taken = now
        return now

    async def each_change(self, changed: Callable[[Content], None], failed: Callable[[OSError], None]) -> None:
        """Tell of every change, and of being unreadable, until cancelled. The files are read in a thread."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                content = await asyncio.to_thread(self.changed)
            except OSError as error:
                failed(error)
                continue
            if content is not None:
                changed(content)


@contextlib.asynccontextmanager
async def meanwhile(watching: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have something go on as long as the body does."""
    task = asyncio.create_task(watching)
    try:
        yield
    finally:
        task.cancel()
