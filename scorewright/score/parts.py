"""Walking through a fitted estimator: the estimators inside it, and the code they come from."""

from __future__ import annotations

import sys
from collections import deque
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scorewright.errors import ModelImportError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 20_000
"""How many objects are looked at: a forest of thousands of trees need not be walked to its last leaf."""

_PLAIN = (int, float, complex, str, bytes, type(None))
_OURS = {"score", "batch_score", "model"}
"""Names in a bundle that a user's module cannot have."""


def objects(model: object) -> Iterator[Any]:
    """The estimator and what it holds, in attributes, lists, dicts and arrays of objects; not its plain values."""
    seen: set[int] = set()
    waiting: deque[object] = deque([model])
    while waiting and len(seen) < MOST:
        value = waiting.popleft()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list | tuple):
            waiting.extend(item for item in value if not isinstance(item, _PLAIN))
        elif isinstance(value, dict):
            waiting.extend(item for item in value.values() if not isinstance(item, _PLAIN))
        elif getattr(getattr(value, "dtype", None), "kind", "") == "O" and hasattr(value, "ravel"):
            waiting.extend(item for item in value.ravel() if not isinstance(item, _PLAIN))
        else:
            yield value
            if hasattr(value, "get_params"):
                waiting.extend(getattr(value, "__dict__", {}).values())


def parts(model: object) -> Iterator[Any]:
    """The estimator and all estimators, functions and classes it holds."""
    return (
        value
        for value in objects(model)
        if hasattr(value, "get_params") or (callable(value) and hasattr(value, "__module__"))
    )


def inner(model: Any) -> Any:
    """The estimator that sees the raw input first: through searches and pipelines, to the first real step.

    Of an ensemble it is the one to be cloned, which tells its kind but has not been fitted.
    """
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "steps"):
            real = [step for _, step in model.steps if step is not None and step != "passthrough"]
            if not real:
                return model
            model = real[0]
        elif hasattr(model, "transformer_list"):
            model = model.transformer_list[0][1]
        elif isinstance(getattr(model, "estimators", None), list):
            model = model.estimators[0][1]
        elif hasattr(getattr(model, "regressor", None), "get_params"):
            model = model.regressor
        elif hasattr(getattr(model, "estimator", None), "get_params"):
            model = model.estimator
        else:
            return model


def places(columns: Any, width: int, names: list[str] | None) -> list[int]:
    """The columns a ColumnTransformer gives to one of its transformers, by position."""
    import numpy as np

    if isinstance(columns, slice):
        start, stop = (names.index(end) if isinstance(end, str) and names else end for end in _ends(columns))
        if isinstance(columns.stop, str):
            stop += 1  # a slice of names holds its last one
        return list(range(width)[start : stop : columns.step])
    listed = np.asarray([columns] if isinstance(columns, str | int) else list(columns), dtype=object)
    if len(listed) and all(isinstance(column, bool | np.bool_) for column in listed):
        return [int(place) for place in np.flatnonzero(listed)]
    return [names.index(column) if isinstance(column, str) and names else int(column) for column in listed]


def _ends(columns: slice) -> tuple[Any, Any]:
    return columns.start, columns.stop


def distributions(model: object) -> tuple[list[str], list[Path]]:
    """The PyPI distributions and the user's own modules (files or packages) that the model's objects come from.

    Raises ModelImportError for what is defined in a notebook or script (__main__): nobody else can import it.
    """
    homes = packages_distributions()
    names: list[str] = []
    own: dict[str, Path] = {}
    for value in objects(model):
        kind = value if hasattr(value, "__qualname__") else type(value)
        module = getattr(kind, "__module__", None) or "builtins"
        if module == "__main__":
            raise ModelImportError(
                f"The model uses {kind.__qualname__}, which is defined in the notebook or script itself (__main__).",
                hint="Move it into a .py file, import it from there, and fit and save the model again: "
                "a server cannot import a notebook.",
            )
        _add(module, homes, names, own)
        # A model told to answer DataFrames (set_output) needs their library although it holds none.
        output = getattr(value, "_sklearn_output_config", None) or {}
        names.extend(library for library in output.values() if library in homes and library not in names)
    return list(dict.fromkeys(names)), list(own.values())


def _add(module: str, homes: Any, names: list[str], own: dict[str, Path]) -> None:
    """Sort a module by its top-level package into distributions and the user's own, with what those import."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root in own:
        return
    if root in homes:
        names.extend(homes[root])
        return
    top = sys.modules.get(root)
    file = getattr(top, "__file__", None)
    path = Path(file) if file else next(map(Path, getattr(top, "__path__", ())), None)
    if path is None:
        return
    path = path.parent if path.name == "__init__.py" else path
    if root in _OURS:
        raise ModelImportError(
            f"The model uses the module {root} ({path}), whose name the bundle needs for a file of its own.",
            hint="Rename it, and fit and save the model again.",
        )
    own[root] = path
    for name, loaded in list(sys.modules.items()):
        if name.partition(".")[0] == root:
            for value in list(vars(loaded).values()):
                needed = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
                if isinstance(needed, str) and needed != "__main__":
                    _add(needed, homes, names, own)
