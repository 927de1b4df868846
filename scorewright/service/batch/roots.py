"""Where jobs may read and write: below some folders and abfs:// prefixes, and nowhere else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from scorewright.errors import ForbiddenLocationError, LocationError, UsageError
from scorewright.service.batch.blob_address import BlobAddress

DATABASE = "jobs.sqlite"
OWN_FOLDER = ".jobs"
"""In the data folder: the log and the lock of each job."""

LONGEST = 4096
"""Characters of a location."""

_OWN = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", OWN_FOLDER)
_REMOTE = ("abfs", "abfss", "az")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATTERN = re.compile(r"[*?\[]")
_CODED = re.compile(r"[\\#]|%(2e|2f|5c|00)", re.IGNORECASE)
"""What Azure's addresses would turn into other steps than those that were checked."""


@dataclass(frozen=True)
class Roots:
    """The data folder, to which relative locations are relative, and what else is open to jobs.

    Folders are absolute; they need not exist yet.
    """

    data: Path
    further: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Path, listed: str) -> Roots:
        """`listed` is separated by commas. Raises UsageError for one that is neither a folder nor an abfs:// URL."""
        further = []
        for given in (one.strip() for one in listed.split(",")):
            url = _URL.fullmatch(given)
            if given and url is None:
                further.append(str(Path(given).absolute()))
            elif url is not None and url[1].lower() in _REMOTE:
                further.append(BlobAddress.of(given).url)
            elif given:
                raise UsageError(
                    f"batch_roots has {given!r}, which is neither a folder nor like abfs://container@account/folder.",
                    hint="Separate several with commas.",
                )
        return cls(data.absolute(), tuple(further))

    @property
    def database(self) -> Path:
        """The jobs' database."""
        return self.data / DATABASE

    @property
    def own_folder(self) -> Path:
        """Where the logs and locks of jobs are."""
        return self.data / OWN_FOLDER

    def input(self, given: str) -> str:
        """The location that a job is to read: a file, a folder or a pattern, with symbolic links resolved.

        Of a pattern only the part before its first `*`, `?` or `[` is judged: `check` is to be asked of each match.

        Raises ForbiddenLocationError if it is outside the roots or the jobs' own, LocationError if it is no location.
        """
        if self._is_blob(given, "input"):
            return BlobAddress.of(given).url
        steps = self._steps(given)
        fixed = next((place for place, step in enumerate(steps) if _PATTERN.search(step)), len(steps))
        found = self._inside(given, os.path.realpath("/" + "/".join(steps[:fixed])))
        pattern = steps[fixed:]
        if not pattern:
            self._refuse_own(given, found)
        return os.path.join(found, *pattern)  # noqa: PTH118  # a pattern is no path

    def output(self, given: str) -> str:
        """The folder that a job is to write, with symbolic links resolved; it need not exist.

        Raises as `input` does, and for a pattern.
        """
        if _PATTERN.search(given):
            raise LocationError(f"output is {given!r}: it cannot have any of * ? [ in it.", hint="Name a new folder.")
        if self._is_blob(given, "output"):
            return BlobAddress.of(given).url
        found = self._inside(given, os.path.realpath("/" + "/".join(self._steps(given))))
        self._refuse_own(given, found)
        return found

    def check(self, path: str) -> None:
        """Raise LocationError unless this one file or folder, as it is now, is below a root and not the jobs' own."""
        if not self._is_blob(path, "path"):
            self._refuse_own(path, self._inside(path, os.path.realpath("/" + "/".join(self._steps(path)))))

    def _is_blob(self, given: str, name: str) -> bool:
        """Whether a location is a blob, below a root then, and not on this machine."""
        if not given or len(given) > LONGEST or _CONTROL.search(given) or not _encodes(given):
            shown = given[:200].encode("unicode_escape").decode()
            raise LocationError(f"{name} is '{shown}': that is no location.", hint="Name a file, a folder or a URL.")
        url = _URL.fullmatch(given)
        if url is None or url[1].lower() == "file":
            return False
        if url[1].lower() not in _REMOTE or _CODED.search(given):
            raise self._outside(given)
        try:
            found = BlobAddress.of(given)
        except UsageError as error:
            raise LocationError(error.message, hint=error.hint) from error
        roots = [BlobAddress.of(root) for root in self.further if "://" in root]
        if not any(_holds(root, found) for root in roots):
            raise self._outside(given)
        return True

    def _steps(self, given: str) -> list[str]:
        """The steps from the machine's root to a location on it."""
        url = _URL.fullmatch(given)
        path = given if url is None else unquote(url[2].removeprefix("localhost"), errors="surrogateescape")
        if _CONTROL.search(path) or (url is not None and not path.startswith("/")):
            raise self._outside(given)
        steps = [step for step in path.split("/") if step not in ("", ".")]
        if ".." in steps:
            raise self._outside(given)
        return steps if path.startswith("/") else [*self.data.parts[1:], *steps]

    def _inside(self, given: str, found: str) -> str:
        if not any(_below(found, os.path.realpath(root)) for root in self._folders()):
            raise self._outside(given)
        return found

    def _refuse_own(self, given: str, found: str) -> None:
        data = os.path.realpath(self.data)
        if _below(data, found) or any(_below(found, f"{data}/{own}") for own in _OWN):
            raise ForbiddenLocationError(
                f"{given} holds the jobs' own files or is one of them.", hint="Name a folder inside the data folder."
            )

    def _outside(self, given: str) -> ForbiddenLocationError:
        return ForbiddenLocationError(
            f"{given} is not within {self._listed()}.",
            hint="The service's settings batch_data and batch_roots say where jobs may read and write.",
        )

    def _listed(self) -> str:
        return ", ".join([str(self.data), *self.further])

    def _folders(self) -> list[str]:
        return [str(self.data), *(root for root in self.further if "://" not in root)]


def _holds(root: BlobAddress, found: BlobAddress) -> bool:
    """Whether a blob is below a root. Where both leave the account to the credentials, it is the same."""
    same = (root.container, root.account, root.suffix) == (found.container, found.account, found.suffix)
    return same and (not root.path or _below(found.path, root.path))


def _below(path: str, folder: str) -> bool:
    """Whether a resolved path is the resolved folder, or inside it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _encodes(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True
