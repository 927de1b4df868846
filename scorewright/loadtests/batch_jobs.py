"""The bulk side of an endpoint: a batch job is submitted, waited for, and its result fetched."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.errors import LoadTestError
from scorewright.loadtests.measurements import Bulk

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.loadtests.endpoint import Answered, Endpoint

ROUTE = "/batch/jobs"
POLL_SECONDS = 0.1
_ENDED = ("completed", "failed", "cancelled")


@dataclass
class BatchJob:
    """One job. Raises LoadTestError where the endpoint does not do what is asked."""

    endpoint: Endpoint
    input: str
    """A location as the endpoint sees it."""
    output: str
    id: str = ""
    _submitted: float = 0.0

    def submit(self) -> None:
        """Submit it."""
        self._submitted = time.perf_counter()
        answered = self._ask("POST", "", {"input": self.input, "output": self.output, "settings": {}})
        if answered.status != 202:
            raise LoadTestError(
                f"{self.endpoint.shown} does not take the batch job on {self.input}: {answered.words}.",
                hint="Is the input where the endpoint can read it? See --bulk-input and --bulk-data.",
            )
        self.id = str(json.loads(answered.body)["id"])

    def wait(self, rows: int | None, on_progress: Callable[[int, int | None], None] = lambda _, __: None) -> Bulk:
        """Wait until it has ended and fetch its results; `rows` if they are known.

        Raises LoadTestError if it did not complete.
        """
        while True:
            state = self.state()
            counts = state["rows"]
            on_progress(counts["done"], counts["total"])
            if state["state"] in _ENDED:
                break
            time.sleep(POLL_SECONDS)
        took = time.perf_counter() - self._submitted
        if state["state"] != "completed":
            raise LoadTestError(
                f"The batch job {self.id} has {state['state']}: {state.get('message', '')}", hint=state.get("hint", "")
            )
        began = time.perf_counter()
        for result in state["results"]:
            fetched = self.endpoint.ask("GET", self.endpoint.beside(str(result["url"])))
            if fetched.status != 200:
                raise LoadTestError(f"The result {result['name']} of the batch job {self.id}: {fetched.words}.")
        return Bulk(
            job_id=self.id,
            rows=rows if rows is not None else counts["done"] + counts["failed"],
            failed_rows=counts["failed"],
            seconds=took,
            fetch_seconds=time.perf_counter() - began,
        )

    def state(self) -> dict[str, Any]:
        """What the endpoint says of it now."""
        answered = self._ask("GET", f"/{self.id}")
        if answered.status != 200:
            raise LoadTestError(f"The batch job {self.id} cannot be asked for: {answered.words}.")
        return dict(json.loads(answered.body))

    def cancel(self) -> None:
        """Have it end, because nobody waits for it any more."""
        if self.id:
            self._ask("DELETE", f"/{self.id}")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answered:
        text = json.dumps(body) if body is not None else None
        return self.endpoint.ask(method, self.endpoint.beside(ROUTE) + path, text)


def require(endpoint: Endpoint) -> None:
    """Raise LoadTestError if the endpoint has no batch jobs."""
    answered = endpoint.ask("GET", endpoint.beside(ROUTE))
    if answered.status != 200:
        raise LoadTestError(
            f"{endpoint.shown} takes no batch jobs: {endpoint.beside(ROUTE)} answers {answered.words}.",
            hint="Leave the scenarios bulk and mixed out, or serve a bundle with scorewright[batch] installed.",
        )
