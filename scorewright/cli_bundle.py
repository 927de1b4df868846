"""How the commands are told which bundle is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

HELP = "The bundle's folder, or NAME:VERSION in the registry"
"""To be ended with a full stop, or with what happens without one. A folder of that name wins."""


def bundle_folder(word: str) -> Path:
    """Raises RegistryError if `word` is NAME:VERSION, and no folder, of a model that is not registered."""
    from scorewright.registry import reference

    return reference.bundle_folder(word)


def bundle_argument(otherwise: str = "") -> Any:
    """An argument that may be left out; `otherwise` says what happens then."""
    return typer.Argument(help=f"{HELP}{otherwise}.", parser=bundle_folder, metavar="BUNDLE", show_default=False)


def bundle_option(help_: str) -> Any:
    """The option --bundle."""
    return typer.Option("--bundle", help=help_, parser=bundle_folder, metavar="BUNDLE", show_default=False)


BundleArgument = Annotated[Path, bundle_argument()]
