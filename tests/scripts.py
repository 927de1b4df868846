"""A bundle's entry script, loaded into the test's own process and ready to be called."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.contract.script import EntryScript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from scorewright.bundle import Bundle

SURROUNDINGS = ("AML_APP_ROOT", "AZUREML_ENTRY_SCRIPT", "AZUREML_MODEL_DIR")


@dataclass(frozen=True)
class Script:
    """The script's functions, and the module they are in."""

    run: Callable[[str], Any]
    run_many: Callable[[list[str]], list[Any]] | None
    module: ModuleType


@contextmanager
def loaded(bundle: Bundle) -> Iterator[Script]:
    """Load and start the script; what that changed in this process is put back afterwards."""
    before = {name: os.environ.pop(name, None) for name in SURROUNDINGS}
    path, modules = list(sys.path), set(sys.modules)
    try:
        script = EntryScript.load(bundle.entry_script, model_dir=bundle.model_dir)
        script.start(bundle.model_dir)
        yield Script(script.run, script.run_many, sys.modules["entry_module"])
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name == "entry_module" or name.startswith("azureml"):
                del sys.modules[name]
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
