"""What the service's jobs are scored by: the bundle that is served, or a batch entry script that a setting names."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from scorewright.errors import RequestError
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


def told(target: Target, settings: Settings, roots: Roots) -> Told:
    """What the process of a job has to know."""
    script = _script(target, settings)
    bundle = target.bundle if script is None else None
    return Told(
        bundle=None if bundle is None else str(bundle.root),
        entry_script=None if script is None else str(script),
        model_dir=settings.model_dir if bundle is not None else target.model_dir,
        allow_version_skew=settings.allow_version_skew,
        data=str(roots.data),
        further=roots.further,
    )


def _script(target: Target, settings: Settings) -> Path | None:
    """Relative to the served script's root, as that is."""
    return None if settings.batch_entry_script is None else (target.app_root / settings.batch_entry_script).absolute()
