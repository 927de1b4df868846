"""Clients that keep asking while something happens to the service, and count what becomes of every request."""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_left
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Protocol, Self

import httpx

from tests.service.servers import WAIT_SECONDS, wait_until

if TYPE_CHECKING:
    from types import TracebackType


class Reachable(Protocol):
    """A service: a process, or a container."""

    @property
    def url(self) -> str: ...


class Load:
    """Asks for as long as its block lasts. `answers` counts what was answered by status and body.

    `cut` are connections that broke, each with one request; `lost` are requests that got nothing in the time there is.
    """

    def __init__(self, server: Reachable, request: object, *, clients: int = 6) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self.sent = self.cut = self.lost = 0
        self._port = httpx.URL(server.url).port or 0
        self._body = json.dumps(request)
        self._stop = threading.Event()
        self._told: list[float] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.more(20)
        return self

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> Counter[tuple[int, str]]:
        """The answers that are none of status 200."""
        return Counter({answer: count for answer, count in self.answers.items() if answer[0] != 200})

    def told(self, since: float, until: float) -> int:
        """How many were answered between two times of the monotonic clock."""
        with self._lock:
            return bisect_left(self._told, until) - bisect_left(self._told, since)

    def more(self, number: int) -> None:
        """Wait until so many more have been answered."""
        goal = self.answers.total() + number
        wait_until(lambda: self.answers.total() >= goal)

    def _ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=WAIT_SECONDS)
        while not self._stop.is_set():
            with self._lock:
                self.sent += 1
            try:
                connection.request("POST", "/score", self._body, {"content-type": "application/json"})
                answer = connection.getresponse()
                body = answer.read().decode()
            except TimeoutError:
                with self._lock:
                    self.lost += 1
                connection.close()
            except (OSError, HTTPException):
                with self._lock:
                    self.cut += 1
                connection.close()
            else:
                with self._lock:
                    self.answers[answer.status, body] += 1
                    self._told.append(time.monotonic())
        connection.close()
