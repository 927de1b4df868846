"""What is served: a bundle, or somebody's own entry script."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright import __version__, versions
from scorewright.bundle import Bundle, Manifest
from scorewright.contract.script import MAIN
from scorewright.errors import BundleError, ScriptError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorewright.service.settings import Settings

OPENAPI = "openapi.json"
SAMPLE = "sample_request.json"
EXPECTED = "expected_response.json"

LOOPBACK = "127.0.0.1"
SERVER_VERSION = f"scorewright/{__version__}"

EVERYWHERE = "0.0.0.0"  # noqa: S104 - azmlinfsrv's, where ours stands in for it


@dataclass(frozen=True)
class Target:
    """An entry script with its surroundings, and the bundle it is of.

    Without `entry_script` it is the module `main`. `host` is where it listens unless it is told otherwise.
    `documents` are those files of the bundle that describe it, parsed, by name: whoever has a target needs to read
    nothing more, and what is on disk may have become another bundle meanwhile.
    """

    name: str
    version: str
    entry_script: Path | None
    model_dir: str | None
    app_root: Path
    host: str
    bundle: Bundle | None = None
    digest: str = ""
    """The bundle's, as it was when it was verified."""
    documents: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Target:
        """What the settings name. Of a bundle, nothing has been loaded before its hashes and versions are right.

        Raises UsageError if they name nothing, ScriptError if there is no such script, BundleError or
        VersionSkewError if the bundle is not as it should be.
        """
        if settings.bundle is not None:
            return cls._of_bundle(settings, settings.bundle)
        root = (settings.app_root or Path.cwd()).absolute()
        script = None
        if settings.entry_script:
            script = root / settings.entry_script
            if not script.is_file():
                raise ScriptError(f"There is no entry script {script}.", hint="Name the score.py to run.")
        elif settings.config_file is None and settings.app_root is None:
            raise UsageError(
                "There is nothing to serve.",
                hint="Name a bundle, or an entry script with --entry-script or in a --config-file.",
            )
        return cls(settings.service_name, settings.service_version, script, settings.model_dir, root, EVERYWHERE)

    @classmethod
    def _of_bundle(cls, settings: Settings, root: Path) -> Target:
        bundle = Bundle.load(root, model_dir=settings.model_dir)
        manifest = bundle.manifest
        if not settings.allow_version_skew:
            versions.require(manifest.versions)
        return cls(
            name=manifest.name,
            version=manifest.version,
            entry_script=bundle.entry_script,
            model_dir=str(bundle.model_dir),
            app_root=settings.app_root or bundle.root,
            host=LOOPBACK,
            bundle=bundle,
            digest=bundle.digest,
            documents={name: _document(bundle, name) for name in (OPENAPI, SAMPLE, EXPECTED) if name in manifest.files},
        )

    def told(self) -> dict[str, Any]:
        """The same as JSON, for another process."""
        return {
            "name": self.name,
            "version": self.version,
            "entry_script": None if self.entry_script is None else str(self.entry_script),
            "model_dir": self.model_dir,
            "app_root": str(self.app_root),
            "host": self.host,
            "digest": self.digest,
            "documents": dict(self.documents),
            "bundle": None
            if self.bundle is None
            else [str(self.bundle.root), str(self.bundle.model_dir), self.bundle.manifest.model_dump(mode="json")],
        }

    @classmethod
    def of_told(cls, told: Mapping[str, Any]) -> Target:
        """What another process has told; nothing is read from disk."""
        script, bundle = told["entry_script"], told["bundle"]
        return cls(
            name=told["name"],
            version=told["version"],
            entry_script=None if script is None else Path(script),
            model_dir=told["model_dir"],
            app_root=Path(told["app_root"]),
            host=told["host"],
            bundle=None
            if bundle is None
            else Bundle(Path(bundle[0]), Path(bundle[1]), Manifest.model_validate(bundle[2])),
            digest=told["digest"],
            documents=told["documents"],
        )

    @property
    def title(self) -> str:
        """What it is called in the log."""
        if self.bundle is not None:
            return self.name
        return str(self.entry_script or self.app_root / f"{MAIN}.py")

    def environment(self, settings: Settings) -> Mapping[str, str]:
        """The environment of the scorers: this process's, and what Azure's server has set when a script is loaded."""
        environment = dict(os.environ)
        environment |= {
            "AML_APP_ROOT": str(self.app_root),
            "WORKER_COUNT": str(settings.worker_count),
            "SERVER_PORT": str(settings.port),
            "HEALTH_PORT": str(settings.health_port if settings.separate_health_port else settings.port),
            "AML_APP_INSIGHTS_ENABLED": str(settings.app_insights_enabled).lower(),
        }
        if settings.server_version_header:
            environment["HTTP_X_MS_SERVER_VERSION"] = SERVER_VERSION
        if settings.config_file is not None:
            environment["AZUREML_CONFIG_FILE"] = str(settings.config_file.resolve())
        if settings.source_directory:
            environment["AZUREML_SOURCE_DIRECTORY"] = settings.source_directory
        if settings.allow_version_skew:
            environment[versions.ALLOW_VERSION_SKEW] = "1"
        return environment


def _document(bundle: Bundle, name: str) -> object:
    try:
        return bundle.json(name)
    except ValueError as error:
        raise BundleError(f"{bundle.path(name)} is not JSON: {error}.") from error


def loopback(host: str) -> bool:
    """Whether only this machine reaches an address, or name, of its own."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
