"""Bundles of one name whose content differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.bundle import MANIFEST, Bundle
from tests.hand_made import hand_made_bundle

if TYPE_CHECKING:
    from pathlib import Path

NAME = "Iris.Tree"


def variant(folder: Path, note: str, version: str = "3") -> Bundle:
    """The bundle made by hand, and a note in its manifest that makes it another."""
    bundle = hand_made_bundle(folder)
    changed = bundle.manifest.model_copy(update={"notes": (note,), "version": version})
    (folder / MANIFEST).write_text(changed.to_json(), "utf-8")
    return Bundle.load(folder)
