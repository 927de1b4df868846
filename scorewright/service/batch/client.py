"""The jobs of a service that runs somewhere, asked for with what Python brings."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from scorewright.errors import RequestError, ServiceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATH = "/batch/jobs"
UNFINISHED = ("queued", "running")

TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.5
AWAY_SECONDS = 60.0
"""How long a service may be away while a job is waited for: it may be restarted, and goes on with its jobs then."""


class JobsClient:
    """Every method raises RequestError with the service's own words if it refuses, and ServiceError if it is not there.

    Jobs are given as the service describes them: `state`, `rows`, `results`, `message` and so on.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        """`url` is the service's, http://host:port; `key` what it asks for, or a token.

        Raises UsageError for another kind of address, or a key that a header cannot carry.
        """
        if key is not None and (not key.isascii() or not key.isprintable()):
            raise UsageError("The key has characters that a header cannot have.")
        self._carried = {} if key is None else {"authorization": f"Bearer {key}"}
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(
                f"{url} is no address of a service: {error}.", hint="Write it like http://host:5001."
            ) from None
        if parts.scheme not in ("http", "https") or not host:
            raise UsageError(f"{url} is no address of a service.", hint="Write it like http://host:5001.")
        self._connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = host, port
        self._prefix = parts.path.rstrip("/").removesuffix(PATH)
        self.url = f"{parts.scheme}://{parts.netloc}{self._prefix}"

    def submit(self, request: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Submit a job; with a key, no second time."""
        headers = {"content-type": "application/json"} | ({} if key is None else {"idempotency-key": key})
        return self._ask("POST", "", json.dumps(request), headers)

    def get(self, job_id: str) -> dict[str, Any]:
        """A job as it is now."""
        return self._ask("GET", f"/{quote(job_id, safe='')}")

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask a job to end."""
        return self._ask("DELETE", f"/{quote(job_id, safe='')}")

    def list(self, state: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Jobs, the newest first."""
        query = {"limit": limit} | ({} if state is None else {"state": state})
        found: list[dict[str, Any]] = self._ask("GET", f"?{urlencode(query)}")["jobs"]
        return found

    def wait(self, job_id: str, on_job: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The job when it has ended; `on_job` is told of it meanwhile."""
        away_since: float | None = None
        while True:
            try:
                job = self.get(job_id)
            except (ServiceError, RequestError) as error:
                if isinstance(error, RequestError) and error.status not in (429, 502, 503, 504):
                    raise
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_SECONDS:
                    raise
            else:
                away_since = None
                on_job(job)
                if job["state"] not in UNFINISHED:
                    return job
            time.sleep(POLL_SECONDS)

    def _ask(
        self, method: str, rest: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        connection = self._connection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, f"{self._prefix}{PATH}{rest}", body, {**self._carried, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            raise ServiceError(
                f"{self.url} gave no answer: {error or type(error).__name__}.",
                hint="Is the service running there? `scorewright serve` starts one.",
            ) from None
        finally:
            connection.close()
        try:
            told = json.loads(content)
        except ValueError:
            told = None
        if answer.status >= 400:
            message = told.get("message") if isinstance(told, dict) else None
            raise RequestError(
                answer.status, str(message or f"{self.url}{PATH} answered {answer.status} {answer.reason}.")
            )
        if not isinstance(told, dict):
            raise ServiceError(
                f"{self.url}{PATH} answered something that is no job.", hint="Is that address scorewright's service?"
            )
        return told
