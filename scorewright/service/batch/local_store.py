"""Files of this machine, read and committed so that a crash leaves the whole of a file or nothing."""

from __future__ import annotations

import errno
import glob
import io
import os
import shutil
import stat
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from scorewright.errors import LocationError
from scorewright.service.batch.location import InputFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_READ_AHEAD = 1 << 17
_HIDDEN = ("_", ".")


@dataclass(frozen=True)
class LocalStore:
    """One path of this machine."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    def child(self, name: str) -> LocalStore:
        return LocalStore(self.path / name)

    def files(self) -> list[InputFile]:
        with _told("read", self.path):
            if self.path.is_file():
                return [_described(self.path, self.path.name)]
            if self.path.is_dir():
                found = {path: path.relative_to(self.path).as_posix() for path in _below(self.path)}
                if not found:
                    raise LocationError(
                        f"The folder {self.path} has no files in it.",
                        hint="Files whose names begin with _ or . are not read.",
                    )
            elif glob.has_magic(self.url):
                found = _matching(self.path)
                if not found:
                    raise LocationError(f"No file matches {self.path}.", hint="Check the pattern; * stops at a /.")
            else:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.url)
            return sorted((_described(path, name) for path, name in found.items()), key=lambda file: file.relative)

    def exists(self) -> bool:
        with _told("read", self.path):
            try:
                self.path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return False
            return True

    def open(self) -> BinaryIO:
        with _told("read", self.path):
            return io.BufferedReader(_Reading(self.path), _READ_AHEAD)

    def read_range(self, start: int, stop: int | None) -> bytes:
        with self.open() as file:
            file.seek(start)
            return file.read(-1 if stop is None else stop - start)

    def put(self, content: bytes) -> None:
        with self.writer() as file:
            file.write(content)

    @contextmanager
    def writer(self) -> Iterator[BinaryIO]:
        part = self.path.with_name(f".{self.path.name[:200]}.{uuid.uuid4().hex}.part")
        with _told("write", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            raw = _Writing(part, self.path)
        try:
            file = io.BufferedWriter(raw, _READ_AHEAD)
            yield file
            with _told("write", self.path):
                file.flush()
                os.fsync(raw.fileno())
                raw.close()
                part.replace(self.path)
                _sync_folder(self.path.parent)
        finally:
            raw.close()  # before the buffer, which would try to write what is left in it
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def upload(self, path: Path) -> None:
        with LocalStore(path).open() as source, self.writer() as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def download(self, path: Path) -> None:
        LocalStore(path).upload(self.path)

    def rename(self, to: str) -> None:
        with _told("rename", self.path):
            Path(to).parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(to)
            _sync_folder(Path(to).parent)

    def names(self) -> list[str]:
        with _told("read", self.path):
            try:
                return sorted(path.name for path in self.path.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def remove(self) -> None:
        with _told("remove", self.path):
            if self.path.is_dir() and not self.path.is_symlink():
                shutil.rmtree(self.path, onerror=_unless_gone)
            else:
                self.path.unlink(missing_ok=True)


class _Reading(io.FileIO):
    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path

    def readinto(self, buffer: Any) -> int:
        with _told("read", self._path):
            return super().readinto(buffer) or 0

    def readall(self) -> bytes:
        with _told("read", self._path):
            return super().readall() or b""


class _Writing(io.FileIO):
    """A part of a file under a name of its own; what fails is told of the file it will be."""

    def __init__(self, part: Path, path: Path) -> None:
        super().__init__(part, "xb")
        self._path = path

    def write(self, data: Any) -> int:
        with _told("write", self._path):
            return super().write(data) or 0


def _described(path: Path, relative: str) -> InputFile:
    found = path.stat()
    return InputFile(str(path), relative, found.st_size, f"{found.st_mtime_ns}-{found.st_size}")


def _below(folder: Path) -> Iterator[Path]:
    """The files below a folder, through links too, but through no folder twice on one way down."""

    def walk(place: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
        state = place.stat()
        here = (state.st_dev, state.st_ino)
        if here in above:
            return
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.startswith(_HIDDEN):
                    continue
                kind = entry.stat().st_mode
                if stat.S_ISDIR(kind):
                    yield from walk(Path(entry.path), (*above, here))
                elif stat.S_ISREG(kind):
                    yield Path(entry.path)

    return walk(folder, ())


def _matching(pattern: Path) -> dict[Path, str]:
    """The files that match, and those below the folders that do, with their names below the pattern's fixed part."""
    fixed = Path(*_before_magic(pattern.parts))
    found: dict[Path, str] = {}
    for match in map(Path, glob.iglob(str(pattern), recursive=True)):  # noqa: PTH207 (Path.glob takes no absolute pattern)
        for path in _below(match) if match.is_dir() else [match] if match.is_file() else []:
            found[path] = path.relative_to(fixed).as_posix()
    return found


def _before_magic(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if glob.has_magic(part):
            return
        yield part


def _sync_folder(folder: Path) -> None:
    """The new name outlives a power cut, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unless_gone(_: Callable[..., Any], __: str, error: tuple[type[BaseException], BaseException, Any]) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


@contextmanager
def _told(doing: str, path: Path) -> Iterator[None]:
    """An OSError as a LocationError that says what could not be done, where, and what to do."""
    try:
        yield
    except OSError as error:
        _tell(doing, path, error)


def _tell(doing: str, path: Path, error: OSError) -> NoReturn:
    where = str(path if doing == "write" else error.filename or path)
    match error.errno:
        case errno.ENOENT:
            message, hint = f"There is no file or folder {where}.", "Check the path."
        case errno.EACCES | errno.EPERM:
            message = f"No permission to {doing} {where}."
            hint = f"Give user {os.getuid()} permission, or name another location."
        case errno.EROFS:
            message = f"Cannot {doing} {where}: its file system is read-only."
            hint = "Name another location, or mount it writable."
        case errno.ENOSPC | errno.EDQUOT:
            message = f"No space left to {doing} {path}."
            hint = "Make room, or name another location."
        case errno.EISDIR:
            message, hint = f"Cannot {doing} {where}: it is a folder.", "Name a file."
        case errno.ENOTDIR | errno.EEXIST:
            message, hint = f"Cannot {doing} {path}: a file is where a folder must be.", "Name another location."
        case _:
            message = f"Cannot {doing} {path}: {error.strerror or error}."
            hint = "Check the disk or the network that it is on."
    raise LocationError(message, hint=hint) from error
