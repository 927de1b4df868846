"""Where batch scoring reads and writes: a path of this machine, or a blob of Azure Storage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import unquote

from scorewright.errors import LocationError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from scorewright.service.batch.blob_address import BlobAddress

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_FORMS = "A location is a path, file:///path or abfs://container@account/path."


@dataclass(frozen=True)
class InputFile:
    """A file to be scored: its URL, its name below the input with "/", its bytes, and what changes when it does."""

    url: str
    relative: str
    size: int
    tag: str


class Store(Protocol):
    """What is asked of a place for one of its locations. Each raises LocationError for all that goes wrong."""

    @property
    def url(self) -> str: ...
    def child(self, name: str) -> Store: ...
    def files(self) -> list[InputFile]: ...
    def exists(self) -> bool: ...
    def open(self) -> BinaryIO: ...
    def read_range(self, start: int, stop: int | None) -> bytes: ...
    def put(self, content: bytes) -> None: ...
    def writer(self) -> AbstractContextManager[BinaryIO]: ...
    def upload(self, path: Path) -> None: ...
    def download(self, path: Path) -> None: ...
    def rename(self, to: str) -> None: ...
    def names(self) -> list[str]: ...
    def remove(self) -> None: ...


class Location:
    """A file, a folder or a pattern of names, on this machine or in Azure Storage.

    Every method raises LocationError for what goes wrong, after what passes by itself (a cut connection, a busy
    server) was tried again. A location is handed to other processes as its URL; each connects by itself.
    """

    def __init__(self, store: Store, local: Path | None) -> None:
        self._store = store
        self.local = local
        """The path, if it is one of this machine."""

    @classmethod
    def of(cls, url: str) -> Location:
        """The location that a path, a file:// or an abfs:// (abfss://, az://) URL names; nothing is looked up yet.

        Raises UsageError for what is none of these, LocationError if a package is missing.
        """
        if not url or "\0" in url:
            raise UsageError(f"{url!r} is no location.", hint=_FORMS)
        found = _SCHEME.match(url)
        if found is None:
            return _local(Path(url))
        scheme, rest = found[1].lower(), url[found.end() :]
        if scheme == "file":
            host, slash, path = rest.partition("/")
            if host not in ("", "localhost") or not slash:
                raise UsageError(f"{url} is no file of this machine.", hint="Write it as file:///path.")
            return _local(Path("/" + unquote(path)))
        if scheme in ("abfs", "abfss", "az"):
            from scorewright.service.batch.blob_address import BlobAddress

            return _blob(BlobAddress.of(url))
        raise UsageError(f"{scheme}:// is no kind of location that is known.", hint=_FORMS)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Location.of, (self.url,))

    def __repr__(self) -> str:
        return f"Location.of({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Location) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    @property
    def url(self) -> str:
        """What `of` takes again: an absolute path, or the blob's URL without anything secret."""
        return self._store.url

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.local is not None

    def files(self) -> list[InputFile]:
        """The files here, by their names: of a folder all below it, of a pattern (*, ?, [], **) all that match.

        Names that begin with _ or . are left out below a folder, as by Spark and Hive. Raises LocationError if there
        is no file.
        """
        return self._store.files()

    def child(self, *names: str) -> Location:
        """What has these names below this folder. Raises UsageError for names that lead elsewhere."""
        store, local = self._store, self.local
        for name in names:
            if not name or name in (".", "..") or "/" in name or "\0" in name:
                raise UsageError(f"{name!r} is no name of a file or folder below {self.url}.")
            store = store.child(name)
            local = local / name if local is not None else None
        return Location(store, local)

    def exists(self) -> bool:
        """Whether there is a file or a folder here."""
        return self._store.exists()

    def open(self) -> BinaryIO:
        """The file for reading at any place. Only what is read is fetched, with little ahead and nothing kept."""
        return self._store.open()

    def read_range(self, start: int, stop: int) -> bytes:
        """The file's bytes from `start` up to `stop`; fewer if it ends before."""
        return self._store.read_range(start, stop) if stop > start else b""

    def read(self) -> bytes:
        """The whole file."""
        return self._store.read_range(0, None)

    def put(self, content: bytes) -> None:
        """Make or replace the file, at once: no one ever sees a part of it. Folders above it are made."""
        self._store.put(content)

    def writer(self) -> AbstractContextManager[BinaryIO]:
        """The same in pieces: the file is there when the block has ended well, and nothing of it if it has not."""
        return self._store.writer()

    def upload(self, path: Path) -> None:
        """Make or replace the file with the content of a local one, at once."""
        self._store.upload(path)

    def download(self, path: Path) -> None:
        """Make or replace a local file with this one's content, at once."""
        self._store.download(path)

    def rename(self, to: Location) -> None:
        """Give the file another name in the same place, replacing what is there. A blob is copied, then deleted."""
        self._store.rename(to.url)

    def names(self) -> list[str]:
        """The names right below this folder, sorted; none if there is no such folder."""
        return self._store.names()

    def remove(self) -> None:
        """Remove the file, or the folder with all below it; nothing if there is none."""
        self._store.remove()


def _local(path: Path) -> Location:
    from scorewright.service.batch.local_store import LocalStore

    path = path.absolute()
    return Location(LocalStore(path), path)


def _blob(address: BlobAddress) -> Location:
    try:
        from scorewright.service.batch.blob_store import BlobStore
    except ModuleNotFoundError as error:
        raise LocationError(
            f"{address.url} is in Azure Storage, and {error.name} is not installed.",
            hint="pip install 'scorewright[batch,abfs]'",
        ) from None

    return Location(BlobStore(address), None)
