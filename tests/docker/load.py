"""Clients that keep asking, each over its connection, until they are told to stop."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Self

from scorewright.deploy.routes import HEADER

if TYPE_CHECKING:
    from types import TracebackType

CLIENTS = 4


class Load:
    """Asks an endpoint for as long as its block lasts, and counts who answered. What failed is kept in words."""

    def __init__(self, port: int, request: object) -> None:
        self.port = port
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._body = json.dumps(request)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, number: int) -> None:
        """Until so many more have been answered."""
        goal = self.answers.total() + number
        while self.answers.total() < goal and not self.failures:
            self._stop.wait(0.01)

    def _ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/score", self._body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
                failure = "" if answer.status == 200 else f"{answer.status} {body!r}"
                by = answer.headers.get(HEADER, "")
            except (OSError, HTTPException) as error:
                failure, by = repr(error), ""
                connection.close()
            with self._lock:
                if failure:
                    self.failures.append(failure)
                else:
                    self.answers[by] += 1
        connection.close()


def asked(port: int, request: object, deployment: str | None = None) -> tuple[int, str, Any]:
    """Status, who answered, and the answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        named = {HEADER: deployment} if deployment else {}
        connection.request("POST", "/score", json.dumps(request), {"Content-Type": "application/json", **named})
        answer = connection.getresponse()
        return answer.status, answer.headers.get(HEADER, ""), json.loads(answer.read())
    finally:
        connection.close()
