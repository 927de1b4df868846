"""The way to the Docker engine, for the parts that need one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

TIMEOUT = 600
"""Seconds the engine may take for one answer. A step of a build is silent as long as it works."""


@contextmanager
def connect(timeout: int = TIMEOUT) -> Iterator[DockerClient]:
    """A client of the engine that DOCKER_HOST or the local socket leads to, closed at the end.

    It waits `timeout` seconds for an answer.

    Raises DockerError if the SDK is not installed, no engine answers, or it refuses what the body asks of it.
    """
    try:
        import docker
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException
    except ImportError as error:
        raise DockerError(
            f"The Docker SDK cannot be imported: {error}.", hint="pip install 'scorewright[docker]'"
        ) from None
    try:
        client = docker.from_env(timeout=timeout)
    except DockerException as error:
        raise _unreachable(error) from None
    try:
        client.ping()
    except (DockerException, OSError) as error:
        client.close()
        raise _unreachable(error) from None
    try:
        yield client
    except APIError as error:
        raise DockerError(f"The Docker engine refused: {error.explanation or error}") from None
    except RequestException as error:
        raise _unreachable(error) from None
    finally:
        client.close()


def _unreachable(error: Exception) -> DockerError:
    return DockerError(
        f"No Docker engine answers: {error}.",
        hint="Start Docker (`docker info` tells whether it runs), or set DOCKER_HOST to where it is.",
    )
