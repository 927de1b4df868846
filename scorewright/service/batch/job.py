"""A batch job: from a location of input to results at a location of output."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scorewright import errors
from scorewright.errors import BatchCancelledError, BatchError, LocationError, ScorewrightError
from scorewright.service.batch import assembly, priority
from scorewright.service.batch.cluster import Cluster
from scorewright.service.batch.folder import LOGS, JobFolder, kept, told
from scorewright.service.batch.location import Location
from scorewright.service.batch.order import Order
from scorewright.service.batch.plan import Kind, Reading, kind_of, plan
from scorewright.service.batch.progress import ItemError, Progress
from scorewright.service.batch.settings import FILE_NAMES
from scorewright.service.batch.source import Source  # noqa: TC001 - what a Job is made of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorewright.bundle import Bundle
    from scorewright.service.batch.location import InputFile
    from scorewright.service.batch.mini_batch import MiniBatch
    from scorewright.service.batch.settings import BatchSettings, OutputFormat


@dataclass(frozen=True)
class Job:
    """A job as it is asked for. `input` and `output` are locations: a path, or a URL that fsspec knows."""

    source: Source
    input: str
    output: str
    settings: BatchSettings
    scheduler: str | None = None
    """A Dask scheduler's address; None starts a cluster of this machine's own."""
    resume: bool = False
    """Go on with what an interrupted run left at `output`, if it left anything."""
    low_priority: bool = False
    """Give way to everything else on this machine."""


@dataclass(frozen=True)
class Summary:
    """A job that has completed: its last counts, and what it wrote."""

    progress: Progress
    results: tuple[str, ...]
    seconds: float


def run(
    job: Job,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    permitted: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Score everything at the input's location and leave the results at the output's.

    `cancelled` is asked several times a second; the job then raises BatchCancelledError and can be resumed.
    `permitted` is called with the URL of every input file and of the output; what it raises ends the job.

    Raises LocationError for an input or output that is not to be had, BatchError if more items failed than
    `error_threshold` allows or none succeeded, ScriptError if the script cannot be started, and what a bundle raises.
    """
    started = time.monotonic()
    if job.low_priority:
        priority.lower()
    output = Location.of(job.output)
    permitted(output.url)
    source = Location.of(job.input)
    _require_apart(source, output)
    files = source.files()
    for file in files:
        permitted(file.url)
    folder = JobFolder(output)
    running = _Running(job, files, folder, on_progress, cancelled)
    if not job.resume:
        folder.require_new()
    with folder.held():
        folder.forget_unscored()
        done = running.ended_before()
        if done is not None:
            return replace(done, seconds=time.monotonic() - started)
        results = running.run()
    return Summary(running.progress, tuple(results), time.monotonic() - started)


