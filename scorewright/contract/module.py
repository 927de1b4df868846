"""A script as a module: the surroundings Azure gives it, its import, and what is told when it fails."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from scorewright.contract import shim
from scorewright.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

LISTING_LIMIT = 200
"""How many entries of the model folder are listed when init() fails (as azmlinfsrv does)."""


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


def model_folder(model_dir: Path | str | None) -> str:
    """What AZUREML_MODEL_DIR holds, for whoever reads why init() failed."""
    if model_dir is None:
        return "AZUREML_MODEL_DIR is not set; --model-dir sets it."
    tree = "\n".join(listing(Path(model_dir)))
    return f"AZUREML_MODEL_DIR is {model_dir} and holds:\n{tree}"


def surround(path: Path | None, model_dir: Path | str | None) -> None:
    """The environment and sys.path that Azure gives a script; its shims where they are not installed."""
    folder = str(path.parent) if path is not None else str(Path.cwd())
    root = os.environ.setdefault("AML_APP_ROOT", folder)
    if path is not None:
        os.environ["AZUREML_ENTRY_SCRIPT"] = str(path)
    if model_dir is not None:
        os.environ["AZUREML_MODEL_DIR"] = str(model_dir)
    source = os.environ.get("AZUREML_SOURCE_DIRECTORY")
    for entry in (root, *([str(Path(root, source))] if source else []), folder):
        if entry not in sys.path:
            sys.path.append(entry)
    shim.provide()


def load_module(path: Path, name: str) -> ModuleType:
    """Import a script under a module's name. Raises ScriptError with the script's own traceback if it cannot be."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{path} cannot be imported: it is no Python file.", hint="Name a .py file.")
    module = importlib.util.module_from_spec(spec)
    # typing.get_type_hints and dataclasses look a module up by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ScriptError(
            f"{path} cannot be imported:\n{own_traceback(path)}", hint=f"{type(error).__name__}: {error}"
        ) from error
    return module


def own_traceback(path: Path) -> str:
    """The current exception, from the script's first frame on."""
    kind, error, trace = sys.exc_info()
    frame = trace
    while frame is not None and frame.tb_frame.f_code.co_filename != str(path):
        frame = frame.tb_next
    return "".join(traceback.format_exception(kind, error, frame or trace)).rstrip()


def start(init: Callable[[], object], path: Path, model_dir: Path | str | None) -> None:
    """Call a script's init(). Raises ScriptError with its traceback and a listing of the model folder if it fails."""
    try:
        init()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ScriptError(
            f"init() in {path} failed:\n{own_traceback(path)}\n{model_folder(model_dir)}",
            hint=f"{type(error).__name__}: {error}",
        ) from error
