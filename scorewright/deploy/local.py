"""An image on this machine's Docker engine: planned, run until it is healthy, asked, stopped."""

from __future__ import annotations

import platform
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.bundle import Bundle
from scorewright.deploy.container import (
    GRACE,
    HOST,
    SERVICE_PORT,
    logs_of,
    published_port,
    replacing,
    start,
    wait_until_healthy,
)
from scorewright.deploy.http import healthy, score
from scorewright.deploy.sample import curl_line
from scorewright.docker_engine import connect
from scorewright.errors import BundleError, DockerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient
    from docker.models.containers import Container

    from scorewright.deploy.container import Report

MOUNT = "/bundle"
DATA_MOUNT = "/var/lib/scorewright"
"""The image's SCOREWRIGHT_BATCH_DATA."""
IMAGE_USER = 10001
LABEL = "io.scorewright.deployment"
"""On every container made here; the others on the engine are never touched."""

OWN_SETTINGS = {
    "SCOREWRIGHT_BUNDLE": "--bundle",
    "SCOREWRIGHT_BATCH_DATA": "--data",
    "SCOREWRIGHT_HOST": "--port",
    "SCOREWRIGHT_PORT": "--port",
}


@dataclass(frozen=True)
class Plan:
    """What would be run. Nothing has been asked of the engine yet."""

    name: str
    image: str
    port: int
    bundle: Path | None = None
    data: Path | None = None
    user: str | None = None
    """Who the container is: whoever owns the data folder, so that what is written there is theirs; else the image's."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory: str | None = None
    cpus: float | None = None
    timeout: float = 300

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it, with the names of environment variables and never a value."""
        return {
            "target": "local",
            "name": self.name,
            "image": self.image,
            "url": f"http://{HOST}:{self.port}" if self.port else f"http://{HOST}:<a free port>",
            "bundle": str(self.bundle) if self.bundle else None,
            "data": str(self.data) if self.data else None,
            "environment": sorted(self.environment),
            "memory": self.memory,
            "cpus": self.cpus,
            "timeout": self.timeout,
        }

    def describe(self) -> str:
        """The `docker run` that does the same, the values of environment variables masked."""
        words = ["docker run --detach", f"--name {self.name}", f"--label {LABEL}={self.name}"]
        words.append(f"--publish {HOST}:{self.port or ''}:{SERVICE_PORT}")
        words.append("--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges")
        if self.bundle:
            words.append(shlex.join(["--volume", f"{self.bundle}:{MOUNT}:ro", "--env", f"SCOREWRIGHT_BUNDLE={MOUNT}"]))
        if self.data:
            words.append(shlex.join(["--volume", f"{self.data}:{DATA_MOUNT}"]))
        if self.user:
            words.append(f"--user {self.user}")
        words += [f"--env {name}='***'" for name in sorted(self.environment)]
        if self.memory:
            words.append(f"--memory {self.memory} --memory-swap {self.memory}")
        if self.cpus:
            words.append(f"--cpus {self.cpus:g}")
        return " \\\n    ".join([*words, shlex.quote(self.image)])


@dataclass(frozen=True)
class Status:
    """How a deployment is."""

    name: str
    image: str
    state: str
    healthy: bool
    exit_code: int
    url: str
    bundle: str
    """Name and version of the bundle in the image, as its labels say."""


