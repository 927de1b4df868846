"""The entry script: loaded as Azure's inference server loads it, and started."""

from __future__ import annotations

import importlib
import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from scorewright.contract.module import load_module, start, surround
from scorewright.contract.run_form import RunForm
from scorewright.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.contract.request import HttpRequest

MAIN = "main"
"""The module that is the entry script where none is named."""


@dataclass(frozen=True)
class EntryScript:
    """A loaded entry script. `run_many` is None where the script has only Azure's `run`."""

    path: Path
    init: Callable[[], object]
    run: Callable[..., Any]
    form: RunForm
    run_many: Callable[[list[str]], list[Any]] | None = None

    @classmethod
    def load(cls, path: Path | None, *, model_dir: Path | str | None) -> Self:
        """Import the script under the name and in the surroundings that Azure's server gives it.

        Contract: azureml-inference-server-http 1.5.1, server/user_script.py: the module's name is `entry_module`;
        AML_APP_ROOT (here the script's folder, unless it is set) and AML_APP_ROOT/AZUREML_SOURCE_DIRECTORY are on
        sys.path; AZUREML_MODEL_DIR is set, unless `model_dir` is None; without a path the module `main` is imported.
        A driver, which has the module with the real run() as its `driver_module`, keeps its own init().

        Raises ScriptError with the script's own traceback if it cannot be imported, has no init() and run(), or
        has a run() that cannot be called.
        """
        if path is not None and not path.is_file():
            raise ScriptError(f"There is no entry script {path}.", hint="Name the score.py to run.")
        surround(path, model_dir)
        module = _import_main() if path is None else load_module(path, "entry_module")
        found = path or Path(module.__file__ or MAIN)
        for function in ("init", "run"):
            if not callable(getattr(module, function, None)):
                raise ScriptError(
                    f"{found} has no function {function}().",
                    hint="An entry script defines init(), called once at start, and run(raw_data).",
                )
        driven = getattr(module, "driver_module", None)
        run = driven.run if isinstance(driven, ModuleType) and hasattr(driven, "run") else module.run
        try:
            form = RunForm.of(run)
        except ScriptError as error:
            raise ScriptError(f"{found}: {error.message}", hint=error.hint) from None
        return cls(found, module.init, run, form, getattr(module, "run_many", None))

    def call(self, request: HttpRequest) -> Any:
        """What run() returns for a request. Raises RequestError if run() cannot be given it, and what run() raises."""
        return self.run(**self.form.arguments(request))

    def start(self, model_dir: Path | str | None) -> None:
        """Call init(). Raises ScriptError with its traceback and a listing of the model folder if it fails."""
        start(self.init, self.path, model_dir)


def _import_main() -> ModuleType:
    try:
        return importlib.import_module(MAIN)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, ModuleNotFoundError) and error.name == MAIN:
            raise ScriptError(
                f"No entry script is named, and there is no {MAIN}.py in {os.environ['AML_APP_ROOT']}.",
                hint="Name the score.py to run with --entry-script.",
            ) from error
        raise ScriptError(
            f"{MAIN}.py cannot be imported:\n{traceback.format_exc().rstrip()}",
            hint=f"{type(error).__name__}: {error}",
        ) from error
