"""What the service's jobs are scored by: the bundle that is served, or a batch entry script that a setting names."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from scorewright.errors import RequestError
from scorewright.service.batch.stored_job import Served
from scorewright.service.batch.told import Told

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.service.batch.roots import Roots
    from scorewright.service.settings import Settings
    from scorewright.service.target import Target

_NEEDED = ("dask", "distributed", "fsspec", "pandas", "pyarrow")


def require(target: Target, settings: Settings) -> None:
    """Raise RequestError 501 if jobs cannot be scored here, with what to do about it."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(
            501,
            f"Batch scoring is not installed in this service ({', '.join(missing)}): "
            "pip install 'scorewright[batch]', or build the image with --batch.",
        )
    script = _script(target, settings)
    if script is None and target.bundle is None:
        raise RequestError(
            501,
            "The service runs an entry script for requests, which does not score files. "
            "The setting batch_entry_script names one that does; a bundle brings its own.",
        )
    if script is not None and not script.is_file():
        raise RequestError(501, f"There is no batch entry script {script}: the setting batch_entry_script names it.")


def served(target: Target, settings: Settings) -> Served | None:
    """The bundle that is to score a job that is accepted now; None if a batch entry script does."""
    bundle = target.bundle
    if bundle is None or settings.batch_entry_script is not None:
        return None
    return Served(bundle.manifest.name, bundle.manifest.version, target.digest, str(bundle.root), str(bundle.model_dir))


def told(target: Target, settings: Settings, roots: Roots, accepted: Served | None) -> Told:
    """What the process of a job has to know: the job keeps to what it was accepted with.

    The same bundle may be elsewhere by now: in another release of an image, for example.
    """
    now = served(target, settings)
    bundle = now if accepted is None or (now is not None and now.sha256 == accepted.sha256) else accepted
    script = None if bundle is not None else _script(target, settings)
    return Told(
        bundle=bundle,
        entry_script=None if script is None else str(script),
        model_dir=target.model_dir if bundle is None else bundle.model_dir,
        allow_version_skew=settings.allow_version_skew,
        data=str(roots.data),
        further=roots.further,
    )


def _script(target: Target, settings: Settings) -> Path | None:
    """Relative to the served script's root, as that is."""
    return None if settings.batch_entry_script is None else (target.app_root / settings.batch_entry_script).absolute()
