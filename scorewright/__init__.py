"""Scorewright: from a fitted scikit-learn or Keras model to a scored request."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scorewright import deploy as deploy
    from scorewright.bundle import Bundle as Bundle
    from scorewright.registry.folder import FolderRegistry as FolderRegistry
    from scorewright.score.check import check as check
    from scorewright.score.generator import generate as generate

__all__ = ["Bundle", "FolderRegistry", "__version__", "check", "deploy", "generate"]

_HOMES = {
    "Bundle": "scorewright.bundle",
    "FolderRegistry": "scorewright.registry.folder",
    "check": "scorewright.score.check",
    "generate": "scorewright.score.generator",
}


def __getattr__(name: str) -> object:
    # A scorer process imports this package too: it must not pay for the generator.
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "deploy":
        return import_module("scorewright.deploy")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