@dataclass(frozen=True)
class Deployment:
    """A service that was deployed here."""

    name: str
    port: int
    curl: str
    """A command line that gets an answer from it."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def scoring_uri(self) -> str:
        return f"{self.url}/score"

    def run(self, data: object, *, timeout: float = 60) -> Any:
        """Score: a mapping is the request, anything else its rows. The parsed answer."""
        return score(HOST, self.port, data, timeout=timeout)

    def status(self) -> Status:
        return status(self.name)

    def logs(self, tail: int | None = None) -> str:
        return logs(self.name, tail)

    def delete(self) -> None:
        delete(self.name)


def plan(
    image: str,
    *,
    name: str | None = None,
    port: int = SERVICE_PORT,
    bundle: Path | str | None = None,
    data: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
    memory: str | None = None,
    cpus: float | None = None,
    timeout: float = 300,
) -> Plan:
    """What `apply` is to run. `port` 0 takes a free one; `bundle` is mounted in place of the image's own.

    `data` is mounted as the data folder of batch jobs. Raises UsageError for a value that cannot be meant, BundleError
    for a bundle that is not what it says.
    """
    name = name or re.sub(r"[@:].*", "", image.rsplit("/", 1)[-1])
    given = dict(environment or {})
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name):
        raise UsageError(f"{name!r} cannot be a container's name.", hint="Use letters, digits, and . _ - inside.")
    if not 0 <= port <= 65535:
        raise UsageError(f"{port} is no port.", hint="Use 0 (a free one) to 65535.")
    if memory and not re.fullmatch(r"[1-9]\d*[bkmg]?", memory, re.IGNORECASE):
        raise UsageError(f"{memory!r} is no amount of memory.", hint="Write it like 512m or 2g.")
    if cpus is not None and cpus <= 0:
        raise UsageError(f"{cpus:g} CPUs are none.", hint="Write it like 0.5 or 2.")
    if timeout <= 0:
        raise UsageError(f"A service cannot be healthy within {timeout:g} seconds.")
    for key in given:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise UsageError(f"{key!r} cannot be an environment variable's name.", hint="Write it like NAME=VALUE.")
        if key in OWN_SETTINGS:
            raise UsageError(f"{key} is for the deployment to set.", hint=f"Use {OWN_SETTINGS[key]}.")
    folder = _writable(data) if data else None
    return Plan(
        name=name,
        image=image,
        port=port,
        bundle=_mountable(bundle) if bundle else None,
        data=folder,
        user=_owner(folder) if folder else None,
        environment=given,
        memory=memory,
        cpus=cpus,
        timeout=timeout,
    )


def apply(todo: Plan, *, force: bool = False, report: Report | None = None) -> Deployment:
    """Run the planned container and wait until it is healthy.

    With `force` a deployment of the same name is replaced; it comes back if the new one fails. Raises
    DockerError, with the container's last words, if it ends or is not healthy in time; it is removed then.
    """
    tell = report or (lambda _: None)
    with connect() as client:
        container = _create(client, todo, force, tell)
        with replacing(_named(client, todo.name), container, todo.name, tell):
            start(container, todo.name, todo.port)
            port = wait_until_healthy(container, todo.name, todo.timeout, tell)
        container.reload()
        return _deployment(container, todo.name, port)


def get(name: str) -> Deployment:
    """A handle on what was deployed under `name` and runs."""
    with connect() as client:
        container = _find(client, name)
        port = published_port(container)
        if port is None:
            raise DockerError(f"{name} does not run: {container.status}.", hint=f"scorewright deploy local logs {name}")
        return _deployment(container, name, port)


def status(name: str) -> Status:
    """How a deployment is. Raises DockerError if there is none of that name."""
    with connect() as client:
        return _status(_find(client, name))


def deployments() -> list[Status]:
    """All that was deployed here, by name."""
    with connect() as client:
        found = client.containers.list(all=True, filters={"label": LABEL})
        return sorted((_status(container) for container in found), key=lambda one: one.name)


def logs(name: str, tail: int | None = None) -> str:
    """What a deployment has logged; only the last `tail` lines if given."""
    with connect() as client:
        return logs_of(_find(client, name), tail)


def delete(name: str) -> None:
    """Stop a deployment, giving it time to finish what it has accepted, and remove it."""
    with connect() as client:
        container = _find(client, name)
        container.stop(timeout=GRACE)
        container.remove(force=True)


def _mountable(bundle: Path | str) -> Path:
    """The folder of a verified bundle that a container's user may read."""
    loaded = Bundle.load(bundle)
    paths = {loaded.root, *(loaded.path(name) for name in loaded.manifest.files)}
    paths |= {parent for path in paths for parent in path.parents if parent.is_relative_to(loaded.root)}
    shut = [path for path in sorted(paths) if not path.stat().st_mode & 0o004]
    # Elsewhere Docker runs in a virtual machine that reads the host's files with the rights of its owner.
    if shut and platform.system() == "Linux":
        raise BundleError(
            f"{shut[0]} may only be read by its owner, not by the service in the container.",
            hint=f"chmod -R a+rX {shlex.quote(str(loaded.root))}",
        )
    return loaded.root


