"""The files of collected data: JSON lines below a folder, bounded, written to by several processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".collected"
"""The file in the folder that is locked while another is written; it holds the bytes that there are."""

PARTS = 8
"""A file is not longer than this part of what there may be, so that something older can be removed."""


class CollectedFiles:
    """Appends to `FOLDER/COLLECTION/YYYY/MM/DD/HH/INSTANCE.jsonl`, the layout of Azure's data collector.

    All files have `most` bytes together at most, those of other processes and of earlier runs among them; the oldest
    give way. Each process writes files of its own, so that no line is torn.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._instance = uuid.uuid4().hex[:12]
        self._counted = False

    def append(self, collection: str, lines: bytes, moment: float) -> int:
        """Append lines to the file of an hour; how many older files were removed for them.

        Raises OSError if that fails, ValueError if they are more than there may ever be.
        """
        if len(lines) > self._most // PARTS:
            raise ValueError(f"{len(lines)} bytes are more than one file may have")
        self._folder.mkdir(parents=True, exist_ok=True)
        hour = self._folder / collection / time.strftime("%Y/%m/%d/%H", time.gmtime(moment))
        with (self._folder / LOCK).open("a+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            total = self._total(lock.fileno())
            removed = 0
            if total + len(lines) > self._most:
                total, removed = self._make_room(self._most - len(lines))
            hour.mkdir(parents=True, exist_ok=True)
            written = 0
            try:
                with self._file(hour, len(lines)).open("ab", buffering=0) as file:
                    while written < len(lines):
                        written += file.write(lines[written:]) or 0
            finally:
                _keep(lock.fileno(), total + written)
        return removed

    def _file(self, hour: Path, more: int) -> Path:
        for part in range(1_000_000):
            file = hour / f"{self._instance}{f'-{part}' if part else ''}.jsonl"
            if not file.exists() or file.stat().st_size + more <= self._most // PARTS:
                return file
        raise OSError(f"{hour} has too many files")

    def _total(self, descriptor: int) -> int:
        told = os.pread(descriptor, 32, 0)
        if self._counted and told.isdigit():
            return int(told)
        # What an earlier process has left may have been written to, or cleared away, by others.
        self._counted = True
        return sum(size for _, size in self._files())

    def _make_room(self, most: int) -> tuple[int, int]:
        """Remove the oldest files until there are `most` bytes; what is left, and how many were removed."""
        files = sorted(self._files(), key=lambda item: (item[0].parts[-5:-1], item[0].stat().st_mtime_ns))
        total = sum(size for _, size in files)
        removed = 0
        for file, size in files:
            if total <= most:
                break
            file.unlink(missing_ok=True)
            total -= size
            removed += 1
            for empty in list(file.parents)[:5]:
                with contextlib.suppress(OSError):
                    empty.rmdir()
        return total, removed

    def _files(self) -> Iterator[tuple[Path, int]]:
        for file in self._folder.glob("*/[0-9]*/[0-9]*/[0-9]*/[0-9]*/*.jsonl"):
            with contextlib.suppress(FileNotFoundError):
                yield file, file.stat().st_size


def _keep(descriptor: int, total: int) -> None:
    # The file is open for appending, which a write at a place would be taken for.
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"%d" % total)
