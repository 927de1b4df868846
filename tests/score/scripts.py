"""A generated score.py, loaded into the test's own process and asked."""

from __future__ import annotations

import json
import os
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from scorewright.contract.answer import answer
from scorewright.contract.script import EntryScript
from scorewright.score.columns import plain_rows
from scorewright.score.generator import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scorewright.bundle import Bundle


def loaded(bundle: Bundle) -> AbstractContextManager[EntryScript]:
    """The bundle's script after init(); the process is as before when it is left."""
    return loaded_from(bundle.entry_script, bundle.model_dir)


@contextmanager
def loaded_from(path: Path, model_dir: Path) -> Iterator[EntryScript]:
    """The same for a script and the folder of its model."""
    environment, search_path = dict(os.environ), list(sys.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of the logarithm of a probability of 0
        try:
            script = EntryScript.load(path, model_dir=model_dir)
            script.start(model_dir)
            yield script
        finally:
            os.environ.clear()
            os.environ.update(environment)
            sys.path[:] = search_path
            sys.modules.pop("score", None)  # batch_score.py imports its neighbour by this name


def ask(script: EntryScript, request: object) -> tuple[int, Any]:
    """Status and parsed body of the answer to a request, which is dumped unless it is a string already."""
    raw = request if isinstance(request, str) else json.dumps(request)
    return told(script.run(raw))


def ask_many(script: EntryScript, requests: list[object]) -> list[tuple[int, Any]]:
    """The same by run_many()."""
    assert script.run_many is not None
    return [told(value) for value in script.run_many([r if isinstance(r, str) else json.dumps(r) for r in requests])]


def told(value: Any) -> tuple[int, Any]:
    """Status and body as they go over the wire; NaN and infinities, which are no JSON, are refused."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    encoded = answer(value)
    return encoded.status, json.loads(encoded.body, parse_constant=refuse)


def message(script: EntryScript, request: object) -> str:
    """The message of the refusal of a request."""
    status, body = ask(script, request)
    assert status == 400, body
    assert set(body) == {"message"}
    return str(body["message"])


def rows_of(X: Any) -> list[Any]:
    """A model's input as the rows of a request: texts, records by name, or lists."""
    if getattr(X, "ndim", 2) == 1:
        return [value if isinstance(value, str) else [float(value)] for value in X]
    rows = plain_rows(X)
    return [dict(zip(X.columns, row, strict=True)) for row in rows] if hasattr(X, "columns") else rows


class Scripts:
    """The scripts of small models, each generated when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bundles: dict[str, Bundle] = {}

    def __call__(
        self,
        build: Callable[[], tuple[Any, Any]],
        file: str = "score.py",
        runtime: Literal["native", "onnx"] = "native",
    ) -> AbstractContextManager[EntryScript]:
        name = f"{build.__name__}-{runtime}"
        if name not in self._bundles:
            model, sample = build()
            self._bundles[name] = generate(model, sample, out=self._folder / name, runtime=runtime)
        bundle = self._bundles[name]
        return loaded_from(bundle.root / file, bundle.model_dir)