def _writable(data: Path | str) -> Path:
    """A folder that the container's user may write to."""
    folder = Path(data).resolve()
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", hint=f"mkdir -p {shlex.quote(str(folder))}")
    state = folder.stat()
    if state.st_uid == 0 and not state.st_mode & 0o002 and platform.system() == "Linux":
        raise UsageError(
            f"{folder} may only be written by root, which the service in the container is not.",
            hint=f"chown {IMAGE_USER} {shlex.quote(str(folder))}",
        )
    return folder


def _owner(folder: Path) -> str | None:
    state = folder.stat()
    return f"{state.st_uid}:{state.st_gid}" if state.st_uid else None


def _create(client: DockerClient, todo: Plan, force: bool, tell: Report) -> Container:
    """The container, not started, under a name of its own as long as another has the one it is to have."""
    from docker.errors import APIError, ImageNotFound

    taken = _named(client, todo.name)
    if taken is not None and LABEL not in taken.labels:
        raise DockerError(
            f"A container {todo.name} is there that was not deployed by scorewright.", hint="Choose another --name."
        )
    if taken is not None and not force:
        raise DockerError(
            f"{todo.name} is deployed already.",
            hint=f"Replace it with --force, choose another --name, or `scorewright deploy local delete {todo.name}`.",
        )
    mounts = {str(todo.bundle): {"bind": MOUNT, "mode": "ro"}} if todo.bundle else {}
    if todo.data:
        mounts[str(todo.data)] = {"bind": DATA_MOUNT, "mode": "rw"}
    tell(f"creating {todo.name} from {todo.image}")
    try:
        return client.containers.create(
            todo.image,
            name=f"{todo.name}.new" if taken is not None else todo.name,
            detach=True,
            labels={LABEL: todo.name},
            environment={**todo.environment, **({"SCOREWRIGHT_BUNDLE": MOUNT} if todo.bundle else {})},
            ports={f"{SERVICE_PORT}/tcp": (HOST, todo.port)},
            volumes=mounts,
            user=todo.user,
            read_only=True,
            tmpfs={"/tmp": ""},  # noqa: S108  # the container's own
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=todo.memory,
            memswap_limit=todo.memory,
            nano_cpus=round(todo.cpus * 1e9) if todo.cpus else None,
        )
    except ImageNotFound:
        raise DockerError(
            f"There is no image {todo.image} on this engine.",
            hint=f"Build it: scorewright build BUNDLE -t {todo.image}; or fetch it: docker pull {todo.image}",
        ) from None
    except APIError as error:
        raise DockerError(f"The engine cannot create {todo.name}: {error.explanation}") from None


def _deployment(container: Container, name: str, port: int) -> Deployment:
    return Deployment(name, port, curl_line(container, f"http://{HOST}:{port}/score"))


def _named(client: DockerClient, name: str) -> Container | None:
    from docker.errors import NotFound

    try:
        return client.containers.get(name)
    except NotFound:
        return None


def _find(client: DockerClient, name: str) -> Container:
    container = _named(client, name)
    if container is None or LABEL not in container.labels:
        raise DockerError(f"Nothing is deployed as {name}.", hint="`scorewright deploy local list` shows what is.")
    return container


def _status(container: Container) -> Status:
    port = published_port(container)
    labels = container.labels
    return Status(
        name=str(container.name),
        image=str(container.attrs["Config"]["Image"]),
        state=container.status,
        healthy=port is not None and healthy(HOST, port),
        exit_code=int(container.attrs["State"]["ExitCode"]),
        url=f"http://{HOST}:{port}" if port is not None else "",
        bundle=f"{labels.get('io.scorewright.bundle.name', '')}:{labels.get('io.scorewright.bundle.version', '')}",
    )
