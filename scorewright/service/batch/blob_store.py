"""Blobs of Azure Storage, through adlfs: read by ranges, written so that a blob is there whole or not at all."""

from __future__ import annotations

import io
import re
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock
from fsspec.asyn import sync
from fsspec.utils import glob_translate

from scorewright.errors import LocationError
from scorewright.service.batch.blob_address import BlobAddress
from scorewright.service.batch.blob_client import PIECE, filesystem
from scorewright.service.batch.blob_errors import blob_error, missing, no_container
from scorewright.service.batch.local_store import LocalStore
from scorewright.service.batch.location import InputFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_READ_AHEAD = 1 << 18
_MAGIC = re.compile(r"[*?\[]")
_HIDDEN = ("_", ".")
_TOGETHER = 100
_PAST_THE_END = 416


@dataclass(frozen=True)
class BlobStore:
    """One blob, or the blobs below a prefix."""

    address: BlobAddress

    @property
    def url(self) -> str:
        return self.address.url

    def child(self, name: str) -> BlobStore:
        return BlobStore(self.address.below(name))

    def files(self) -> list[InputFile]:
        with self._told("read"):
            if (one := self._described()) is not None:
                return [one]
            found = self._below(self.address.path)
            if not found and (magic := _MAGIC.search(self.address.path)):
                fixed = self.address.path[: magic.start()].rpartition("/")[0]
                matches = _matcher(self.address.path[len(fixed) :].strip("/"))
                found = [file for file in self._below(fixed) if matches(file.relative)]
                if not found:
                    self._check_container()
                    raise LocationError(f"No blob matches {self.url}.", hint="Check the pattern; * stops at a /.")
            if not found:
                self._check_container()
                if self.address.path and not self._account.exists(self.address.key):
                    raise missing(self.address)
                raise LocationError(
                    f"The folder {self.url} has no files in it.",
                    hint="Blobs whose names begin with _ or . are not read.",
                )
            return sorted(found, key=lambda file: file.relative)

    def exists(self) -> bool:
        with self._told("read"):
            if self.address.path:
                return bool(self._account.exists(self.address.key))
            return self._container_exists()

    def open(self) -> BinaryIO:
        with self._told("read"):
            file = self._described()
            if file is None:
                self._check_container()
                raise missing(self.address)
        return io.BufferedReader(_Reading(self, file.size), _READ_AHEAD)

    def read_range(self, start: int, stop: int | None) -> bytes:
        with self._told("read"):
            try:
                content: bytes = self._account.cat_file(self.address.key, start=start, end=stop)
            except HttpResponseError as error:
                if error.status_code == _PAST_THE_END:
                    return b""
                raise
            return content

    def put(self, content: bytes) -> None:
        with self._told("write"):
            self._account.pipe_file(self.address.key, content)

    @contextmanager
    def writer(self) -> Iterator[BinaryIO]:
        raw = _Writing(self)
        try:
            file = io.BufferedWriter(raw, PIECE)
            yield file
            file.flush()
            raw.commit()
        finally:
            raw.close()  # before the buffer, which would try to write what is left in it

    def upload(self, path: Path) -> None:
        with LocalStore(path).open() as source, self.writer() as target:
            while piece := source.read(PIECE):
                target.write(piece)

    def download(self, path: Path) -> None:
        with self.open() as source, LocalStore(path).writer() as target:
            while piece := source.read(PIECE):
                target.write(piece)

    def rename(self, to: str) -> None:
        target = BlobStore(BlobAddress.of(to))
        with self._told("rename"):
            self._account.cp_file(self.address.key, target.address.key)
            while (state := target._blob("get_blob_properties")["copy"]["status"]) == "pending":
                time.sleep(0.2)
            if state != "success":
                raise LocationError(
                    f"Azure Storage did not copy {self.url} to {to}: the copy is {state}.", hint="Start again."
                )
        self.remove()

    def names(self) -> list[str]:
        with self._told("read"):
            prefix = len(self.address.key) + 1
            return sorted({name[prefix:].partition("/")[0] for name in self._account.find(self.address.key)})

    def remove(self) -> None:
        with self._told("remove"):
            if self.address.path:
                with suppress(FileNotFoundError):
                    self._account.rm_file(self.address.key)
            below = self._account.find(self.address.key)
            for start in range(0, len(below), _TOGETHER):
                self._account.rm(below[start : start + _TOGETHER], expand_path=False)

    @property
    def _account(self) -> Any:
        return filesystem(self.address.account, self.address.suffix)

    def _blob(self, method: str, *given: Any) -> Any:
        """Call a method of Azure's own client of this blob, in the event loop that the client lives in."""
        client = self._account.service_client.get_blob_client(self.address.container, self.address.path)
        return sync(self._account.loop, getattr(client, method), *given)

    def _container_exists(self) -> bool:
        container = self._account.service_client.get_container_client(self.address.container)
        return bool(sync(self._account.loop, container.exists))

    def _check_container(self) -> None:
        if not self._container_exists():
            raise no_container(self.address)

    def _described(self) -> InputFile | None:
        """The blob of this very name."""
        if not self.address.path:
            return None
        try:
            found = self._account.info(self.address.key)
        except FileNotFoundError:
            return None
        return self._file(found, self.address.path.rpartition("/")[2]) if found["type"] == "file" else None

    def _below(self, folder: str) -> list[InputFile]:
        """The blobs below a folder of this container, but for hidden ones."""
        top = self.address.at(folder).key
        found = {name[len(top) + 1 :]: info for name, info in self._account.find(top, detail=True).items()}
        return [
            self._file(info, relative)
            for relative, info in found.items()
            if not any(part.startswith(_HIDDEN) for part in relative.split("/"))
        ]

    def _file(self, found: dict[str, Any], relative: str) -> InputFile:
        address = self.address.at(found["name"].partition("/")[2])
        return InputFile(address.url, relative, found["size"], found["etag"].strip('"'))

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """What adlfs and Azure raise, as a LocationError; without its cause, which may quote a request."""
        try:
            yield
        except Exception as error:
            told = blob_error(doing, self.address, error)
            if told is None:
                raise
            raise told from None


class _Reading(io.RawIOBase):
    """A blob for reading anywhere. What was fetched is not kept: a buffer above it does that."""

    def __init__(self, store: BlobStore, size: int) -> None:
        self._store = store
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"There is nothing before the beginning of {self._store.url}.")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        stop = min(self._at + len(buffer), self._size)
        content = self._store.read_range(self._at, stop) if stop > self._at else b""
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def readall(self) -> bytes:
        content = self._store.read_range(self._at, self._size) if self._at < self._size else b""
        self._at += len(content)
        return content


class _Writing(io.RawIOBase):
    """A blob in the making: blocks that nobody sees, and that Azure forgets, until they are committed."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._blocks: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data[:PIECE])
        block = uuid.uuid4().hex
        with self._store._told("write"):
            self._store._blob("stage_block", block, io.BytesIO(piece), len(piece))
        self._blocks.append(block)
        return len(piece)

    def commit(self) -> None:
        """All blocks become the blob, at once."""
        with self._store._told("write"):
            self._store._blob("commit_block_list", [BlobBlock(block) for block in self._blocks])


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches, or lies in a folder that does."""
    whole = re.compile(glob_translate(pattern))

    def matches(name: str) -> bool:
        parts = name.split("/")
        return any(whole.match("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))

    return matches
