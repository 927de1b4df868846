"""What the jobs' routes take and answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from scorewright.service.batch.settings import BatchSettings
from scorewright.service.batch.stored_job import State, StoredJob  # noqa: TC001  # pydantic reads the annotations

PREFIX = "/batch/jobs"

_LOCATION = r"^[^\u0000-\u001f\u007f]+$"
_PLACE = r"^[^\u0000-\u001f\u007f*?\[]+$"


class BatchJobRequest(BaseModel):
    """A job to be done."""

    model_config = ConfigDict(extra="forbid")

    input: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4096,
            description="What to score: a file, a folder, a pattern such as in/*.parquet, or an abfs:// URL. "
            "Relative to the service's data folder.",
            examples=["in"],
            json_schema_extra={"pattern": _LOCATION},
        ),
    ]
    output: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4096,
            description="The folder to be written, which must be new or empty. Relative to the data folder.",
            examples=["out"],
            json_schema_extra={"pattern": _PLACE},
        ),
    ]
    settings: Annotated[
        dict[str, Any], Field(description="Settings by the names that `scorewright batch run` has for them.")
    ] = {}


class Counts(BaseModel):
    """How many there are, and how they went; null where that is not yet known."""

    total: int | None
    done: int
    failed: int


class ItemFault(BaseModel):
    """Something that was not scored."""

    file: str
    row: Annotated[int | None, Field(description="From 0; null if it is the whole file.")]
    message: str


class ResultFile(BaseModel):
    """A file that a job has written."""

    name: str
    location: str
    url: Annotated[str, Field(description="Where this service gives it out.")]


class BatchJob(BaseModel):
    """A job as it is now. Times are ISO 8601 in UTC."""

    id: str
    state: State
    input: str
    output: str
    settings: dict[str, Any]
    created: str
    started: str | None
    ended: str | None
    step: Annotated[
        Literal["planning", "scoring", "assembling", "done"] | None,
        Field(description="What it is at; null before it has begun."),
    ]
    mini_batches: Counts
    rows: Annotated[Counts, Field(description="Rows, or files where a mini-batch is a list of files.")]
    rows_per_second: float | None
    seconds_left: Annotated[float | None, Field(description="An estimate, while it runs.")]
    retries: Annotated[int, Field(description="How often a mini-batch was tried again.")]
    error_count: Annotated[int, Field(description="Rows, or files, that were not scored.")]
    results: list[ResultFile]
    message: Annotated[str, Field(description="Why it failed, or how it was cancelled.")]
    hint: Annotated[str, Field(description="What to do about it.")]


class BatchJobDetail(BatchJob):
    """The same with the first of its errors; all are in _scorewright/errors.jsonl at the output."""

    errors: list[ItemFault]


class BatchJobs(BaseModel):
    """Jobs, the newest first."""

    jobs: list[BatchJob]


def request_schema() -> dict[str, Any]:
    """The JSON schema of a BatchJobRequest with its settings in full."""
    schema = BatchJobRequest.model_json_schema()
    settings = BatchSettings.model_json_schema()
    settings["default"] = {}
    size = settings["properties"]["mini_batch_size"]
    for choice in size["anyOf"]:
        if choice.get("type") == "string":
            choice["pattern"] = r"^[1-9][0-9]{0,8} ?([kK][bB]|[mM][bB]|[gG][bB])$"
    for choice in settings["properties"]["output_file_name"]["anyOf"]:
        if choice.get("type") == "string":
            choice |= {"pattern": r"^[A-Za-z0-9][A-Za-z0-9._ -]*$", "maxLength": 200}
    # Keys make the mini-batches, or a size does; and paths have no size.
    keys = {"partition_keys": {"minItems": 1}, "mini_batch_size": {"not": {"type": "null"}}}
    paths = {"input_kind": {"const": "files"}, "mini_batch_size": {"type": "string"}}
    settings["allOf"] = [{"not": {"required": list(both), "properties": both}} for both in (keys, paths)]
    schema["properties"]["settings"] |= settings
    schema["properties"]["settings"].pop("title", None)
    return schema


def of(job: StoredJob) -> BatchJob:
    """A job for a list."""
    return BatchJob(**_content(job))


def detail(job: StoredJob) -> BatchJobDetail:
    """A job by itself."""
    return BatchJobDetail(**_content(job), errors=[ItemFault(**error) for error in job.progress.get("errors", ())])


def _content(job: StoredJob) -> dict[str, Any]:
    told = job.progress
    message = job.message
    if job.unfinished and job.cancelling:
        message = "It is being cancelled."
    return {
        "id": job.id,
        "state": job.state,
        "input": job.asked.input,
        "output": job.asked.output,
        "settings": job.asked.settings,
        "created": _moment(job.created),
        "started": _moment(job.started),
        "ended": _moment(job.ended),
        "step": told.get("step"),
        "mini_batches": _counts(told, "mini_batches"),
        "rows": _counts(told, "items"),
        "rows_per_second": told.get("rows_per_second"),
        "seconds_left": told.get("seconds_left") if job.state == "running" else None,
        "retries": told.get("retries", 0),
        "error_count": max(told.get("items_failed", 0), len(told.get("errors", ()))),
        "results": [_result(job.id, location) for location in job.results],
        "message": message,
        "hint": job.hint,
    }


def _counts(told: dict[str, Any], name: str) -> Counts:
    return Counts(
        total=told.get(f"{name}_total"), done=told.get(f"{name}_done", 0), failed=told.get(f"{name}_failed", 0)
    )


def _result(job_id: str, location: str) -> ResultFile:
    name = result_name(location)
    return ResultFile(name=name, location=location, url=f"{PREFIX}/{job_id}/results/{quote(name, safe='')}")


def result_name(location: str) -> str:
    """What a result is called in its address."""
    return PurePosixPath(location).name


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
