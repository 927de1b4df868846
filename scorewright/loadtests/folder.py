"""A folder of reports, written whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scorewright.errors import LocationError, OutputExistsError

if TYPE_CHECKING:
    from collections.abc import Mapping


def require_free(target: Path, *, mark: str, force: bool) -> None:
    """Raise OutputExistsError if something is at `target` that may not be replaced.

    With `force` a folder may be that has the file `mark`, which says that it was written here.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not force:
        raise OutputExistsError(f"{target} exists already.")
    if not (target / mark).is_file():
        raise OutputExistsError(
            f"{target} exists and has no {mark}: --force replaces only what this command has written.",
            hint="Choose another folder with --out.",
        )


def write(target: Path, files: Mapping[str, str], *, mark: str, force: bool) -> None:
    """Write files, by their names, into a new folder beside `target`, and rename that when all are there.

    Raises OutputExistsError as `require_free`, and LocationError if the folder cannot be written.
    """
    target = target.absolute()
    require_free(target, mark=mark, force=force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside:
            folder = Path(beside) / target.name
            folder.mkdir()
            for name, text in files.items():
                (folder / name).write_text(text, "utf-8")
            _put(folder, target, Path(beside) / "replaced")
    except OSError as error:
        raise LocationError(
            f"{target} cannot be written: {error.strerror}.", hint="Choose another folder with --out."
        ) from None


def _put(folder: Path, target: Path, aside: Path) -> None:
    """Rename the finished folder into its place; the one it replaces goes with the temporary folder."""
    if target.exists():
        target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
