"""A module of a user's own, importable by its plain name, as it is for a user who keeps it beside the model."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "user_modules"

sys.path.append(str(FOLDER))
user_functions: Any = importlib.import_module("user_functions")
