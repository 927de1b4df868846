"""The module that Azure's batch runtime has and no package: `azureml_user.parallel_run`, with `EntryScript`.

Batch scripts and ParallelRunStep scripts take their logger and their folders from it. Contract: Microsoft's
documentation of ParallelRunStep; EntryScript is one object a process.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from types import ModuleType
from typing import Any, ClassVar

PACKAGE = "azureml_user"
MODULE = f"{PACKAGE}.parallel_run"
LOGGER = "azureml_user"


class EntryScript:
    """What a batch script asks of the runtime. The same object, however often it is made."""

    _only: ClassVar[EntryScript | None] = None

    def __new__(cls) -> EntryScript:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    @property
    def logger(self) -> logging.Logger:
        """Where the script's own words go."""
        return logging.getLogger(LOGGER)

    @property
    def output_dir(self) -> str:
        """AZUREML_BI_OUTPUT_PATH: where the script leaves files of its own."""
        return os.environ["AZUREML_BI_OUTPUT_PATH"]

    @property
    def working_dir(self) -> str:
        """The process's folder."""
        return os.getcwd()  # noqa: PTH109 - a text, as Azure's is

    @property
    def log_dir(self) -> str:
        """A folder that is not kept."""
        return tempfile.gettempdir()

    @property
    def agent_name(self) -> str:
        """This worker, by its process's number."""
        return f"process{os.getpid()}"


def provide() -> None:
    """Make `azureml_user.parallel_run` importable, unless Azure's own is."""
    if MODULE in sys.modules:
        return
    package, module = ModuleType(PACKAGE), ModuleType(MODULE)
    contents: dict[str, Any] = {"EntryScript": EntryScript}
    module.__dict__.update(contents)
    package.__dict__.update(__path__=[], parallel_run=module)
    sys.modules.update({PACKAGE: package, MODULE: module})
