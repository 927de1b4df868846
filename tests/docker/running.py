"""Containers as `docker run` would start them, to be looked at from outside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import docker
import httpx

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from docker.models.containers import Container

T = TypeVar("T")

DEADLINE = 120
"""Seconds after which a test gives up waiting."""


def wait_for(what: str, found: Callable[[], T | None]) -> T:
    """What `found` returns once it is not None."""
    give_up = time.monotonic() + DEADLINE
    while time.monotonic() < give_up:
        if (value := found()) is not None:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {DEADLINE} s")


@dataclass(frozen=True)
class Running:
    """A container that was started."""

    container: Container
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def logs(self) -> str:
        return self.container.logs().decode()

    @property
    def ended(self) -> bool:
        self.container.reload()
        return str(self.container.status) == "exited"

    @property
    def health(self) -> str | None:
        """What the engine's own check says; None while that is not known yet."""
        self.container.reload()
        found = str(self.container.attrs["State"]["Health"]["Status"])
        return None if found == "starting" else found

    def until_healthy(self) -> Self:
        wait_for("healthy", self._healthy)
        return self

    def exec(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a command inside."""
        ran = self.container.exec_run(list(words))
        assert ran.exit_code is not None
        assert isinstance(ran.output, bytes)
        return ran.exit_code, ran.output.decode()

    def until_ended(self) -> int:
        """The exit code."""
        return int(self.container.wait(timeout=DEADLINE)["StatusCode"])

    def score(self, request: object) -> httpx.Response:
        return httpx.post(f"{self.url}/score", json=request, timeout=DEADLINE)

    def _healthy(self) -> bool | None:
        self.container.reload()
        assert self.container.status == "running", self.logs
        try:
            return True if httpx.get(self.url).status_code == 200 else None
        except httpx.TransportError:
            return None


class Engine:
    """The engine's client, closed at the end."""

    def __enter__(self) -> Self:
        self.client = docker.from_env()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def run(self, image: str, stack: ExitStack, *, port: int = 5001, **options: Any) -> Running:
        """`docker run --publish 127.0.0.1::5001`; it is removed when `stack` is closed.

        With another `network_mode` nothing is published.
        """
        if "network_mode" not in options:
            options["ports"] = {f"{port}/tcp": ("127.0.0.1", 0)}
        container = self.client.containers.create(image, detach=True, **options)
        stack.callback(container.remove, force=True)
        container.start()
        container.reload()
        published = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        return Running(container, int(published[0]["HostPort"]) if published else 0)