class _Running:
    """One run of a job."""

    def __init__(
        self,
        job: Job,
        files: Sequence[InputFile],
        folder: JobFolder,
        on_progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self.progress = Progress()
        self._job = job
        self._files = files
        self._folder = folder
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._bundle = job.source.loaded()
        self._reading = _reading(self._bundle)
        self._kind: Kind = kind_of(job.settings, files, self._reading)
        self._asked = _asked(job, self._bundle, files, self._kind)

    def ended_before(self) -> Summary | None:
        """How the same job ended, if it did. Raises LocationError if there is another one's output."""
        report = self._folder.report()
        if report is None:
            return None
        self._must_be_same(report)
        self._folder.clear()
        return Summary(told(report["progress"]), tuple(report["results"]), 0.0)

    def run(self) -> list[str]:
        """Plan, score what is not scored yet, put together; the results' URLs."""
        self._tell()
        batches = self._planned()
        notes = self._folder.notes()
        self._tell(
            step="scoring",
            mini_batches_total=len(batches),
            items_total=sum(batch.items for batch in batches),
        )
        errors: list[ItemError] = []
        for note in notes.values():
            self._count(note, errors)
        broken = [batch for batch in batches if batch.broken]
        for batch in broken:
            self._fail(batch, batch.broken, errors)
        self._judge(errors)
        left = [batch for batch in batches if batch.number not in notes and not batch.broken]
        failed = self._score(left, notes, errors) | {batch.number for batch in broken}
        if not self.progress.items_done:
            raise BatchError(
                f"Nothing was scored: all {self.progress.items_failed} items failed. {_first(errors)}",
                hint="Nothing was written but the job's own folder; --resume tries again.",
            )
        self._tell(step="assembling")
        results = self._assembled([notes[batch.number] for batch in batches if batch.number not in failed])
        self._tell(step="done")
        errors.sort(key=lambda error: (error.file, error.row or 0))
        self._folder.end(self._asked, self.progress, results, errors)
        self._folder.clear()
        return results

    def _planned(self) -> list[MiniBatch]:
        begun = self._folder.begun()
        if begun is not None:
            self._must_be_same(begun)
        else:
            self._folder.begin(self._asked)
        batches = self._folder.planned()
        if batches is None:
            batches = []
            for batch in plan(self._job.settings, self._files, self._kind, self._reading, self._folder.work):
                batches.append(batch)
                if self._cancelled():
                    raise BatchCancelledError("The job was told to stop while it was planned.")
            if not batches:
                raise LocationError(
                    f"{self._job.input} has no rows: its {len(self._files)} files are empty.",
                    hint="Nothing was written but the job's own folder.",
                )
            self._folder.plan(batches)
        return batches

    def _score(
        self, batches: Sequence[MiniBatch], notes: dict[int, dict[str, Any]], errors: list[ItemError]
    ) -> set[int]:
        """Score them; the numbers of those that failed altogether."""
        failed: set[int] = set()
        if not batches:
            return failed
        job = self._job
        logs = self._log_folder()
        with tempfile.TemporaryDirectory(prefix="scorewright-") as scratch:
            name = f"scorewright-{os.getpid()}-{time.time_ns()}"
            with Cluster.of(job.scheduler, name, self._order(scratch), job.settings, logs, len(batches)) as cluster:
                for batch, answer in cluster.score(batches, self._cancelled):
                    if "fatal" in answer:
                        raise _fatal(answer)
                    self._tell(retries=self.progress.retries + answer["tries"] - 1)
                    if "error" in answer:
                        failed.add(batch.number)
                        self._fail(batch, _said(answer), errors)
                    else:
                        notes[batch.number] = answer["note"]
                        self._count(answer["note"], errors)
                    self._judge(errors)
        if self._cancelled():
            raise BatchCancelledError(
                f"The job was told to stop; {len(notes)} of {self.progress.mini_batches_total} mini-batches are scored."
            )
        return failed

    def _order(self, scratch: str) -> Order:
        source = self._job.source
        script, model_dir = source.script(self._bundle)
        return Order(
            script=str(script),
            model_dir=model_dir,
            arguments=source.arguments,
            bundle=None if self._bundle is None else str(self._bundle.root),
            digest=self._asked["script"],
            allow_version_skew=source.allow_version_skew,
            input_kind=self._kind,
            work=self._folder.work.url,
            append_row=self._job.settings.output_action == "append_row",
            output_format=_form(self._job),
            logging_level=self._job.settings.logging_level,
            scratch=scratch,
        )

    def _log_folder(self) -> str | None:
        if self._folder.work.local is None:
            return None
        logs = self._folder.work.local / LOGS
        logs.mkdir(exist_ok=True)
        return str(logs)

    def _count(self, note: dict[str, Any], errors: list[ItemError]) -> None:
        assembly.require_own(self._folder, note, _result_name(self._job))
        errors += [ItemError(**error) for error in note["errors"]]
        self._tell(
            mini_batches_done=self.progress.mini_batches_done + 1,
            items_done=self.progress.items_done + note["items"] - note["failed"],
            items_failed=self.progress.items_failed + note["failed"],
            errors=kept(errors),
        )

    def _fail(self, batch: MiniBatch, words: str, errors: list[ItemError]) -> None:
        errors.append(ItemError(batch.title, None, words))
        self._tell(
            mini_batches_failed=self.progress.mini_batches_failed + 1,
            items_failed=self.progress.items_failed + batch.items,
            errors=kept(errors),
        )

    def _judge(self, errors: Sequence[ItemError]) -> None:
        """Raise BatchError if more has failed than may."""
        threshold = self._job.settings.error_threshold
        failed = self.progress.items_failed
        if 0 <= threshold < failed:
            raise BatchError(
                f"{failed} items have failed, and error_threshold is {threshold}. {_first(errors)}",
                hint="No result was written. What is scored is kept: --resume goes on, with a higher threshold, too.",
            )

    def _assembled(self, notes: Sequence[dict[str, Any]]) -> list[str]:
        results = assembly.gather(self._folder, notes)
        name = _result_name(self._job)
        if name is not None:
            results.append(assembly.assemble(self._folder, notes, _form(self._job), name))
        return results

    def _must_be_same(self, there: dict[str, Any]) -> None:
        differing = [key for key, value in self._asked.items() if there.get(key) != value]
        if differing:
            raise LocationError(
                f"{self._folder.output.url} has the output of another job: its {' and '.join(differing)} differ.",
                hint="Choose another output, or repeat that job's input, settings and model to go on with it.",
            )

    def _tell(self, **changes: Any) -> None:
        self.progress = replace(self.progress, **changes)
        self._on_progress(self.progress)


def _require_apart(source: Location, output: Location) -> None:
    """Raise LocationError if the output is below the input, of which it would then be a part."""
    if source.local is not None and output.local is not None:
        within = output.local.resolve().is_relative_to(source.local.resolve())
    else:
        within = f"{output.url}/".startswith(f"{source.url.rstrip('/')}/")
    if within:
        raise LocationError(
            f"The output {output.url} is within the input {source.url}, of which its files would be a part.",
            hint="Choose an output beside the input, or name the input's files by a pattern.",
        )


def _reading(bundle: Bundle | None) -> Reading:
    if bundle is None:
        return Reading(parts=False)
    signature = bundle.manifest.signature
    headless = signature.layout == "array" and signature.features is None
    return Reading(parts=True, header="detect" if headless else "always")


def _form(job: Job) -> OutputFormat:
    return job.settings.output_format or ("azure" if job.source.bundle is None else "parquet")


def _result_name(job: Job) -> str | None:
    if job.settings.output_action == "summary_only":
        return None
    return job.settings.output_file_name or FILE_NAMES[_form(job)]


def _asked(job: Job, bundle: Bundle | None, files: Sequence[InputFile], kind: Kind) -> dict[str, Any]:
    """What makes a job another one: not how many workers it has, nor how often they try."""
    settings = job.settings.model_dump(
        mode="json", exclude={"max_concurrency", "max_retries", "timeout", "error_threshold", "logging_level"}
    )
    known = hashlib.sha256(json.dumps([[file.relative, file.tag] for file in files]).encode()).hexdigest()
    return {
        "input": {"location": Location.of(job.input).url, "files": len(files), "sha256": known},
        "script": job.source.digest(bundle),
        "settings": {**settings, "input_kind": kind},
    }


def _first(errors: Sequence[ItemError]) -> str:
    if not errors:
        return ""
    first = errors[0]
    where = first.file if first.row is None else f"{first.file}, row {first.row}"
    return f"The first: {where}: {first.message}"


def _said(answer: dict[str, Any]) -> str:
    where = answer.get("where")
    return f"{answer['error']} ({where})" if where else str(answer["error"])


def _fatal(answer: dict[str, Any]) -> ScorewrightError:
    """The error that a worker's process told."""
    kind: type[ScorewrightError] = getattr(errors, answer["fatal"])
    return kind(answer["message"], hint=answer["hint"])
