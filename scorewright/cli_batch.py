"""`scorewright batch`: score what is at a location, here or on a Dask cluster."""

from __future__ import annotations

import json
import signal
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import typer
from typer.core import TyperCommand

from scorewright.cli_batch_cluster import cluster_app
from scorewright.cli_bundle import bundle_argument
from scorewright.errors import ScorewrightError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, ModuleType, TracebackType

    from rich.console import Console

    from scorewright.service.batch.job import Summary
    from scorewright.service.batch.progress import Progress

batch = typer.Typer(
    help="Score what is at a location, and leave the results at another.", no_args_is_help=True, rich_markup_mode=None
)
batch.add_typer(cluster_app)

ERRORS_SHOWN = 10
SECONDS_A_LINE = 5.0
"""How often it is told how far it is, where there is no terminal."""
_ARGUMENTS = "scorewright.arguments"


class _WithArguments(TyperCommand):
    """A command whose words after -- are somebody else's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[_ARGUMENTS] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@batch.command(cls=_WithArguments)
def run(
    ctx: typer.Context,
    bundle: Annotated[Path | None, bundle_argument()] = None,
    entry_script: Annotated[
        Path | None, typer.Option(help="A batch entry script to run in place of a bundle's.", show_default=False)
    ] = None,
    model_dir: Annotated[
        str | None, typer.Option(help="The script's AZUREML_MODEL_DIR: the folder above the registered model's.")
    ] = None,
    *,
    source: Annotated[
        str, typer.Option("--input", help="A file, a folder, a pattern such as 'data/*.csv', or abfs://…")
    ],
    output: Annotated[str, typer.Option("--output", help="A new folder, or abfs://…")],
    input_kind: Annotated[
        Literal["files", "tabular"] | None, typer.Option(help="Whether run() is given paths or rows.")
    ] = None,
    mini_batch_size: Annotated[
        str | None, typer.Option(help="Files, or rows, in one run(); of rows also a size, as 4MB.")
    ] = None,
    partition_key: Annotated[
        list[str] | None,
        typer.Option(help="A column, or the KEY of folders KEY=VALUE, by whose values mini-batches are made."),
    ] = None,
    output_action: Annotated[
        Literal["append_row", "summary_only"] | None,
        typer.Option(help="Whether what run() returns is gathered in one file, or only counted.", show_default=False),
    ] = None,
    output_format: Annotated[
        Literal["parquet", "csv", "azure"] | None,
        typer.Option(help="The form of that file; azure is without a header, with spaces.", show_default=False),
    ] = None,
    output_file_name: Annotated[str | None, typer.Option(help="Its name.", show_default=False)] = None,
    error_threshold: Annotated[
        int | None, typer.Option(help="Items that may fail; by default -1, all but one.", show_default=False)
    ] = None,
    max_retries: Annotated[
        int | None, typer.Option(help="How often a mini-batch is tried again; by default 3.", show_default=False)
    ] = None,
    timeout: Annotated[
        int | None, typer.Option(help="Seconds that one run() may take; by default 30.", show_default=False)
    ] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="Worker processes; by default 1.", show_default=False)
    ] = None,
    logging_level: Annotated[
        Literal["debug", "info", "warning"] | None, typer.Option(help="The least level that workers log.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler, tcp://HOST:8786, to run on its workers.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a job that was interrupted there.")] = False,
    low_priority: Annotated[
        bool, typer.Option("--low-priority", help="Give way to everything else on this machine.")
    ] = False,
    allow_version_skew: Annotated[
        bool,
        typer.Option("--allow-version-skew", help="Go on with other library versions than those that made the model."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a batch scoring script over files, as an Azure ML batch deployment does, and end with its result.

    What follows -- is in the script's sys.argv. Interrupted, even by kill -9, the job is gone on with by the same
    command and --resume.
    """
    from rich.console import Console

    from scorewright.service.batch.settings import BatchSettings

    if (bundle is None) == (entry_script is None):
        raise UsageError("Name a bundle, or an --entry-script, and not both.")
    settings = BatchSettings.of(
        input_kind=input_kind,
        mini_batch_size=mini_batch_size,
        partition_keys=tuple(partition_key) if partition_key else None,
        output_action=output_action,
        output_format=output_format,
        output_file_name=output_file_name,
        error_threshold=error_threshold,
        max_retries=max_retries,
        timeout=timeout,
        max_concurrency=max_concurrency,
        logging_level=logging_level,
    )
    job = _part()
    made = job.Job(
        job.Source(bundle, entry_script, model_dir, ctx.meta[_ARGUMENTS], allow_version_skew),
        source,
        output,
        settings,
        scheduler=scheduler,
        resume=resume,
        low_priority=low_priority,
    )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with BatchProgress(console) as progress, _interruptible() as interrupted:
        summary = job.run(made, on_progress=progress.show, cancelled=interrupted)
    if as_json:
        typer.echo(json.dumps(asdict(summary), indent=2))
    else:
        _say(summary, output)


def _part() -> ModuleType:
    """The module that runs a job. Raises ScorewrightError if what it needs is not installed."""
    try:
        from scorewright.service.batch import job
    except ModuleNotFoundError as error:
        raise ScorewrightError(
            f"Batch scoring needs {error.name}, which is not installed.", hint="pip install 'scorewright[batch]'"
        ) from None
    return job


def _say(summary: Summary, output: str) -> None:
    progress = summary.progress
    rate = progress.items_done / summary.seconds if summary.seconds else 0
    typer.echo(
        f"{progress.items_done:,} items scored in {summary.seconds:.1f} s ({rate:,.0f} a second), "
        f"{progress.items_failed:,} failed, in {progress.mini_batches_total:,} mini-batches"
        + (f" with {progress.retries} retries" if progress.retries else "")
    )
    for error in progress.errors[:ERRORS_SHOWN]:
        where = error.file if error.row is None else f"{error.file}, row {error.row}"
        typer.echo(f"  {where}: {error.message}")
    if progress.items_failed > ERRORS_SHOWN:
        typer.echo(f"  … all that is known in words is in {output}/_scorewright/errors.jsonl")
    for result in summary.results:
        typer.echo(result)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM has come; the second ends the process."""
    came: list[int] = []

    def obey(number: int, _: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, obey) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class BatchProgress:
    """Shows how a job comes along: a moving bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self._console = console
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=30),
            progress.TextColumn("{task.fields[words]}", markup=False),
            progress.TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("planning", total=None, words="")
        self._started = time.monotonic()
        self._scored_before: int | None = None
        self._scoring_since = self._started
        self._last_line = self._started

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        """The job is so far."""
        now = time.monotonic()
        done = progress.items_done + progress.items_failed
        if progress.step == "scoring" and self._scored_before is None:
            self._scored_before, self._scoring_since = done, now
        words = self._words(progress, done, now)
        if self._console.is_terminal:
            self._bar.update(
                self._task, description=progress.step, completed=done, total=progress.items_total, words=words
            )
        elif now - self._last_line >= SECONDS_A_LINE:
            self._last_line = now
            self._console.print(f"{progress.step}: {words}", markup=False)

    def _words(self, progress: Progress, done: int, now: float) -> str:
        if progress.items_total is None:
            return ""
        words = f"{done:,} of {progress.items_total:,} items"
        if progress.items_failed:
            words += f", {progress.items_failed:,} failed"
        seconds = now - self._scoring_since
        new = done - (self._scored_before or 0)
        if new and seconds:
            rate = new / seconds
            words += f", {rate:,.0f} a second, {(progress.items_total - done) / rate:,.0f} s left"
        return words
