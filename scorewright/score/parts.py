"""Walking through a fitted estimator: the estimators inside it, and the code they come from."""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.errors import ModelImportError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 20_000
"""How many objects are looked at: a forest of thousands of trees need not be walked to its last leaf."""


def parts(model: object) -> Iterator[Any]:
    """The estimator and all estimators, functions and classes it holds, in attributes, lists, dicts and arrays."""
    seen: set[int] = set()
    waiting: list[object] = [model]
    while waiting and len(seen) < MOST:
        value = waiting.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif getattr(getattr(value, "dtype", None), "kind", "") == "O" and hasattr(value, "ravel"):
            waiting.extend(value.ravel().tolist())
        elif hasattr(value, "get_params") or (callable(value) and hasattr(value, "__module__")):
            yield value
            waiting.extend(getattr(value, "__dict__", {}).values() if hasattr(value, "get_params") else ())


def inner(model: Any) -> Any:
    """The estimator that sees the raw input first: through searches and pipelines, to the first real step."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "steps"):
            real = [step for _, step in model.steps if step is not None and step != "passthrough"]
            model = real[0]
        elif hasattr(model, "transformer_list"):
            model = model.transformer_list[0][1]
        else:
            return model


def distributions(model: object) -> tuple[list[str], list[Path]]:
    """The PyPI distributions and the user's own modules (files or packages) that the model's objects come from.

    Raises ModelImportError for what is defined in a notebook or script (__main__): nobody else can import it.
    """
    homes = packages_distributions()
    names: list[str] = []
    own: list[Path] = []
    for part in parts(model):
        kind = part if hasattr(part, "__qualname__") else type(part)
        module = getattr(kind, "__module__", None) or "builtins"
        if module == "__main__":
            raise ModelImportError(
                f"The model uses {kind.__qualname__}, which is defined in the notebook or script itself (__main__).",
                hint="Move it into a .py file, import it from there, and fit and save the model again: "
                "a server cannot import a notebook.",
            )
        root = module.partition(".")[0]
        if root in sys.stdlib_module_names:
            continue
        if root in homes:
            names.extend(name for name in homes[root] if name not in names)
            continue
        file = getattr(sys.modules.get(root), "__file__", None)
        if file:
            path = Path(file)
            path = path.parent if path.name == "__init__.py" else path
            if path not in own:
                own.append(path)
    return names, own
