"""Files that somebody replaces while the service runs: looked at again and again."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

LOOK_SECONDS = 1.0

AGAIN_SECONDS = 10.0
"""How long after it has failed watching is begun again."""

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
        """What is in them now, if it is not taken yet and was the same at the last look: else somebody still writes.

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
        return now if now == before and now != self._taken else None

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
                # Not before: what failed unexpectedly is told of once more.
                self._taken = content


@contextlib.asynccontextmanager
async def meanwhile(
    what: str, watch: Callable[[], Coroutine[None, None, None]], logger: logging.Logger
) -> AsyncIterator[None]:
    """Have something watched as long as the body goes on. If that fails, the log says so, and it is begun again."""
    task = asyncio.create_task(_unceasing(what, watch, logger))
    try:
        yield
    finally:
        task.cancel()


async def _unceasing(what: str, watch: Callable[[], Coroutine[None, None, None]], logger: logging.Logger) -> None:
    while True:
        try:
            return await watch()
        except Exception:
            # Whatever it is: else nobody would see that nothing is taken up, or withdrawn, any more.
            logger.exception("Watching %s failed. It is begun again in %g s.", what, AGAIN_SECONDS)
        await asyncio.sleep(AGAIN_SECONDS)
