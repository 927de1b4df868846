"""The entry script: loaded as Azure's inference server loads it, and called.

The service's scorers, the generator's rehearsal and `check` all run a script through here, so that what was
rehearsed is what is served.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright import azureml
from scorewright.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

LISTING_LIMIT = 200
"""How many entries of the model folder are listed when init() fails (as azmlinfsrv does)."""


@dataclass(frozen=True)
class EntryScript:
    """A loaded entry script. `run_many` is None where the script has only Azure's `run`."""

    path: Path
    init: Callable[[], object]
    run: Callable[[str], Any]
    run_many: Callable[[list[str]], list[Any]] | None

    @classmethod
    def load(cls, path: Path, *, model_dir: Path) -> EntryScript:
        """Import the script under the name and in the surroundings that Azure's server gives it.

        Contract: azureml-inference-server-http 1.5.1, server/user_script.py: the module's name is `entry_module`,
        AML_APP_ROOT (here the script's folder, unless it is set) is on sys.path, AZUREML_MODEL_DIR is set.

        Raises ScriptError with the script's own traceback if it cannot be imported or has no init() and run().
        """
        _surround(path, model_dir)
        module = _import(path)
        for function in ("init", "run"):
            if not callable(getattr(module, function, None)):
                raise ScriptError(
                    f"{path} has no function {function}().",
                    hint="An entry script defines init(), called once at start, and run(raw_data).",
                )
        takes = [name for name in inspect.signature(module.run).parameters if name != "request_headers"]
        if not takes:
            raise ScriptError(f"run() in {path} takes no argument for the request.", hint="Write run(raw_data).")
        return cls(path, module.init, module.run, getattr(module, "run_many", None))

    def start(self, model_dir: Path) -> None:
        """Call init(). Raises ScriptError with its traceback and a listing of the model folder if it fails."""
        try:
            self.init()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            tree = "\n".join(listing(model_dir))
            raise ScriptError(
                f"init() in {self.path} failed:\n{_own_traceback(self.path)}\n"
                f"AZUREML_MODEL_DIR is {model_dir} and holds:\n{tree}",
                hint=f"{type(error).__name__}: {error}",
            ) from error


def listing(folder: Path) -> Iterator[str]:
    """The folder as an indented tree, at most LISTING_LIMIT entries."""
    if not folder.is_dir():
        yield "  (there is no such folder)"
        return
    for count, path in enumerate(sorted(folder.rglob("*"))):
        if count == LISTING_LIMIT:
            yield f"  … (the first {LISTING_LIMIT} entries)"
            return
        depth = len(path.relative_to(folder).parts)
        size = f"  {path.stat().st_size:,} bytes" if path.is_file() else "/"
        yield "  " * depth + path.name + size


def _surround(path: Path, model_dir: Path) -> None:
    root = os.environ.setdefault("AML_APP_ROOT", str(path.parent))
    os.environ["AZUREML_ENTRY_SCRIPT"] = path.name
    os.environ["AZUREML_MODEL_DIR"] = str(model_dir)
    for folder in (root, str(path.parent)):
        if folder not in sys.path:
            sys.path.append(folder)
    azureml.provide()


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise ScriptError(f"There is no entry script {path}.", hint="Name the score.py to run.")
    spec = importlib.util.spec_from_file_location("entry_module", path)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{path} cannot be imported: it is no Python file.", hint="Name a .py file.")
    module = importlib.util.module_from_spec(spec)
    # typing.get_type_hints and dataclasses look a module up by its name.
    sys.modules["entry_module"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ScriptError(
            f"{path} cannot be imported:\n{_own_traceback(path)}", hint=f"{type(error).__name__}: {error}"
        ) from error
    return module


def _own_traceback(path: Path) -> str:
    """The current exception, from the script's first frame on."""
    kind, error, trace = sys.exc_info()
    frame = trace
    while frame is not None and frame.tb_frame.f_code.co_filename != str(path):
        frame = frame.tb_next
    return "".join(traceback.format_exception(kind, error, frame or trace)).rstrip()
