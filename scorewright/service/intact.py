"""Whether a bundle's files still are those whose hashes were verified."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scorewright.bundle import Bundle


class Intact:
    """Looks before each further scorer is started: what has changed on disk meanwhile must not be loaded unverified."""

    def __init__(self, bundle: Bundle | None) -> None:
        self._bundle = bundle
        self._marks = self._look()

    def __call__(self) -> None:
        """Raise BundleError unless the files are as they were, or have the same hashes."""
        if self._bundle is not None and self._look() != self._marks:
            self._bundle.verify()
            self._marks = self._look()

    def _look(self) -> list[tuple[int, ...] | None]:
        if self._bundle is None:
            return []
        return [_mark(str(self._bundle.path(name))) for name in self._bundle.manifest.files]


def _mark(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - of many files
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
