"""Where a bundle's folder can be named, a registered model can."""

from __future__ import annotations

from pathlib import Path

from scorewright.registry.folder import REFERENCE, FolderRegistry


def bundle_folder(word: str) -> Path:
    """The folder of what a command was given: a bundle's folder, or `name:version` in the default registry.

    A folder of that name wins. Raises RegistryError if it is a reference, and no folder, to nothing that is registered.
    """
    path = Path(word)
    if path.exists() or not REFERENCE.fullmatch(word):
        return path
    return FolderRegistry.default().bundle(word).root
