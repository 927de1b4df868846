"""Containers that are made and found here, by the name of what they are deployed as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.deploy.container import HOST
from scorewright.deploy.local_plan import DATA_MOUNT, ENDPOINT_LABEL, LABEL, MOUNT
from scorewright.deploy.settings import SERVICE_PORT
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

    from scorewright.deploy.local_plan import LocalPlan
    from scorewright.deploy.target import Report

SECOND = 10**9
"""In the nanoseconds that the engine counts in."""


def create(client: DockerClient, todo: LocalPlan, force: bool, tell: Report) -> Container:
    """The container, not started, under a name of its own as long as another has the one it is to have."""
    from docker.errors import APIError, ImageNotFound

    taken = named(client, todo.name)
    if taken is not None and LABEL not in taken.labels:
        raise DockerError(
            f"A container {todo.name} is there that was not deployed by scorewright.", hint="Choose another --name."
        )
    if taken is not None and taken.labels.get(ENDPOINT_LABEL) != todo.labels.get(ENDPOINT_LABEL):
        endpoint = taken.labels.get(ENDPOINT_LABEL)
        raise DockerError(
            f"{todo.name} is there already, "
            + (f"as part of the endpoint {endpoint}." if endpoint else "as one container with a port to itself."),
            hint=f"Choose another --name, or `scorewright deploy local delete {endpoint or todo.name}` first.",
        )
    if taken is not None and not force:
        raise DockerError(
            f"{todo.name} is deployed already.",
            hint=f"Replace it with --force, choose another --name, or `scorewright deploy local delete {todo.name}`.",
        )
    settings, probes = todo.settings, todo.settings.probes
    mounts = {str(todo.bundle): {"bind": MOUNT, "mode": "ro"}} if todo.bundle else {}
    if todo.data:
        mounts[str(todo.data)] = {"bind": DATA_MOUNT, "mode": "rw"}
    tell(f"creating {todo.name} from {settings.image}")
    try:
        return client.containers.create(
            str(settings.image),
            name=f"{todo.name}.new" if taken is not None else todo.name,
            detach=True,
            labels=todo.labels,
            environment={**todo.variables, **settings.revealed()},
            network=todo.network,
            ports={f"{SERVICE_PORT}/tcp": (HOST, todo.own_port)},
            volumes=mounts,
            user=todo.user,
            read_only=True,
            tmpfs={"/tmp": ""},  # noqa: S108  # the container's own
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=todo.memory,
            memswap_limit=todo.memory,
            nano_cpus=round(settings.cpu * 1e9) if settings.cpu else None,
            # Without a test of its own the image's is kept.
            healthcheck={
                "interval": probes.period * SECOND,
                "timeout": probes.timeout * SECOND,
                "retries": probes.failures,
                "start_period": probes.start * SECOND,
            },
        )
    except ImageNotFound:
        raise DockerError(
            f"There is no image {settings.image} on this engine.",
            hint=f"Build it: scorewright build BUNDLE -t {settings.image}; or fetch it: docker pull {settings.image}",
        ) from None
    except APIError as error:
        raise DockerError(f"The engine cannot create {todo.name}: {error.explanation}") from None


def named(client: DockerClient, name: str) -> Container | None:
    from docker.errors import NotFound

    try:
        return client.containers.get(name)
    except NotFound:
        return None


def find(client: DockerClient, name: str) -> Container:
    container = named(client, name)
    if container is None or LABEL not in container.labels:
        raise DockerError(f"Nothing is deployed as {name}.", hint="`scorewright deploy local list` shows what is.")
    return container
