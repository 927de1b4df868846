"""Scorewright: from a fitted scikit-learn or Keras model to a scored request."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scorewright.bundle import Bundle as Bundle
    from scorewright.score.generator import generate as generate

__all__ = ["Bundle", "__version__", "generate"]

_HOMES = {"Bundle": "scorewright.bundle", "generate": "scorewright.score.generator"}


def __getattr__(name: str) -> object:
    # A scorer process imports this package too: it must not pay for the generator.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
