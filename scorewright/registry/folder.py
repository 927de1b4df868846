"""A registry in a folder: NAME/VERSION/ with the bundle and its record. Versions come, and never change."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scorewright.bundle import MANIFEST, Bundle, sha256
from scorewright.errors import BundleError, NotBetterError, OutputExistsError, RegistryError, UsageError
from scorewright.registry.entry import BUNDLE, LATEST, RECORD, Entry, read_entry
from scorewright.registry.staging import copy_files, locked, new_folder, put, staged, stamp, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VARIABLE = "SCOREWRIGHT_REGISTRY"

_NAME = r"[a-zA-Z0-9][a-zA-Z0-9\-._]{0,254}"
_A_NAME = re.compile(_NAME)
REFERENCE = re.compile(rf"(?P<name>{_NAME}):(?P<version>[a-zA-Z0-9][a-zA-Z0-9\-._]{{0,29}})")


@dataclass(frozen=True)
class Condition:
    """A metric in which a model must be better than every version before it that has the metric."""

    metric: str
    better: Literal["higher", "lower"] = "higher"

    def require(self, metrics: Mapping[str, float], before: Sequence[Entry]) -> None:
        """Raise NotBetterError naming the best version before if `metrics` is not better."""
        sign = 1 if self.better == "higher" else -1
        rivals = [entry for entry in before if self.metric in entry.metrics]
        best = max(rivals, key=lambda entry: sign * entry.metrics[self.metric], default=None)
        if best is not None and sign * metrics[self.metric] <= sign * best.metrics[self.metric]:
            raise NotBetterError(
                f"{self.metric} {metrics[self.metric]:g} is not better ({self.better}) than the "
                f"{best.metrics[self.metric]:g} of {best.reference}."
            )


@dataclass(frozen=True)
class Registered:
    """The version that a bundle has now, and whether it had it before."""

    entry: Entry
    new: bool


@dataclass(frozen=True)
class FolderRegistry:
    """Models in a folder that any number of processes, also of several machines, may use at once."""

    root: Path

    @classmethod
    def default(cls) -> FolderRegistry:
        """The one that SCOREWRIGHT_REGISTRY names, else the user's own."""
        if named := os.environ.get(VARIABLE):
            return cls(Path(named).expanduser())
        data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        return cls(Path(data).expanduser() / "scorewright" / "registry")

    def register(
        self,
        bundle: Bundle | Path | str,
        *,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        own_version: bool = False,
        only_if: Condition | None = None,
    ) -> Registered:
        """Keep a copy of a bundle as the next number of its name, or with `own_version` as the version it has.

        A bundle that is registered already keeps the version that it has. Raises BundleError if it is not what its
        manifest says, NotBetterError if it is not better as `only_if` asks, RegistryError if its own version is
        another bundle's, if it is registered with other metrics or tags, or if the folder cannot be written.
        """
        given = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        name, digest = given.manifest.name, given.digest
        measured, tagged = dict(metrics or {}), dict(tags or {})
        if own_version and given.manifest.version == LATEST:
            raise RegistryError(f"No version can be called {LATEST}: {name}:{LATEST} is the one registered last.")
        if only_if is not None and only_if.metric not in measured:
            raise UsageError(f"Whether it is better in {only_if.metric} cannot be told: no such metric is given.")

        def settled(before: Sequence[Entry]) -> Registered | None:
            if known := _known(before, given, own_version, measured, tagged):
                return Registered(known, new=False)
            if only_if is not None:
                only_if.require(measured, before)
            return None

        with self._told():
            self.root.mkdir(parents=True, exist_ok=True)
            # Asked before the copy, which may be of gigabytes and for nothing, and again when no one else can register.
            if known := settled(self.entries(name)):
                return known
            with staged(self.root) as folder:
                copy_files(given, folder / BUNDLE)
                with locked(self.root):
                    before = self.entries(name)
                    if known := settled(before):
                        return known
                    version = given.manifest.version if own_version else _next(before)
                    stamp(given, folder / BUNDLE, version)
                    entry = Entry(
                        name=name,
                        version=version,
                        number=max((one.number for one in before), default=0) + 1,
                        registered=datetime.now(UTC).isoformat(timespec="seconds"),
                        kind=given.manifest.model.kind,
                        sha256=sha256(folder / BUNDLE / MANIFEST),
                        source=digest,
                        metrics=measured,
                        tags=tagged,
                    )
                    write(folder / RECORD, entry.model_dump_json(indent=2) + "\n")
                    put(folder, self.root / name / version)
        return Registered(entry, new=True)

    def names(self) -> list[str]:
        """The models that have a version."""
        with self._told():
            if not self.root.is_dir():
                return []
            return sorted(
                found.name
                for found in self.root.iterdir()
                if found.is_dir() and not found.name.startswith(".") and any(found.iterdir())
            )

    def entries(self, name: str) -> list[Entry]:
        """The versions of a model, the one registered last at the end. Raises RegistryError for a damaged one."""
        with self._told():
            folder = self.root / name
            if not _A_NAME.fullmatch(name) or not folder.is_dir():
                return []
            found = [read_entry(one) for one in folder.iterdir() if not one.name.startswith(".")]
            return sorted(found, key=lambda entry: entry.number)

    def entry(self, reference: str) -> Entry:
        """What `name:version` or `name:latest` is. Raises RegistryError, saying what there is, if it is nothing."""
        name, version = split(reference)
        found = self.entries(name)
        if not found:
            there = ", ".join(self.names())
            raise RegistryError(
                f"No model {name} is registered in {self.root}.",
                hint=f"There are: {there}." if there else f"Nothing is registered there; {VARIABLE} names another.",
            )
        if version == LATEST:
            return found[-1]
        for entry in found:
            if entry.version == version:
                return entry
        raise RegistryError(
            f"{name} has no version {version} in {self.root}.",
            hint=f"It has: {', '.join(entry.version for entry in found)}.",
        )

    def bundle(self, reference: str) -> Bundle:
        """A registered version where it is kept. Raises RegistryError if it is not what was registered."""
        entry = self.entry(reference)
        folder = self.root / entry.name / entry.version / BUNDLE
        with self._told():
            try:
                bundle = Bundle.load(folder)
                intact = bundle.digest == entry.sha256
                fault = f"{folder / MANIFEST} is not the manifest that was registered."
            except BundleError as error:
                intact, fault = False, error.message
        if not intact:
            raise RegistryError(
                f"{entry.reference} is not what was registered: {fault}",
                hint="Nothing was loaded. Restore its files, or register the model again and use that version.",
            )
        return bundle

    def fetch(self, reference: str, out: Path) -> Bundle:
        """A copy of a version in a new folder. Raises OutputExistsError if that is there, RegistryError as `bundle`."""
        bundle = self.bundle(reference)
        try:
            with new_folder(out) as folder:
                copy_files(bundle, folder)
                stamp(bundle, folder, bundle.manifest.version)
        except FileExistsError:
            raise OutputExistsError(f"{out} is there already.", hint="Choose another folder with --out.") from None
        except OSError as error:
            raise RegistryError(f"{out} cannot be written: {error.strerror}.") from None
        return Bundle.load(out)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RegistryError(
                f"The registry {self.root} cannot be used: {error.filename or self.root}: {error.strerror}.",
                hint=f"Name another folder with --registry or {VARIABLE}.",
            ) from None


