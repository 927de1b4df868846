"""Where a version is put together before it has its name: whole, or swept away by the next who comes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from scorewright.bundle import MANIFEST, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.bundle import Bundle

FOLDER = ".staging"
LOCK = ".lock"
OPENAPI = "openapi.json"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """One process at a time. The system lets go of the lock when its holder ends, however it ends."""
    with (root / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staged(root: Path) -> Iterator[Path]:
    """A new folder on the registry's own file system, removed at the end unless it was renamed.

    It is locked as long as its maker lives: what is there unlocked is of a process that was killed, and is removed.
    """
    area = root / FOLDER
    area.mkdir(exist_ok=True)
    with locked(root):
        _sweep(area)
        folder = area / uuid.uuid4().hex
        folder.mkdir()
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` at the end, unless the body fails. Raises FileExistsError if that is there."""
    if target.exists():
        raise FileExistsError(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside:
        folder = Path(beside) / target.name
        yield folder
        folder.rename(target)


def copy_files(bundle: Bundle, folder: Path) -> None:
    """Write what the manifest names, and nothing else, and have it on the disk.

    The files are made read-only, and readable for everyone: a container's user is somebody else.
    """
    _folder(folder)
    for name in bundle.manifest.files:
        for parent in reversed([one for one in PurePosixPath(name).parents if one.name]):
            _folder(folder / parent)
        shutil.copyfile(bundle.path(name), folder / name)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
        _on_disk(path)


def stamp(bundle: Bundle, folder: Path, version: str) -> None:
    """Make the files that `copy_files` wrote a bundle of this version: the manifest and the API's document have it."""
    manifest = bundle.manifest
    if version == manifest.version:
        write(folder / MANIFEST, (bundle.root / MANIFEST).read_text("utf-8"))
        return
    files = dict(manifest.files)
    if OPENAPI in files:
        document = json.loads((folder / OPENAPI).read_text("utf-8"))
        document["info"]["version"] = version
        write(folder / OPENAPI, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        files[OPENAPI] = sha256(folder / OPENAPI)
    write(folder / MANIFEST, manifest.model_copy(update={"version": version, "files": files}).to_json())


def write(path: Path, text: str) -> None:
    """A file that is read-only and on the disk; what was there is replaced."""
    path.unlink(missing_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o444)
    _on_disk(path)


def put(source: Path, target: Path) -> None:
    """Give a finished folder its name, for good."""
    target.parent.mkdir(exist_ok=True)
    _on_disk(source)
    source.rename(target)
    _on_disk(target.parent)


def _sweep(area: Path) -> None:
    for left in area.iterdir():
        try:
            handle = os.open(left, os.O_RDONLY)
        except FileNotFoundError:  # its maker lives, and has just removed it
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)
        shutil.rmtree(left, ignore_errors=True)


def _folder(path: Path) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def _on_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
