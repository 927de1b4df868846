"""One container on its way to being healthy."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

from scorewright.deploy.exit_code import OUT_OF_MEMORY, cause_of, indented
from scorewright.deploy.http import healthy
from scorewright.deploy.settings import SERVICE_PORT, without_secrets
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker.models.containers import Container

    from scorewright.deploy.target import Report

HOST = "127.0.0.1"

GRACE = 30
"""Seconds a service is given to finish what it has accepted."""

LOG_TAIL = 25
POLL = 0.2


@contextlib.contextmanager
def replacing(taken: Container | None, container: Container, name: str, tell: Report) -> Iterator[None]:
    """Stop what has the name while the body starts `container`. If that fails, all is as it was before."""
    old = taken if taken is not None and taken.id != container.id else None
    ran = old is not None and old.status == "running"
    try:
        if old is not None:
            tell(f"stopping the {name} of before")
            old.stop(timeout=GRACE)
        yield
    except BaseException:
        container.remove(force=True, v=True)
        if old is not None and ran:
            tell(f"starting the {name} of before again")
            old.start()
        raise
    if old is not None:
        old.remove(force=True, v=True)
        container.rename(name)


def start(container: Container, name: str, port: int) -> None:
    """Start a container that is to be published on `port`. Raises DockerError if the engine cannot."""
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        said = str(error.explanation)
        if re.search(r"already allocated|already in use", said):
            raise DockerError(
                f"Port {port} on {HOST} is taken.", hint="Choose another with --port, or a free one with --port 0."
            ) from None
        raise DockerError(f"The engine cannot start {name}: {said}") from None


def wait_until_healthy(
    container: Container, name: str, timeout: float, secrets: Mapping[str, str], tell: Report
) -> int:
    """The port on which the container has become healthy.

    Raises DockerError with the container's last words, its `secrets` (values by name) hidden, if it ends, or is not
    healthy within `timeout` seconds.
    """
    began = time.monotonic()
    while True:
        container.reload()
        port = published_port(container)
        waited = time.monotonic() - began
        if port is not None and healthy(f"http://{HOST}:{port}"):
            tell(f"healthy after {waited:.1f} s")
            return port
        if container.status in ("exited", "dead"):
            raise _ended(container, name, secrets)
        if waited > timeout:
            raise DockerError(
                f"{name} was not healthy within {timeout:g} s; it was removed. Its last lines:\n"
                + indented(without_secrets(logs_of(container, LOG_TAIL), secrets)),
                hint="Give it longer with --timeout, or see in the lines above what it waits for.",
            )
        last = without_secrets(logs_of(container, 1), secrets).strip()
        tell(f"waiting until it is healthy{': ' + last if last else ''}")
        time.sleep(POLL)


def _ended(container: Container, name: str, secrets: Mapping[str, str]) -> DockerError:
    state = container.attrs["State"]
    code = int(state["ExitCode"])
    return DockerError(
        f"{name} ended with exit code {code} before it was healthy; it was removed. Its last lines:\n"
        + indented(without_secrets(logs_of(container, LOG_TAIL), secrets)),
        hint=OUT_OF_MEMORY if state.get("OOMKilled") else cause_of(code),
    )


def published_port(container: Container) -> int | None:
    """The port on this machine that leads to the service; None while it does not run."""
    published = container.attrs["NetworkSettings"]["Ports"].get(f"{SERVICE_PORT}/tcp") or []
    return int(published[0]["HostPort"]) if published else None


def logs_of(container: Container, tail: int | None = None) -> str:
    """What the container has said; only the last `tail` lines if given."""
    return container.logs(tail="all" if tail is None else tail).decode("utf-8", "replace")
