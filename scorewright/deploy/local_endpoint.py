"""Several deployments on this machine behind one port: added, replaced and removed without a request lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorewright.deploy import router
from scorewright.deploy.container import GRACE, start, wait_until_healthy
from scorewright.deploy.local_container import create, named
from scorewright.deploy.local_plan import DEPLOYMENT_LABEL, ENDPOINT_LABEL
from scorewright.deploy.routes import Routes
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.networks import Network

    from scorewright.deploy.local_plan import LocalPlan
    from scorewright.deploy.target import Report


@dataclass(frozen=True)
class LocalEndpoint:
    """An endpoint on an engine, there or still to be made. Its router has its name, `name-deployment` the others."""

    client: DockerClient
    name: str

    def router(self) -> Container | None:
        """Raises DockerError if something else has the endpoint's name."""
        found = named(self.client, self.name)
        if found is not None and (ENDPOINT_LABEL not in found.labels or DEPLOYMENT_LABEL in found.labels):
            raise DockerError(
                f"{self.name} is one container, and not an endpoint with deployments.",
                hint=f"Choose another --name, or remove it: `docker stop {self.name}`, `docker rm {self.name}`.",
            )
        return found

    def containers(self) -> list[Container]:
        """What stands behind the router, by name."""
        found = self.client.containers.list(all=True, filters={"label": f"{ENDPOINT_LABEL}={self.name}"})
        return sorted((one for one in found if DEPLOYMENT_LABEL in one.labels), key=lambda one: str(one.name))

    def apply(self, plan: LocalPlan, force: bool, tell: Report) -> Container:
        """Run a deployment beside those that there are; with `force` in the place of one. The endpoint's router.

        What it replaces goes on answering until this one is healthy, and ends when it has answered all it was asked.
        The first one of an endpoint gets all requests, the others get none until they are given a share.
        """
        deployment = str(plan.deployment)
        front = self._started(self.router())
        self._finish(front, plan.name, tell)
        made_network = not self._networks()
        if made_network:
            self.client.networks.create(self.name, check_duplicate=True, labels={ENDPOINT_LABEL: self.name})
        old = named(self.client, plan.name)
        container = create(self.client, plan, force, tell)
        try:
            start(container, plan.name, plan.own_port)
            wait_until_healthy(container, plan.name, plan.settings.probes.start, plan.settings.revealed(), tell)
            # Not before: one that fails would be started again and again, and not seen to have ended.
            container.update(restart_policy=router.RESTART)
            host = str(container.short_id)
            if front is None:
                first = Routes(self.name, {}).with_host(deployment, host)
                front = router.make(self.client, first, plan.router_image, plan.port, tell)
            else:
                router.tell_routes(front, router.routes_of(front).with_host(deployment, host))
        except BaseException:
            container.remove(force=True, v=True)
            if front is None and made_network:
                self._remove_network()
            raise
        if old is not None:
            self._retire(front, old, tell)
            container.rename(plan.name)
        front.reload()
        return front

    def traffic(self, weights: Mapping[str, int] | None = None) -> dict[str, int]:
        """Each deployment's share of the requests that name none, in percent; `weights` are the new ones.

        Raises UsageError if they are not 100 together or name a deployment that there is not.
        """
        front = self._front()
        routes = router.routes_of(front)
        if weights is not None:
            routes = routes.with_weights(weights)
            router.tell_routes(front, routes)
        return routes.weights

    def remove(self, container: Container, tell: Report) -> None:
        """Remove a deployment. Raises DockerError if it has a share of the requests."""
        front = self._front()
        deployment = container.labels[DEPLOYMENT_LABEL]
        routes = router.routes_of(front)
        weight = routes.weights.get(deployment, 0)
        if weight:
            raise DockerError(
                f"{container.name} gets {weight} % of the requests to {self.name}.",
                hint=f"Give them to another with `scorewright deploy local traffic {self.name}`, "
                f"or delete {self.name} as a whole.",
            )
        if deployment in routes.routes:
            router.tell_routes(front, routes.without(deployment))
        self._retire(front, container, tell)

    def delete(self) -> None:
        """Remove the router, the deployments, and what was made for them. Run again, it removes what is left."""
        mine: dict[str, str | list[str] | bool] = {"label": f"{ENDPOINT_LABEL}={self.name}"}
        found = self.client.containers.list(all=True, filters=mine)
        # The router first: it lets what it has accepted be answered.
        for container in sorted(found, key=lambda one: DEPLOYMENT_LABEL in one.labels):
            container.stop(timeout=GRACE)
            container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters=mine):
            volume.remove()
        self._remove_network()

    def _front(self) -> Container:
        front = self.router()
        if front is None:
            raise DockerError(
                f"There is no endpoint {self.name}.",
                hint=f"Make it with its first deployment: "
                f"scorewright deploy local IMAGE --name {self.name} --deployment blue",
            )
        return front

    def _started(self, front: Container | None) -> Container | None:
        """None for a router that was made and not started: nothing says what it was to do."""
        if front is not None and front.status == "created":
            front.remove(force=True, v=True)
            return None
        return front

    def _finish(self, front: Container | None, name: str, tell: Report) -> None:
        """What an interrupted `apply` left behind takes its place if requests reach it already; else it goes."""
        hosts = {route.host for route in router.routes_of(front).routes.values()} if front else set()
        for called in (f"{name}.new", name):
            left = named(self.client, called)
            if left is None or left.labels.get(ENDPOINT_LABEL) != self.name:
                continue
            if front is None or left.short_id not in hosts:
                left.remove(force=True, v=True)
            elif called != name:
                if (old := named(self.client, name)) is not None:
                    self._retire(front, old, tell)
                left.rename(name)

    def _retire(self, front: Container, container: Container, tell: Report) -> None:
        router.drain(front, tell)
        container.stop(timeout=GRACE)
        container.remove(force=True, v=True)

    def _remove_network(self) -> None:
        for network in self._networks():
            network.remove()

    def _networks(self) -> list[Network]:
        return self.client.networks.list(filters={"label": f"{ENDPOINT_LABEL}={self.name}"})
