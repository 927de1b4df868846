"""A user's own swagger.json files, which stand in place of what would be said of the script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scorewright.errors import ScriptError

if TYPE_CHECKING:
    from pathlib import Path

_FILES = {"2": ("swagger.json", "swagger2.json"), "3": ("swagger3.json",), "3.1": ("swagger3.1.json",)}
_NOT_JSON = {"NaN": None, "Infinity": "Infinity", "-Infinity": "-Infinity"}


def read(folder: Path) -> dict[str, object]:
    """The files in AML_APP_ROOT by the version they describe the service in; an empty one counts as none.

    To be called after init(), which may write them: Azure's designer does. NaN, which is not JSON, becomes null and
    an infinity text. Contract: azureml-inference-server-http 1.5.1, server/swagger.py.

    Raises ScriptError naming the file and what is wrong with it.
    """
    found = {version: [_read(folder / name) for name in names] for version, names in _FILES.items()}
    return {version: next(filter(None, documents)) for version, documents in found.items() if any(documents)}


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"), parse_constant=_NOT_JSON.get)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ScriptError(
            f"{path} cannot be read as JSON: {error}.",
            hint="It would be served as /swagger.json; mend it, or take it away.",
        ) from None
