"""From an image to an endpoint. `scorewright.deploy.local(bundle)` is for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scorewright.notebook import local as local

__all__ = ["local"]


def __getattr__(name: str) -> object:
    # What it needs of the other parts is loaded when it is asked for.
    if name == "local":
        from scorewright.notebook import local

        return local
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
