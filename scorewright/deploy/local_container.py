"""Containers that are made and found here, by the name of what they are deployed as."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from scorewright.deploy.container import HOST
from scorewright.deploy.local_plan import DATA_MOUNT, ENDPOINT_LABEL, IMAGE_USER, KEYS_MOUNT, LABEL, MOUNT
from scorewright.deploy.settings import KEYS_PATH, SERVICE_PORT
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient
    from docker.models.containers import Container

    from scorewright.deploy.local_plan import LocalPlan
    from scorewright.deploy.target import Report

SECOND = 10**9
"""In the nanoseconds that the engine counts in."""


def create(client: DockerClient, todo: LocalPlan, force: bool, tell: Report) -> Container:
    """The container, not started, under a name of its own as long as another has the one it is to have."""
    from docker.errors import APIError, ImageNotFound
    from docker.types import Mount

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
    secrets = settings.revealed()
    try:
        container = client.containers.create(
            str(settings.image),
            name=f"{todo.name}.new" if taken is not None else todo.name,
            detach=True,
            labels=todo.labels,
            environment={**todo.variables, **{name: secrets[name] for name in settings.variables_hidden}},
            network=todo.network,
            ports={f"{SERVICE_PORT}/tcp": (HOST, todo.own_port)},
            volumes=mounts,
            mounts=[Mount(KEYS_MOUNT, source=None, type="volume")] if settings.keys else [],
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
    if settings.keys:
        try:
            give_keys(container, {file: secrets[name] for file, name in settings.keys.items()}, todo.user)
        except BaseException:
            container.remove(force=True, v=True)
            raise
    return container


def give_keys(container: Container, keys: Mapping[str, str], user: str | None) -> None:
    """Put keys, by their files' names, where the container's service looks; only its user may read them."""
    uid, _, gid = (user or f"{IMAGE_USER}:{IMAGE_USER}").partition(":")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, key in keys.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.uid, entry.gid, entry.size = 0o400, int(uid), int(gid or uid), len(key.encode())
            archive.addfile(entry, io.BytesIO(key.encode()))
    container.put_archive(KEYS_MOUNT, content.getvalue())


def keys_of(container: Container) -> tuple[str, ...]:
    """The keys that a container's service takes, the primary first; none where it asks for none."""
    if not guarded(container):
        return ()
    chunks, _ = container.get_archive(KEYS_MOUNT)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        files = sorted((entry.name, archive.extractfile(entry)) for entry in archive if entry.isfile())
        return tuple(file.read().decode() for _, file in files if file is not None)


def guarded(container: Container) -> bool:
    """Whether a container was given keys."""
    return f"{KEYS_PATH}={KEYS_MOUNT}" in (container.attrs["Config"]["Env"] or [])


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
