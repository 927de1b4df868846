"""config.json: settings in a file, by the names of their environment variables.

Contract: azureml-inference-server-http 1.5.1, server/config.py: the file is the one that is named, else config.json in
AML_APP_ROOT or beside the entry script; an empty one is as none.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE = "config.json"


def find(flags: Mapping[str, Any]) -> Path | None:
    """The file that counts, for these flags and this environment. Raises UsageError if one is named and not there."""
    named = flags.get("config_file") or os.environ.get("AZUREML_CONFIG_FILE")
    if named is not None:
        if not Path(named).is_file():
            raise UsageError(
                f"There is no configuration file {named}.", hint="Name another with --config-file, or none."
            )
        return Path(named)
    script = flags.get("entry_script") or os.environ.get("AZUREML_ENTRY_SCRIPT")
    # Beside a bundle, a config.json is somebody else's: Azure ML's workspaces are described by one.
    if script is None or flags.get("bundle") is not None:
        return None
    return next((path for path in _places(script) if path.is_file() and path.stat().st_size), None)


def _places(script: str) -> Iterator[Path]:
    root = Path(os.environ.get("AML_APP_ROOT") or Path.cwd())
    yield root / FILE
    yield root.joinpath(script).parent / FILE


def load(path: Path) -> dict[str, Any]:
    """The file's content. Raises UsageError naming the file and the place in it if it is no JSON object."""
    try:
        content = json.loads(path.read_text("utf-8") or "{}")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", hint="It must be one JSON object.") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no JSON object.", hint='Write {"SCORING_TIMEOUT_MS": 5000} or the like.')
    return content
