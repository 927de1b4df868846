"""What is known of one registered version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from scorewright.bundle import NAME_PATTERN
from scorewright.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RECORD = "registration.json"
BUNDLE = "bundle"
LATEST = "latest"

VERSION_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9\-\._]{0,29}$"
KEY_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9\-\._ ]{0,99}$"


class Entry(BaseModel):
    """registration.json: one version of a model, as it was registered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    version: Annotated[str, Field(pattern=VERSION_PATTERN)]
    number: Annotated[int, Field(ge=1)]
    """The how-manieth of this name it is; the latest has the highest."""
    registered: str
    """When, in UTC, as ISO 8601 writes it."""
    kind: str
    """The class of the model."""
    sha256: str
    """Of the manifest of the bundle as it is kept, which holds the sha256 of everything else."""
    source: str
    """The same of the bundle that was given: its manifest may have had another version."""
    metrics: dict[str, FiniteFloat] = {}
    tags: dict[str, str] = {}

    @property
    def reference(self) -> str:
        return f"{self.name}:{self.version}"

    def holds(self, digest: str) -> bool:
        """Whether it was made of the bundle whose manifest has this sha256."""
        return digest in (self.sha256, self.source)


def read_entry(folder: Path) -> Entry:
    """The record of a version in its folder. Raises RegistryError if it is missing or not valid."""
    path = folder / RECORD
    try:
        entry = Entry.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}.", hint=_damaged(folder)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the top level"
        raise RegistryError(f"{path} is not valid: at {where}: {first['msg']}.", hint=_damaged(folder)) from None
    if (entry.name, entry.version) != (folder.parent.name, folder.name):
        raise RegistryError(f"{path} is the record of {entry.reference}.", hint=_damaged(folder))
    return entry


def read_metrics(words: Iterable[str]) -> dict[str, float]:
    """`accuracy=0.93` and its like. Raises UsageError for what has no name or no finite number."""
    found = {}
    for key, value in _pairs("--metric", words, "accuracy=0.93"):
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if number - number != 0:
            raise UsageError(f"--metric {key}={value}: that is no finite number.", hint="Write it like accuracy=0.93.")
        found[key] = number
    return found


def read_tags(words: Iterable[str]) -> dict[str, str]:
    """`stage=trial` and its like. Raises UsageError for what has no name."""
    return dict(_pairs("--tag", words, "stage=trial"))


def _pairs(flag: str, words: Iterable[str], example: str) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not re.fullmatch(KEY_PATTERN, key):
            raise UsageError(f"{flag} {word!r} is not NAME=VALUE.", hint=f"Write it like {example}.")
        if key in found:
            raise UsageError(f"{flag} {key} is given twice.")
        found[key] = value
    return list(found.items())


def _damaged(folder: Path) -> str:
    return f"The registry was changed by hand: put {folder} back as it was, or remove it as a whole."
