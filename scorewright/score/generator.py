"""From a model and a sample to a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle


def generate(
    model: object,
    sample: object = None,
    *,
    name: str | None = None,
    version: str = "1",
    out: Path | str | None = None,
    method: str | None = None,
    force: bool = False,
    allow_version_skew: bool = False,
) -> Bundle:
    """Look into a fitted model and write the bundle that serves it."""
    raise NotImplementedError
