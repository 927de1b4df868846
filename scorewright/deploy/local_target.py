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
from scorewright.deploy.http import bearer, healthy, score
from scorewright.deploy.local_container import create, find, guarded, keys_of, named
from scorewright.deploy.local_endpoint import LocalEndpoint
from scorewright.deploy.local_plan import DEPLOYMENT_LABEL, ENDPOINT_LABEL, LABEL, ROUTER_IMAGE, LocalPlan, make_plan
from scorewright.deploy.router import routes_of
from scorewright.deploy.routes import HEADER
from scorewright.deploy.sample import curl_line
from scorewright.deploy.settings import SERVICE_PORT
from scorewright.deploy.target import Status, silent
from scorewright.docker_engine import connect
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from docker.models.containers import Container

    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report


@dataclass(frozen=True)
class LocalDeployment:
    """A service that was deployed here."""

    name: str
    port: int
    curl: str
    """A command line that gets an answer from it."""
    guarded: bool = False
    """Whether a request must carry a key."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def scoring_uri(self) -> str:
        return f"{self.url}/score"

    def run(self, data: object, *, timeout: float = 60, deployment: str | None = None) -> Any:
        """Score: a mapping is the request, anything else its rows. The parsed answer.

        `deployment` names the one behind an endpoint that is to answer, whatever the weights are.
        """
        headers = {HEADER: deployment} if deployment else {}
        keys = self._keys(deployment)
        return score(self.scoring_uri, data, timeout=timeout, headers={**headers, **bearer(keys)})

    def get_keys(self) -> tuple[str, ...]:
        """The keys that it was given, the primary first; none where it asks for none.

        Behind an endpoint, those of the deployment with the largest share.
        """
        return self._keys(None)

    def _keys(self, deployment: str | None) -> tuple[str, ...]:
        return Local().keys(self.name, deployment) if self.guarded else ()

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
    deployment: str | None = None
    """Its name among several behind one port, which is the endpoint's then; None: it has the port to itself."""
    router_image: str = ROUTER_IMAGE
    """What runs HAProxy, where there is an endpoint."""
    data: Path | None = None
    """Mounted as the data folder of batch jobs."""

    def plan(self, settings: DeploySettings) -> LocalPlan:
        """Raises UsageError for what one container cannot be, BundleError for a bundle that it cannot read."""
        return make_plan(settings, self.port, self.bundle, self.deployment, self.router_image, self.data)

    def apply(self, plan: LocalPlan, report: Report = silent) -> LocalDeployment:
        """Run the planned container and wait until it is healthy.

        Raises DockerError, with the container's last words, if it ends or is not healthy in time; it is removed then.
        """
        with connect() as client:
            if plan.deployment:
                endpoint = LocalEndpoint(client, plan.settings.name)
                return _deployment(endpoint.apply(plan, self.force, report), named(client, plan.name))
            container = create(client, plan, self.force, report)
            with replacing(named(client, plan.name), container, plan.name, report):
                start(container, plan.name, plan.port)
                wait_until_healthy(container, plan.name, plan.settings.probes.start, plan.settings.revealed(), report)
            container.reload()
            return _deployment(container, container)

    def get(self, name: str) -> LocalDeployment:
        """A handle on what was deployed under `name` and runs."""
        with connect() as client:
            container = find(client, name)
            behind = LocalEndpoint(client, name).containers() if _is_endpoint(container) else [container]
            return _deployment(container, behind[0] if behind else None)

    def keys(self, name: str, deployment: str | None = None) -> tuple[str, ...]:
        """The keys of what was deployed as `name`; behind an endpoint of `deployment`, or of the largest share."""
        with connect() as client:
            container = find(client, name)
            if _is_endpoint(container):
                weights = routes_of(container).weights
                behind = {one.labels[DEPLOYMENT_LABEL]: one for one in LocalEndpoint(client, name).containers()}
                chosen = deployment or max(behind, key=lambda one: weights.get(one, 0), default="")
                return keys_of(behind[chosen]) if chosen in behind else ()
            return keys_of(container)

    def traffic(self, name: str, weights: Mapping[str, int] | None = None) -> dict[str, int]:
        """Each deployment's share of an endpoint's requests, in percent; `weights` are the new ones.

        Requests that name their deployment in the header azureml-model-deployment are not counted. Raises UsageError
        if the weights are not 100 together or name a deployment that there is not.
        """
        with connect() as client:
            return LocalEndpoint(client, name).traffic(weights)

    def status(self, name: str) -> Status:
        """How a deployment is. Raises DockerError if there is none of that name."""
        with connect() as client:
            return _status(find(client, name))

    def deployments(self) -> list[Status]:
        """All that was deployed here, by name."""
        with connect() as client:
            found = client.containers.list(all=True, filters={"label": LABEL})
            return sorted((_status(container) for container in found), key=lambda one: one.name)

    def logs(self, name: str, tail: int | None = None) -> str:
        """What a deployment has logged; only the last `tail` lines if given."""
        with connect() as client:
            return logs_of(find(client, name), tail)

    def delete(self, name: str) -> None:
        """Stop a deployment, giving it time to finish what it has accepted, and remove it.

        An endpoint goes as a whole; a deployment behind one only if it has no share of its requests.
        """
        with connect() as client:
            container = find(client, name)
            if _is_endpoint(container):
                LocalEndpoint(client, name).delete()
            elif ENDPOINT_LABEL in container.labels:
                LocalEndpoint(client, container.labels[ENDPOINT_LABEL]).remove(container, silent)
            else:
                container.stop(timeout=GRACE)
                container.remove(force=True, v=True)


def _is_endpoint(container: Container) -> bool:
    return ENDPOINT_LABEL in container.labels and DEPLOYMENT_LABEL not in container.labels


def _deployment(container: Container, sample_of: Container | None) -> LocalDeployment:
    name, port = str(container.name), published_port(container)
    if port is None:
        raise DockerError(f"{name} does not run: {container.status}.", hint=f"scorewright deploy local logs {name}")
    asked = guarded(sample_of or container)
    keys = f"scorewright deploy local keys {name}" if asked else ""
    return LocalDeployment(name, port, curl_line(sample_of or container, f"http://{HOST}:{port}/score", keys), asked)


def _status(container: Container) -> Status:
    port = published_port(container)
    url = f"http://{HOST}:{port}" if port is not None else ""
    code = int(container.attrs["State"]["ExitCode"])
    detail = f"ended with exit code {code}" if container.status in ("exited", "dead") else ""
    if not detail and _is_endpoint(container):
        detail = " ".join(f"{name}={weight}" for name, weight in routes_of(container).weights.items())
    return Status(
        name=str(container.name),
        target="local",
        image=str(container.attrs["Config"]["Image"]),
        state=container.status,
        healthy=bool(url) and healthy(url),
        url=url,
        detail=detail,
    )
