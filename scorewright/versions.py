"""Which library versions are installed here, and whether they are those that made the model."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from scorewright.errors import VersionSkewError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALLOW_VERSION_SKEW = "SCOREWRIGHT_ALLOW_VERSION_SKEW"
"""Environment variable: `1` lets a generated script start with other versions than those that made its model."""

EXACT = ("scikit-learn", "keras", "tensorflow", "onnxruntime")
"""Their pickles and files are only promised to load in the very release that wrote them.

onnxruntime reads files of any release, but in which order it adds up is each release's own: what was measured of
a converted model's answers was measured with one.
"""


SAME = {"tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos")}
"""Distributions that are the same library, release for release, under a name of their own."""


def installed(names: Iterable[str]) -> dict[str, str]:
    """The versions of python and of those of `names` that are installed, without importing any."""
    found = {"python": platform.python_version()}
    for name in names:
        for distribution in (name, *SAME.get(name, ())):
            try:
                found[name] = version(distribution)
                break
            except PackageNotFoundError:
                continue
    return found


def skew(recorded: Mapping[str, str]) -> list[str]:
    """How the versions here differ from `recorded`, a sentence each; empty if the model may be loaded.

    The frameworks must be the same release; python must be the same minor version, the rest the same major one.
    """
    here = installed(name for name in recorded if name != "python")
    differences = []
    for name, made_with in recorded.items():
        found = here.get(name)
        if found is None:
            differences.append(f"{name} {made_with} made the model, none is installed here")
        elif _significant(name, found) != _significant(name, made_with):
            differences.append(f"{name} {made_with} made the model, {found} is installed here")
    return differences


def require(recorded: Mapping[str, str]) -> None:
    """Raise VersionSkewError naming both versions, if the versions here are not those recorded."""
    differences = skew(recorded)
    if differences:
        pins = " ".join(f"'{name}=={recorded[name]}'" for name in recorded if name != "python")
        raise VersionSkewError(
            "; ".join(differences) + ".",
            hint=f"Install what made it (pip install {pins}), or go on at your own risk with --allow-version-skew.",
        )


def _significant(name: str, number: str) -> str:
    parts = number.split(".")
    if name in EXACT:
        return number
    return ".".join(parts[:2]) if name == "python" else parts[0]
