"""A bundle's folder, and what its checks share."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003  # a dataclass's field
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path  # noqa: TC003  # a dataclass's field

from scorewright.bundle import Bundle
from scorewright.doctor.bundle.trial import Started, try_start
from scorewright.doctor.wanted import Wanted
from scorewright.errors import BundleError, CheckFailedError
from scorewright.versions import skew


@dataclass(frozen=True)
class Patient:
    """A folder that should be a bundle. It is started only if it is whole, and made by the releases that are here."""

    folder: Path
    wanted: Wanted = field(default_factory=Wanted)
    start: Callable[[Bundle, float], Started] = try_start

    @cached_property
    def bundle(self) -> Bundle | BundleError:
        """The bundle with its hashes verified, or what is wrong with it."""
        try:
            return Bundle.load(self.folder)
        except BundleError as error:
            return error

    @cached_property
    def skew(self) -> list[str]:
        """How the versions here differ from those that made it."""
        return [] if isinstance(self.bundle, BundleError) else skew(self.bundle.manifest.versions)

    @cached_property
    def started(self) -> Started | CheckFailedError | str:
        """What a scorer needs to get ready, or why it fails to; words if it was not tried."""
        if isinstance(self.bundle, BundleError):
            return "the bundle is not whole, so nothing of it is loaded"
        if self.skew:
            return "other versions made the model, so it is not loaded here"
        try:
            return self.start(self.bundle, self.wanted.probes.start)
        except CheckFailedError as error:
            return error
