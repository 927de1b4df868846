"""An image as a container group on Azure Container Instances."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scorewright.deploy.aci_plan import OURS, AciPlan, make_plan
from scorewright.deploy.aci_watch import finish, settled, state, trouble, url_of, wait_until_healthy
from scorewright.deploy.arm import Arm, azure_sdk, told
from scorewright.deploy.http import bearer, healthy, score
from scorewright.deploy.settings import PRIMARY
from scorewright.deploy.target import Status, silent
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.deploy.aci_place import AciPlace
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report


@dataclass(frozen=True)
class AciDeployment:
    """A service that was deployed there."""

    name: str
    url: str
    target: Aci
    guarded: bool = False
    """Whether a request must carry a key."""
    keys: tuple[str, ...] = field(default=(), repr=False)
    """The keys, as far as they are known here."""

    @property
    def scoring_uri(self) -> str:
        return f"{self.url}/score"

    def run(self, data: object, *, timeout: float = 60) -> Any:
        """Score: a mapping is the request, anything else its rows. The parsed answer."""
        return score(self.scoring_uri, data, timeout=timeout, headers=bearer(self.get_keys()))

    def get_keys(self) -> tuple[str, ...]:
        """The keys it was deployed with. Raises DeployError for one that was found: Azure gives no secret back."""
        if self.guarded and not self.keys:
            raise DeployError(
                f"The keys of {self.name} are not known here: Azure does not give them back.",
                hint="Whoever deployed it has them. Another deployment with --auth-key replaces them.",
            )
        return self.keys

    def status(self) -> Status:
        return self.target.status(self.name)

    def logs(self, tail: int | None = None) -> str:
        return self.target.logs(self.name, tail)

    def delete(self) -> None:
        self.target.delete(self.name)


@dataclass(frozen=True)
class Aci:
    """A resource group's container instances. Raises DeployError for what Azure refuses."""

    place: AciPlace
    arm: Arm

    def plan(self, settings: DeploySettings) -> AciPlan:
        """Raises UsageError, with the limit named, for what a container group cannot be."""
        return make_plan(settings, self.place)

    def apply(self, plan: AciPlan, report: Report = silent) -> AciDeployment:
        """Put the group and wait until its service is healthy. What is there already is changed to what was planned.

        Raises DeployError with Azure's reason, or with the container's last words. The group stays, to be looked at.
        """
        from azure.mgmt.containerinstance.models import ContainerGroup

        place, wait = plan.place, self.arm.poll_seconds
        with self._client() as client:
            groups = client.container_groups
            before = settled(
                groups,
                place.resource_group,
                plan.name,
                wait=wait,
                timeout=plan.settings.probes.start,
                report=report,
            )
            if before is not None:
                _require_ours(before)
            body = plan.body(plan.secrets.__getitem__)
            if before is not None and _must_be_made_again(before, body):
                doing = f"deleting the {plan.name} of before, whose size or address cannot be changed"
                finish(
                    doing,
                    lambda: groups.begin_delete(place.resource_group, plan.name, polling_interval=wait),
                    wait,
                    report,
                )
            doing = f"{'making' if before is None else 'changing'} {plan.name}"
            group = ContainerGroup.deserialize(body)
            finish(
                doing,
                lambda: groups.begin_create_or_update(place.resource_group, plan.name, group, polling_interval=wait),
                wait,
                report,
            )
            made = wait_until_healthy(client, plan, wait, report)
        keys = tuple(map(plan.secrets.__getitem__, plan.settings.auth_keys))
        return AciDeployment(plan.name, url_of(made), self, bool(keys), keys)

    def get(self, name: str) -> AciDeployment:
        """A handle on what was deployed under `name`."""
        with self._client() as client:
            found = self._find(client, name)
        variables = {one.name for one in found.containers[0].environment_variables or ()}
        return AciDeployment(name, url_of(found), self, PRIMARY in variables)

    def status(self, name: str) -> Status:
        """How a deployment is."""
        with self._client() as client:
            return _status(self._find(client, name))

    def deployments(self) -> list[Status]:
        """All that was deployed into the resource group, by name."""
        with self._client() as client, told("listing the container groups"):
            found = [
                # The list tells nothing of the containers' states.
                client.container_groups.get(self.place.resource_group, one.name)
                for one in client.container_groups.list_by_resource_group(self.place.resource_group)
                if OURS in (one.tags or {})
            ]
        return sorted(map(_status, found), key=lambda one: one.name)

    def logs(self, name: str, tail: int | None = None) -> str:
        """What the service has logged; only the last `tail` lines if given. Azure keeps 4 MB of it."""
        with self._client() as client:
            self._find(client, name)
            with told(f"reading the log of {name}"):
                found = client.containers.list_logs(self.place.resource_group, name, name, tail=tail)
        return found.content or ""

    def delete(self, name: str, report: Report = silent) -> None:
        """Remove the group; it is paid for no longer."""
        with self._client() as client:
            self._find(client, name)
            wait = self.arm.poll_seconds
            finish(
                f"deleting {name}",
                lambda: client.container_groups.begin_delete(self.place.resource_group, name, polling_interval=wait),
                wait,
                report,
            )

    @contextmanager
    def _client(self) -> Iterator[Any]:
        with azure_sdk():
            from azure.mgmt.containerinstance import ContainerInstanceManagementClient
        with ContainerInstanceManagementClient(self.arm.credential, self.place.subscription) as client:
            yield client

    def _find(self, client: Any, name: str) -> Any:
        from azure.core.exceptions import ResourceNotFoundError

        with told(f"looking for {name}"):
            try:
                found = client.container_groups.get(self.place.resource_group, name)
            except ResourceNotFoundError as error:
                if error.error is not None and error.error.code == "ResourceGroupNotFound":
                    raise
                raise DeployError(
                    f"Nothing is deployed as {name} in {self.place.resource_group}.",
                    hint=f"`scorewright deploy aci list --resource-group {self.place.resource_group}` shows what is.",
                ) from None
        _require_ours(found)
        return found


def _require_ours(group: Any) -> None:
    if OURS not in (group.tags or {}):
        raise DeployError(
            f"A container group {group.name} is there that was not deployed by scorewright.",
            hint="Choose another --name.",
        )


def _must_be_made_again(before: Any, body: dict[str, Any]) -> bool:
    """Whether what Azure cannot change of a group is to be another: the sizes, the containers, the address's kind."""
    properties = body["properties"]
    wanted = [(one["name"], one["properties"]["resources"]["requests"]) for one in properties["containers"]]
    sizes = [(name, asked["cpu"], asked["memoryInGB"]) for name, asked in wanted]
    had = [(one.name, one.resources.requests.cpu, one.resources.requests.memory_in_gb) for one in before.containers]
    subnets = [one["id"].lower() for one in properties.get("subnetIds", ())]
    return (
        sizes != had
        or subnets != [one.id.lower() for one in before.subnet_ids or ()]
        or before.ip_address is None
        or before.ip_address.type != properties["ipAddress"]["type"]
        or before.location.lower() != body["location"].lower()
    )


def _status(group: Any) -> Status:
    view = group.containers[0].instance_view
    url = url_of(group)
    public = group.ip_address is not None and group.ip_address.type == "Public"
    running = view is not None and view.current_state is not None and view.current_state.state == "Running"
    return Status(
        name=group.name,
        target="aci",
        image=group.containers[0].image,
        state=f"{group.provisioning_state}, {state(view)}",
        healthy=running and (not public or healthy(url)),
        url=url,
        detail=trouble(view),
    )
