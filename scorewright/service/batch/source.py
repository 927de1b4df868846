"""What scores a batch job: a bundle, or a batch entry script with its model folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from scorewright import versions
from scorewright.bundle import Bundle, sha256
from scorewright.errors import ScriptError


@dataclass(frozen=True)
class Source:
    """A bundle's folder, or a batch entry script with its model folder; and the script's own arguments."""

    bundle: Path | None = None
    entry_script: Path | None = None
    model_dir: str | None = None
    arguments: tuple[str, ...] = ()
    allow_version_skew: bool = False

    def loaded(self) -> Bundle | None:
        """The bundle, if it is one, verified.

        Raises BundleError if anything in it changed, VersionSkewError if other library versions are installed here, and
        ScriptError if there is no such script.
        """
        if self.bundle is None:
            if self.entry_script is None or not self.entry_script.is_file():
                raise ScriptError(f"There is no batch entry script {self.entry_script}.", hint="Name a .py file.")
            return None
        bundle = Bundle.load(self.bundle, model_dir=self.model_dir)
        if not self.allow_version_skew:
            versions.require(bundle.manifest.versions)
        return bundle

    def script(self, bundle: Bundle | None) -> tuple[Path, str | None]:
        """The script's path and what it is given as AZUREML_MODEL_DIR."""
        if bundle is not None:
            return bundle.batch_entry_script, str(bundle.model_dir)
        script = (self.entry_script or Path()).resolve()
        return script, None if self.model_dir is None else str(Path(self.model_dir).resolve())

    def digest(self, bundle: Bundle | None) -> str:
        """A hash by which another script, model, bundle or argument is known."""
        content = (sha256(self.entry_script or Path()), self._models()) if bundle is None else bundle.digest
        return hashlib.sha256(repr((content, self.arguments)).encode()).hexdigest()

    def _models(self) -> list[tuple[str, str]]:
        if self.model_dir is None:
            return []
        folder = Path(self.model_dir)
        # Python's caches come into being while the script runs.
        files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return [(path.relative_to(folder).as_posix(), sha256(path)) for path in files]
