"""`scorewright batch submit|status|wait|cancel|list URL`: the jobs of a service, here or elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scorewright.cli_batch import ERRORS_SHOWN, BatchProgress
from scorewright.errors import BatchError, UsageError

if TYPE_CHECKING:
    from scorewright.service.batch.client import JobsClient
    from scorewright.service.batch.progress import Progress

jobs = typer.Typer(help="The jobs of a service.", no_args_is_help=True, rich_markup_mode=None)

Url = Annotated[str, typer.Argument(help="The service's address, like http://host:5001.", show_default=False)]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as submit told it.", show_default=False)]
Key = Annotated[
    str | None, typer.Option(help="The service's key; others on this machine may see it in a list of processes.")
]
KeyFile = Annotated[Path | None, typer.Option(help="A file with the service's key. $SCOREWRIGHT_KEY is taken as well.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@jobs.command()
def submit(
    url: Url,
    *,
    source: Annotated[
        str,
        typer.Option("--input", help="A file, folder or pattern in the service's data folder, or abfs://…"),
    ],
    output: Annotated[str, typer.Option("--output", help="A new folder in the service's data folder, or abfs://…")],
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
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key with the same request is the same job, however often it is sent.")
    ] = None,
    wait_for_it: Annotated[bool, typer.Option("--wait", help="Wait until the job has ended.")] = False,
    key: Key = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Have a service score what is at a location, and print the job's id."""
    from scorewright.service.batch.settings import BatchSettings

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
    request = {"input": source, "output": output, "settings": settings.model_dump(mode="json", exclude_unset=True)}
    client = _client(url, key, key_file)
    job = client.submit(request, idempotency_key)
    if wait_for_it:
        _wait(client, str(job["id"]), as_json=as_json)
    else:
        typer.echo(json.dumps(job, indent=2) if as_json else job["id"])


@jobs.command()
def status(url: Url, job_id: JobId, key: Key = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """How far a job is, or how it ended."""
    _print(_client(url, key, key_file).get(job_id), as_json)


@jobs.command()
def wait(url: Url, job_id: JobId, key: Key = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Wait until a job has ended. The exit code is 0 if it completed, 11 if it failed or was cancelled."""
    _wait(_client(url, key, key_file), job_id, as_json=as_json)


@jobs.command()
def cancel(url: Url, job_id: JobId, key: Key = None, key_file: KeyFile = None, as_json: AsJson = False) -> None:
    """Ask a job to end, and have what it has scored removed. A job that has ended is left as it is."""
    _print(_client(url, key, key_file).cancel(job_id), as_json)


@jobs.command("list")
def list_jobs(
    url: Url,
    state: Annotated[
        Literal["queued", "running", "completed", "failed", "cancelled"] | None,
        typer.Option(help="Only jobs in this state."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    key: Key = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """The jobs of a service, the newest first."""
    found = _client(url, key, key_file).list(state, limit)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    for job in () if as_json else found:
        typer.echo(f"{job['id']}  {job['state']:<9}  {_counted(job['rows']):<24}  {job['input']} -> {job['output']}")


def _client(url: str, key: str | None, key_file: Path | None) -> JobsClient:
    from scorewright.loadtests.endpoint import read_key
    from scorewright.service.batch.client import JobsClient

    if key is not None and key_file is not None:
        raise UsageError("--key and --key-file are both given.")
    found = read_key(key_file) if key_file is not None else key or os.environ.get("SCOREWRIGHT_KEY") or None
    return JobsClient(url, found)


def _wait(client: JobsClient, job_id: str, *, as_json: bool) -> None:
    from rich.console import Console

    with BatchProgress(Console(stderr=True, highlight=False, soft_wrap=True)) as bar:
        job = client.wait(job_id, lambda told: bar.show(_progress(told)))
    if job["state"] == "completed" or as_json:
        _print(job, as_json)
    if job["state"] != "completed":
        raise BatchError(f"Job {job_id} is {job['state']}: {job['message']}", hint=job["hint"])


def _progress(job: dict[str, Any]) -> Progress:
    from scorewright.service.batch.progress import Progress

    rows, batches = job["rows"], job["mini_batches"]
    return Progress(
        step=job["step"] or "planning",
        mini_batches_total=batches["total"],
        mini_batches_done=batches["done"],
        mini_batches_failed=batches["failed"],
        items_total=rows["total"],
        items_done=rows["done"],
        items_failed=rows["failed"],
        retries=job["retries"],
    )


def _print(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(job, indent=2))
        return
    told = {
        "job": job["id"],
        "state": job["state"],
        "input": job["input"],
        "output": job["output"],
        "mini-batches": _counted(job["mini_batches"]),
        "rows": _counted(job["rows"]),
        "rows a second": f"{job['rows_per_second']:,.0f}" if job["rows_per_second"] else "",
        "seconds left": "" if job["seconds_left"] is None else f"{job['seconds_left']:,.0f}",
        "created": job["created"],
        "started": job["started"],
        "ended": job["ended"],
        "message": job["message"],
        "hint": job["hint"],
    }
    for name, value in told.items():
        if value:
            typer.echo(f"{name:<14} {value}")
    for error in job["errors"][:ERRORS_SHOWN]:
        where = error["file"] if error["row"] is None else f"{error['file']}, row {error['row']}"
        typer.echo(f"error          {where}: {error['message']}")
    for result in job["results"]:
        typer.echo(f"result         {result['location']}")


def _counted(counts: dict[str, Any]) -> str:
    if counts["total"] is None:
        return ""
    failed = f", {counts['failed']:,} failed" if counts["failed"] else ""
    return f"{counts['done']:,} of {counts['total']:,}{failed}"
