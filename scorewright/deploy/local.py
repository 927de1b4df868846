"""An image on this machine's Docker engine: run until it is healthy, asked, stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.deploy.container import (
    GRACE,
    HOST,
    logs_of,
    published_port,
    replacing,
    start,
    wait_until_healthy,
)
from scorewright.deploy.http import healthy, score
from scorewright.deploy.local_plan import LABEL, MOUNT, LocalPlan, make_plan
from scorewright.deploy.sample import curl_line
from scorewright.deploy.settings import SERVICE_PORT
from scorewright.deploy.target import Status, silent
from scorewright.docker_engine import connect
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient
    from docker.models.containers import Container

    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report

SECOND = 10**9
"""In the nanoseconds that the engine counts in."""


@dataclass(frozen=True)
class LocalDeployment:
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
        return score(self.scoring_uri, data, timeout=timeout)

    def get_keys(self) -> tuple[str, ...]:
        """None: only this machine reaches it."""
        return ()

    def status(self) -> Status:
        return Local().status(self.name)

    def logs(self, tail: int | None = None) -> str:
        return Local().logs(self.name, tail)

    def delete(self) -> None:
        Local().delete(self.name)


@dataclass(frozen=True)
class Local:
    """The Docker engine that DOCKER_HOST or the local socket leads to. Raises DockerError for what it refuses."""

    port: int = SERVICE_PORT
    """The port on 127.0.0.1; 0 takes a free one."""
    bundle: Path | None = None
    """Mounted in place of the image's own."""
    force: bool = False
    """Whether a deployment of the same name is replaced; it comes back if the new one fails."""

    def plan(self, settings: DeploySettings) -> LocalPlan:
        """Raises UsageError for what one container cannot be, BundleError for a bundle that it cannot read."""
        return make_plan(settings, self.port, self.bundle)

    def apply(self, plan: LocalPlan, report: Report = silent) -> LocalDeployment:
        """Run the planned container and wait until it is healthy.

        Raises DockerError, with the container's last words, if it ends or is not healthy in time; it is removed then.
        """
        with connect() as client:
            container = _create(client, plan, self.force, report)
            with replacing(_named(client, plan.name), container, plan.name, report):
                start(container, plan.name, plan.port)
                port = wait_until_healthy(container, plan.name, plan.settings.probes.start, report)
            container.reload()
            return _deployment(container, plan.name, port)

    def get(self, name: str) -> LocalDeployment:
        """A handle on what was deployed under `name` and runs."""
        with connect() as client:
            container = _find(client, name)
            port = published_port(container)
            if port is None:
                raise DockerError(
                    f"{name} does not run: {container.status}.", hint=f"scorewright deploy local logs {name}"
                )
            return _deployment(container, name, port)

    def status(self, name: str) -> Status:
        """How a deployment is. Raises DockerError if there is none of that name."""
        with connect() as client:
            return _status(_find(client, name))

    def deployments(self) -> list[Status]:
        """All that was deployed here, by name."""
        with connect() as client:
            found = client.containers.list(all=True, filters={"label": LABEL})
            return sorted((_status(container) for container in found), key=lambda one: one.name)

    def logs(self, name: str, tail: int | None = None) -> str:
        """What a deployment has logged; only the last `tail` lines if given."""
        with connect() as client:
            return logs_of(_find(client, name), tail)

    def delete(self, name: str) -> None:
        """Stop a deployment, giving it time to finish what it has accepted, and remove it."""
        with connect() as client:
            container = _find(client, name)
            container.stop(timeout=GRACE)
            container.remove(force=True)


def _create(client: DockerClient, todo: LocalPlan, force: bool, tell: Report) -> Container:
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
    settings, probes = todo.settings, todo.settings.probes
    mount = {str(todo.bundle): {"bind": MOUNT, "mode": "ro"}} if todo.bundle else {}
    tell(f"creating {todo.name} from {settings.image}")
    try:
        return client.containers.create(
            str(settings.image),
            name=f"{todo.name}.new" if taken is not None else todo.name,
            detach=True,
            labels=todo.labels,
            environment={**todo.variables, **settings.revealed()},
            ports={f"{SERVICE_PORT}/tcp": (HOST, todo.port)},
            volumes=mount,
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


def _deployment(container: Container, name: str, port: int) -> LocalDeployment:
    return LocalDeployment(name, port, curl_line(container, f"http://{HOST}:{port}/score"))


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
    url = f"http://{HOST}:{port}" if port is not None else ""
    code = int(container.attrs["State"]["ExitCode"])
    return Status(
        name=str(container.name),
        target="local",
        image=str(container.attrs["Config"]["Image"]),
        state=container.status,
        healthy=bool(url) and healthy(url),
        url=url,
        detail=f"ended with exit code {code}" if container.status in ("exited", "dead") else "",
    )
