"""Where a bundle's folder can be named, a registered model can."""

from __future__ import annotations

from pathlib import Path

from scorewright.errors import RegistryError
from scorewright.registry.folder import REFERENCE, FolderRegistry


def bundle_folder(word: str) -> Path:
    """The folder of what a command was given: a bundle's folder, or `name:version` in the default registry.

    A folder of that name wins. Raises RegistryError if it is a reference, and no folder, to nothing that is registered.
    """
    path = Path(word)
    if path.exists() or not REFERENCE.fullmatch(word):
        return path
    return FolderRegistry.default().bundle(word).root


def bundle_or_image(word: str) -> Path | None:
    """The same where an image can be named as well: None if it is neither a folder nor registered."""
    path = Path(word)
    if path.is_dir():
        return path
    if not REFERENCE.fullmatch(word):
        return None
    models = FolderRegistry.default()
    try:
        models.entry(word)
    except RegistryError:
        return None
    return models.bundle(word).root
