"""`scorewright check`: does a bundle answer as it should, in a fresh process, before anything is deployed?"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright import versions
from scorewright.bundle import Bundle
from scorewright.difference import difference
from scorewright.errors import BundleError, CheckFailedError, ScorewrightError
from scorewright.score.batch_file import batch_rows, table_rows, write_batch_file
from scorewright.score.mixed_requests import BAD_REQUEST, mixed_requests
from scorewright.score.rehearsal import Step, rehearse

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Passed:
    """One step that passed: its time in seconds and the process's peak memory in bytes (0: not measured)."""

    name: str
    detail: str
    seconds: float
    memory: int = 0


def check(
    root: Path | str,
    *,
    allow_version_skew: bool = False,
    on_step: Callable[[Passed], None] = lambda _: None,
) -> list[Passed]:
    """Hashes, versions, init(), then the sample through run(), run_many() and the batch script.

    Raises CheckFailedError naming the step, the cause and the remedy.
    """
    done: list[Passed] = []

    def passed(name: str, detail: str, seconds: float, memory: int = 0) -> None:
        done.append(Passed(name, detail, seconds, memory))
        on_step(done[-1])

    bundle = _timed("hashes", lambda: Bundle.load(root), lambda b: f"{len(b.manifest.files)} files unchanged", passed)
    if not allow_version_skew:
        made_with = bundle.manifest.versions
        _timed("versions", lambda: versions.require(made_with), lambda _: _said(made_with), passed)
    sample, expected = _example(bundle)
    with tempfile.TemporaryDirectory() as folder:
        file = write_batch_file(bundle.manifest.signature, sample["data"], Path(folder))
        request = json.dumps(sample)
        requests = [request, BAD_REQUEST, *mixed_requests(bundle.manifest.signature, sample["data"]), request]
        steps = rehearse(bundle.root, bundle.model_dir, requests, file, allow_version_skew=allow_version_skew)
        for step in steps:
            if step.error:
                raise _failed(step)
            detail = _judge(step, expected, bundle, len(requests))
            passed(step.name, detail, step.seconds, step.memory)
    return done


def _example(bundle: Bundle) -> tuple[dict[str, Any], Any]:
    """sample_request.json and expected_response.json. Raises BundleError if they are not what check works with."""
    try:
        sample = bundle.json("sample_request.json")
        expected = bundle.json("expected_response.json")
    except (OSError, ValueError) as error:
        raise BundleError(f"{bundle.root} has no sample to check with: {error}.") from None
    if not isinstance(sample, dict) or "data" not in sample:
        raise BundleError(f'{bundle.path("sample_request.json")} must be {{"data": ...}}.')
    return sample, expected


def _timed(name: str, do: Callable[[], Any], say: Callable[[Any], str], passed: Callable[..., None]) -> Any:
    started = time.perf_counter()
    try:
        result = do()
    except ScorewrightError as error:
        raise CheckFailedError(f"{name}: {error.message}", hint=error.hint) from None
    passed(name, say(result), time.perf_counter() - started)
    return result


def _said(made_with: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in made_with.items())


def _failed(step: Step) -> CheckFailedError:
    printed = f"\nThe process printed:\n{step.output}" if step.output else ""
    return CheckFailedError(f"{step.name}: {step.error}{printed}", hint=step.hint)


def _judge(step: Step, expected: Any, bundle: Bundle, asked: int) -> str:
    if step.name == "init":
        return f"{bundle.manifest.model.kind} loaded"
    if step.name == "batch":
        bad = next((row[-1] for row in step.result if row[-1] is not None), None)
        _require(step, "" if bad is None else f"a row of the sample was not scored: {bad}")
        found = table_rows(bundle.manifest.signature, step.result)
        _require(step, difference(batch_rows(expected), found))
        return f"{len(found)} rows equal expected_response.json"
    if not step.result:
        return "the script has none"
    _require(step, "" if len(step.result) == asked else f"{len(step.result)} answers to {asked} requests")
    first, bad, last = step.result[0], step.result[1], step.result[-1]
    for status, body in (first, last):
        words = f"status {status}: {body}" if status != 200 else difference(expected, body)
        _require(step, words)
    if bad[0] != 400:
        _require(step, f"a bad request was answered {bad[0]}, it must be 400")
    if step.name == "run_many":
        return f"{asked} requests are answered in batches as they are alone, byte for byte"
    return "the sample equals expected_response.json, a bad request is refused"


def _require(step: Step, words: str) -> None:
    if words:
        raise CheckFailedError(
            f"{step.name}: the answer is not the expected one: {words}.",
            hint="If the script was changed on purpose, make the bundle again; if not, compare the library versions.",
        )
