"""The batch entry script: init() once a worker, run() a mini-batch, shutdown() at the end.

Contract: Azure ML's batch deployments and ParallelRunStep. run() is given a list of paths or a DataFrame and, where it
has room for a second argument, the mini-batch's context.
"""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from scorewright.contract import parallel_run
from scorewright.contract.module import load_module, start, surround
from scorewright.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class MiniBatchContext:
    """What a run() that asks for it is told of its mini-batch."""

    minibatch_index: str
    partition_key_value: Mapping[str, Any]


@dataclass(frozen=True)
class BatchScript:
    """A loaded batch entry script.

    `run_part` and `parts` are what scripts made by `scorewright generate` have besides Azure's functions: rows cut from
    a file are scored as the file's own, and these are the suffixes of the files that it can be given rows of.
    """

    path: Path
    init: Callable[[], object]
    run: Callable[..., Any]
    shutdown: Callable[[], object] | None
    with_context: bool
    run_part: Callable[[BinaryIO, str, str, int], Any] | None
    parts: tuple[str, ...]
    error_column: str | None

    @classmethod
    def load(cls, path: Path, *, model_dir: str | None, arguments: Sequence[str]) -> Self:
        """Import the script as a batch deployment does: in its own folder, with `arguments` in sys.argv.

        AZUREML_MODEL_DIR is the folder above the registered model's; AZUREML_BI_OUTPUT_PATH must be set already.
        Raises ScriptError with the script's own traceback if it cannot be imported or lacks init() or run().
        """
        if not path.is_file():
            raise ScriptError(f"There is no batch entry script {path}.", hint="Name the script with --entry-script.")
        os.chdir(path.parent)
        sys.argv = [path.name, *arguments]
        sys.path.insert(0, str(path.parent))
        surround(path, model_dir)
        parallel_run.provide()
        module = load_module(path, path.stem)
        for function in ("init", "run"):
            if not callable(getattr(module, function, None)):
                raise ScriptError(
                    f"{path} has no function {function}().",
                    hint="A batch entry script defines init(), called once a worker, and run(mini_batch).",
                )
        return cls(
            path,
            module.init,
            module.run,
            getattr(module, "shutdown", None),
            _takes_context(module.run),
            getattr(module, "run_part", None),
            tuple(getattr(module, "PARTS", ())),
            getattr(module, "ERROR", None) if hasattr(module, "run_part") else None,
        )

    def start(self, model_dir: str | None) -> None:
        """Call init(). Raises ScriptError with its traceback and a listing of the model folder if it fails."""
        start(self.init, self.path, model_dir)

    def score(self, mini_batch: Any, context: MiniBatchContext) -> Any:
        """What run() returns for a mini-batch. Raises what run() raises."""
        return self.run(mini_batch, context) if self.with_context else self.run(mini_batch)


def _takes_context(run: Callable[..., Any]) -> bool:
    """Whether run() has a second argument without a default."""
    try:
        parameters = list(inspect.signature(run).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and positional[1].default is inspect.Parameter.empty
