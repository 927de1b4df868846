"""A fresh process that does with a bundle what a server would: import, init(), run(), run_many(), batch.

The parent calls `rehearse`; the child is this module run as a program. Each step is reported on a pipe as one
JSON line, so that what the script prints cannot be taken for a report.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.errors import CheckFailedError
from scorewright.versions import ALLOW_VERSION_SKEW

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = ("init", "run", "run_many", "batch")

BATCHES = (2, 5)
"""How many requests run_many() is given at once, besides all of them."""

LAST_LINES = 40
"""How much of what the script printed is shown when a step fails."""


@dataclass(frozen=True)
class Step:
    """One step's outcome. `error` is empty if it passed; `memory` is the process's peak so far, in bytes."""

    name: str
    seconds: float
    memory: int
    result: Any
    error: str
    hint: str
    output: str = ""
    """What the process had printed, if the step failed."""


def rehearse(
    root: Path, model_dir: Path, requests: list[str], batch_file: Path | None, *, allow_version_skew: bool
) -> Iterator[Step]:
    """Start the process and yield its steps as they are done: init, run, run_many and, with a file, batch.

    The results: of run and run_many, a list of [status, body]; of batch, a list of rows. Ends after the first
    step that fails.
    """
    reader, writer = os.pipe()
    plan = {
        "root": str(root),
        "model_dir": str(model_dir),
        "requests": requests,
        "batch": batch_file and str(batch_file),
    }
    environment = {
        **{name: value for name, value in os.environ.items() if name not in _SERVER_VARIABLES},
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        **({ALLOW_VERSION_SKEW: "1"} if allow_version_skew else {}),
    }
    with tempfile.TemporaryFile() as printed:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "scorewright.score.rehearsal", str(writer)],
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=printed,
            cwd=root,
            env=environment,
            pass_fds=[writer],
        )
        os.close(writer)
        try:
            assert child.stdin is not None  # noqa: S101
            with contextlib.suppress(BrokenPipeError):  # it ended before it read its plan: its output says why
                child.stdin.write(json.dumps(plan).encode())
                child.stdin.close()
            todo = [*STEPS[:3], *([STEPS[3]] if batch_file else [])]
            with os.fdopen(reader) as reports:
                for line in reports:
                    step = Step(**json.loads(line))
                    yield step if not step.error else Step(**{**step.__dict__, "output": _tail(printed)})
                    todo.remove(step.name)
                    if step.error or not todo:
                        return  # threads of the script's own may keep the process from ending
            code = child.wait()
            words = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            yield Step(todo[0], 0.0, 0, None, f"the process {words}", "See its output.", _tail(printed))
        finally:
            child.kill()
            child.wait()


_SERVER_VARIABLES = {"AML_APP_ROOT", "AZUREML_MODEL_DIR", "AZUREML_ENTRY_SCRIPT", "AZUREML_SOURCE_DIRECTORY"}


def _tail(printed: Any) -> str:
    printed.seek(0)
    return "\n".join(printed.read().decode(errors="replace").splitlines()[-LAST_LINES:])


def _encoded(values: list[Any]) -> list[tuple[int, bytes]]:
    """What run() or run_many() returned as status and body. Raises what is given in place of an answer."""
    from scorewright.contract.answer import answer

    failed = next((value for value in values if isinstance(value, Exception)), None)
    if failed is not None:
        raise failed
    return [(told.status, told.body) for told in map(answer, values)]


def _parsed(answers: list[tuple[int, bytes]]) -> list[list[Any]]:
    return [[status, json.loads(body)] for status, body in answers]


def _require_equal(batched: list[tuple[int, bytes]], alone: list[tuple[int, bytes]]) -> None:
    """Raise CheckFailedError unless the answers of run_many() are those of run(), byte for byte."""
    for found, expected in zip(batched, alone, strict=True):
        if found != expected:
            place = next((at for at, byte in enumerate(expected[1]) if found[1][at : at + 1] != bytes([byte])), 0)
            shown = slice(max(place - 40, 0), place + 40)
            raise CheckFailedError(
                f"a request is answered {expected[0]} …{expected[1][shown].decode(errors='replace')}… alone and "
                f"{found[0]} …{found[1][shown].decode(errors='replace')}… among others",
                hint="Make the bundle again on a machine like this one, or serve it with --max-batch-requests 1.",
            )


def _cell(value: Any) -> Any:
    """A value of the batch script's table as an answer has it: nothing as null, infinities as words."""
    if type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124  # NaN
        return None
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _child(report_to: int) -> None:
    plan = json.load(sys.stdin)
    root, model_dir, requests = Path(plan["root"]), Path(plan["model_dir"]), plan["requests"]
    sys.argv = [str(root / "score.py")]
    from scorewright.contract.request import HttpRequest
    from scorewright.contract.script import EntryScript
    from scorewright.errors import ScorewrightError

    def init() -> Any:
        script = EntryScript.load(root / "score.py", model_dir=model_dir)
        script.start(model_dir)
        state["script"] = script

    def run() -> Any:
        json_body = [("content-type", "application/json")]
        calls = (HttpRequest(headers=json_body, body=request.encode()) for request in requests)
        state["alone"] = _encoded([state["script"].call(call) for call in calls])
        return _parsed(state["alone"])

    def run_many() -> Any:
        many = state["script"].run_many
        if many is None:
            return []
        whole = _encoded(many(requests))
        if len(whole) == len(requests):
            _require_equal(whole, state["alone"])
            for size in BATCHES:
                for start in range(0, len(requests), size):
                    few = slice(start, start + size)
                    _require_equal(_encoded(many(requests[few])), state["alone"][few])
        return _parsed(whole)

    def batch() -> Any:
        script = EntryScript.load(root / "batch_score.py", model_dir=model_dir)
        script.start(model_dir)
        frame = script.run([plan["batch"]])
        return [[_cell(value) for value in row] for row in frame.astype(object).itertuples(index=False, name=None)]

    state: dict[str, Any] = {}
    with os.fdopen(report_to, "w") as reports:
        for step in (init, run, run_many, *([batch] if plan["batch"] else [])):
            started = time.perf_counter()
            result, error, hint = None, "", ""
            try:
                result = step()
            except ScorewrightError as failure:
                error, hint = failure.message, failure.hint
            except BaseException as failure:  # whatever the user's script raises is the step's outcome
                import traceback

                error = traceback.format_exc().rstrip()
                hint = f"{type(failure).__name__}: {failure}"
            seconds = time.perf_counter() - started
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            reports.write(json.dumps(Step(step.__name__, seconds, memory, result, error, hint).__dict__) + "\n")
            reports.flush()
            if error:
                break


if __name__ == "__main__":
    _child(int(sys.argv[1]))