def split(reference: str) -> tuple[str, str]:
    """Name and version of `name:version`. Raises UsageError if it is not of that form."""
    found = REFERENCE.fullmatch(reference)
    if not found:
        raise UsageError(f"{reference!r} is no registered model.", hint="Write it like churn:3 or churn:latest.")
    return found["name"], found["version"]


def _known(
    before: Sequence[Entry], bundle: Bundle, own_version: bool, metrics: Mapping[str, float], tags: Mapping[str, str]
) -> Entry | None:
    """The version that the bundle has already."""
    wanted = bundle.manifest.version
    same = [entry for entry in before if entry.holds(bundle.digest) and (entry.version == wanted or not own_version)]
    if not same:
        if own_version and any(entry.version == wanted for entry in before):
            raise RegistryError(
                f"{bundle.manifest.name}:{wanted} is registered with another content.",
                hint="Versions do not change. Register it as the next number, or generate it with another --version.",
            )
        return None
    entry = same[-1]
    for what, given, has in (("metrics", metrics, entry.metrics), ("tags", tags, entry.tags)):
        if given and dict(given) != has:
            raise RegistryError(
                f"This bundle is registered already, as {entry.reference}, with other {what}: {_written(has)}.",
                hint=f"Versions do not change, nor do their {what}. Leave them out, or give the same.",
            )
    return entry


def _next(before: Sequence[Entry]) -> str:
    return str(max((int(one.version) for one in before if one.version.isdecimal()), default=0) + 1)


def _written(pairs: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in pairs.items()) or "none"
