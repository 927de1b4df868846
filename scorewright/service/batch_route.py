"""`/batch/jobs`: jobs are submitted, looked at, cancelled, and their results fetched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, StreamingResponse

from scorewright.errors import RequestError
from scorewright.service.batch import answers
from scorewright.service.batch.answers import PREFIX, BatchJobDetail, BatchJobs
from scorewright.service.batch.stored_job import State  # noqa: TC001  # FastAPI reads the annotations
from scorewright.service.refusal import ServiceMessage, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastapi import FastAPI
    from pydantic import BaseModel

    from scorewright.service.batch.jobs import Jobs

MAX_BODY_BYTES = 256 * 1024
JSON = "application/json"
RETRY_AFTER_SECONDS = 10
"""What a client is told to wait whose job finds the queue full."""

_PIECE = 256 * 1024


_REFUSALS: dict[int, str] = {
    400: "A field or setting is not what it must be; the message names it.",
    403: "The location is outside the folders that jobs may read and write.",
    404: "There is no such job or result, or nothing at the input.",
    409: "The output exists or belongs to another job, or the Idempotency-Key came with another request.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    429: "Too many jobs are queued.",
    501: "The service cannot score files: batch scoring is not installed, or the served script has no batch twin.",
    503: "The jobs' database cannot be used.",
}


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ServiceMessage, "description": _REFUSALS[status]} for status in statuses}


def add(app: FastAPI, jobs: Jobs) -> None:
    """Add the routes, and how they refuse."""
    app.add_exception_handler(RequestError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_bad_query)

    @app.post(
        PREFIX,
        summary="Submit a job",
        tags=["batch"],
        status_code=202,
        response_model=BatchJobDetail,
        openapi_extra=_described(),
        responses={
            200: {"model": BatchJobDetail, "description": "The job that was submitted with this key before."},
            202: {"headers": {"Location": {"schema": {"type": "string"}, "description": "The job's address."}}},
            **_refusals(400, 403, 404, 409, 413, 415, 429, 501, 503),
        },
    )
    async def submit(request: Request) -> Response:
        """Score what is at `input`, and leave the results at `output`."""
        key = request.headers.get("idempotency-key")
        job, new = await asyncio.to_thread(jobs.submit, await _body(request), key)
        return _answer(answers.detail(job), 202 if new else 200, {"location": f"{PREFIX}/{job.id}"})

    @app.get(PREFIX, summary="List jobs", tags=["batch"], responses=_refusals(400, 503))
    async def newest(
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
    ) -> BatchJobs:
        """The newest first."""
        found = await asyncio.to_thread(jobs.newest, state, limit)
        return BatchJobs(jobs=[answers.of(job) for job in found])

    @app.get(f"{PREFIX}/{{job_id}}", summary="Look at a job", tags=["batch"], responses=_refusals(404, 503))
    async def one(job_id: str) -> BatchJobDetail:
        """How far it is, or how it ended."""
        return answers.detail(await asyncio.to_thread(jobs.find, job_id))

    @app.delete(
        f"{PREFIX}/{{job_id}}",
        summary="Cancel a job",
        tags=["batch"],
        status_code=202,
        response_model=BatchJobDetail,
        responses={
            200: {"model": BatchJobDetail, "description": "It has ended; nothing is changed."},
            **_refusals(404, 503),
        },
    )
    async def cancel(job_id: str) -> Response:
        """What it has scored so far is removed. Of a job that has ended nothing is."""
        job = await asyncio.to_thread(jobs.cancel, job_id)
        return _answer(answers.detail(job), 202 if job.unfinished else 200)

    @app.head(f"{PREFIX}/{{job_id}}/results/{{name}}", include_in_schema=False)
    @app.get(
        f"{PREFIX}/{{job_id}}/results/{{name}}",
        summary="Fetch a result",
        tags=["batch"],
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **_refusals(403, 404, 503)},
    )
    async def result(job_id: str, name: str) -> Response:
        """A file that the job has written."""
        location = await asyncio.to_thread(jobs.result, job_id, name)
        headers = {"content-disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}"}
        if location.startswith("/"):
            return FileResponse(location, media_type="application/octet-stream", headers=headers)
        return StreamingResponse(_pieces(location), media_type="application/octet-stream", headers=headers)


def _described() -> dict[str, Any]:
    """What openapi.json cannot know of a route that reads its body by itself."""
    return {
        "requestBody": {"required": True, "content": {JSON: {"schema": answers.request_schema()}}},
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key with the same request gives the same job, however often it is sent.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
            }
        ],
    }


def is_batch(path: str) -> bool:
    """Whether a path is one of these routes."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


async def _body(request: Request) -> bytes:
    """The body. Raises RequestError 400, 413 and 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # A page of another origin can send anything else without asking, and a job writes files.
    if kind != JSON:
        raise RequestError(415, f"Content-Type must be {JSON}, it is {kind[:100] or 'not there'!r}.")
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise RequestError(413, f"The request body is larger than {MAX_BODY_BYTES} bytes.")
    except ClientDisconnect:
        # Nobody reads this; raised on, it would be a bug in the log.
        raise RequestError(400, "The client went away amid the body.") from None
    return body


def _answer(content: BaseModel, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content.model_dump_json(), status, headers, JSON)


def _pieces(location: str) -> Iterator[bytes]:
    """A result in Azure Storage, read as it is sent. It is iterated over in a thread."""
    from scorewright.service.batch.location import Location

    with Location.of(location).open() as file:
        while piece := file.read(_PIECE):
            yield piece


async def _on_refusal(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestError):
        raise error
    response = refusal(error.status, error.message)
    if error.status == 429:
        response.headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return response


async def _on_bad_query(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [f"{fault['loc'][-1]}: {fault['msg'][0].lower()}{fault['msg'][1:]}" for fault in error.errors()]
    return refusal(400, "; ".join(faults) + ".")
