"""Our image behind an Azure ML online endpoint, on Azure's machines or on a cluster of yours, by azure-ai-ml."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_limits import check_fits
from scorewright.deploy.azureml_model import register_model
from scorewright.deploy.azureml_plan import MARK, AzuremlPlan, Kubernetes, Managed
from scorewright.deploy.azureml_traffic import Traffic
from scorewright.deploy.azureml_waiting import Waiting, settled, state_of, wait_for
from scorewright.deploy.azureml_words import absent, deployment_failed, told_by_ml
from scorewright.deploy.http import score
from scorewright.deploy.target import Status, silent
from scorewright.errors import DeployError, UsageError

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report

LOG_LINES = 2000
"""As many as Azure ML keeps at hand."""


@dataclass(frozen=True)
class AzuremlDeployment:
    """A handle on an endpoint and the deployments behind it."""

    target: Azureml
    name: str
    scoring_uri: str

    def run(self, data: object, *, timeout: float = 60, slot: str | None = None) -> Any:
        """Score with the primary key; `slot` asks one deployment, whatever the traffic is. The parsed answer."""
        headers = {"Authorization": f"Bearer {self.get_keys()[0]}"}
        if slot:
            headers["azureml-model-deployment"] = slot
        return score(self.scoring_uri, data, timeout=timeout, headers=headers)

    def get_keys(self) -> tuple[str, ...]:
        """Primary and secondary key; a token if the endpoint takes those."""
        return self.target.keys(self.name)

    def status(self) -> Status:
        return self.target.status(self.name)

    def logs(self, tail: int | None = None) -> str:
        return self.target.logs(self.name, tail)

    def delete(self) -> None:
        self.target.delete(self.name)


@dataclass(frozen=True)
class Azureml:
    """Online endpoints in a workspace. Raises DeployError for what Azure refuses."""

    workspace: AzuremlWorkspace
    kind: Managed | Kubernetes = Managed()  # noqa: RUF009  # it is frozen
    slot: str = "blue"
    """Which of an endpoint's deployments is meant."""
    auth_mode: str = "key"
    """How who asks the endpoint is known: key, aml_token or aad_token. Without any there is no endpoint."""
    identity: str | None = None
    """The resource id of a user-assigned identity that may pull the image."""
    private: bool = False
    """Whether the endpoint is reached from the workspace's network alone."""
    model: Bundle | None = None
    """Whose model is registered, and mounted in place of the image's own."""
    waiting: Waiting = Waiting()  # noqa: RUF009  # it is frozen
    credential: Any = field(default=None, repr=False)
    """An azure-core TokenCredential; as the shell is logged in, unless given."""

    def plan(self, settings: DeploySettings) -> AzuremlPlan:
        """Raises UsageError with the limit named where the settings do not fit."""
        check_fits(settings, self.kind, self.slot)
        if self.private and isinstance(self.kind, Kubernetes):
            raise UsageError(
                "--private: on Kubernetes it is the cluster that decides who reaches an endpoint.",
                hint="Leave it away, or deploy to a managed endpoint.",
            )
        return AzuremlPlan(
            settings, self.workspace, self.kind, self.slot, self.auth_mode, self.identity, self.private, self.model
        )

    def apply(self, plan: AzuremlPlan, report: Report = silent) -> AzuremlDeployment:
        """Send what was planned and wait until it answers. Raises DeployError with the container's last lines if not.

        What is there already stays or is brought to what was planned; who was interrupted applies again. A new
        endpoint gets all its requests sent to the deployment, another's traffic stays as it is.
        """
        with self._client() as client, tempfile.TemporaryDirectory() as folder:
            plan.write(Path(folder))
            self._assets(client, plan, Path(folder), report)
            self._endpoint(client, plan, Path(folder), report)
            self._deployment(client, plan, Path(folder), report)
            endpoint = self._endpoint_named(client, plan.name)
            if not any((endpoint.traffic or {}).values()):
                endpoint.traffic = {plan.slot: 100}
                with told_by_ml(f"traffic of {plan.name}"):
                    poller = client.online_endpoints.begin_create_or_update(endpoint)
                    wait_for(poller, f"all requests go to {plan.slot}", self.waiting, report)
            return AzuremlDeployment(self, plan.name, str(endpoint.scoring_uri))

    def divide(self, name: str, traffic: Traffic | None = None, report: Report = silent) -> Traffic:
        """How the endpoint's requests are divided; `traffic` is how from now on, what it says no shares of stays.

        Raises UsageError for a deployment that is not there, and for what Azure ML does not take.
        """
        if traffic is not None:
            traffic.check()
        with self._client() as client:
            endpoint = self._endpoint_named(client, name)
            if traffic is None:
                return Traffic(dict(endpoint.traffic or {}), dict(endpoint.mirror_traffic or {}))
            with told_by_ml(f"deployments of {name}"):
                traffic.check_known(name, [str(one.name) for one in client.online_deployments.list(name)])
            if traffic.mirror and "compute" in vars(endpoint):
                raise UsageError(
                    f"{name} is on Kubernetes, where Azure ML copies no requests.",
                    hint="Give the new deployment a small share instead: blue=95 green=5",
                )
            endpoint.traffic = dict(traffic.shares or endpoint.traffic or {})
            endpoint.mirror_traffic = dict(traffic.mirror)
            with told_by_ml(f"traffic of {name}"):
                wait_for(
                    client.online_endpoints.begin_create_or_update(endpoint),
                    f"dividing the requests of {name}",
                    self.waiting,
                    report,
                )
            return Traffic(endpoint.traffic, endpoint.mirror_traffic)

    def get(self, name: str) -> AzuremlDeployment:
        """A handle on the endpoint `name`."""
        with self._client() as client:
            return AzuremlDeployment(self, name, str(self._endpoint_named(client, name).scoring_uri))

    def status(self, name: str) -> Status:
        """How the endpoint and its deployments are."""
        with self._client() as client:
            return _status(client, self._endpoint_named(client, name))

    def logs(self, name: str, tail: int | None = None) -> str:
        """What the containers of the deployment `slot` have logged; only the last `tail` lines if given."""
        with self._client() as client, told_by_ml(f"logs of {name}/{self.slot}"):
            return str(client.online_deployments.get_logs(self.slot, name, lines=tail or LOG_LINES))

    def keys(self, name: str) -> tuple[str, ...]:
        """What a request to the endpoint must carry one of."""
        with self._client() as client, told_by_ml(f"keys of {name}"):
            found = client.online_endpoints.get_keys(name)
        known = (getattr(found, word, None) for word in ("primary_key", "secondary_key", "access_token"))
        return tuple(str(one) for one in known if one)

    def delete(self, name: str, report: Report = silent) -> None:
        """Remove the endpoint with all its deployments; what it was given to run stays registered."""
        with self._client() as client:
            self._endpoint_named(client, name)
            with told_by_ml(f"deleting {name}"):
                wait_for(client.online_endpoints.begin_delete(name), f"deleting {name}", self.waiting, report)

    def delete_slot(self, name: str, report: Report = silent) -> None:
        """Remove the deployment `slot` alone. Raises DeployError while requests are sent to it."""
        with self._client() as client:
            endpoint = self._endpoint_named(client, name)
            if share := (endpoint.traffic or {}).get(self.slot):
                raise DeployError(
                    f"{self.slot} answers {share} % of the requests to {name}.",
                    hint=f"Send them elsewhere first: scorewright deploy azureml traffic {name} OTHER=100",
                )
            with told_by_ml(f"deleting {name}/{self.slot}"):
                poller = client.online_deployments.begin_delete(self.slot, name)
                wait_for(poller, f"deleting {name}/{self.slot}", self.waiting, report)

    def deployments(self) -> list[Status]:
        """All endpoints that were deployed here, by name."""
        with self._client() as client, told_by_ml("endpoints"):
            ours = [one for one in client.online_endpoints.list() if MARK in (one.tags or {})]
            return [_status(client, one) for one in sorted(ours, key=lambda one: str(one.name))]

    def _client(self) -> Any:
        return self.workspace.client(self.credential)

    def _assets(self, client: Any, plan: AzuremlPlan, folder: Path, report: Report) -> None:
        from azure.ai.ml import load_environment

        report(f"registering the environment {':'.join(plan.environment)}")
        with told_by_ml("environment"):
            client.environments.create_or_update(load_environment(folder / "environment.yml"))
        if plan.model is not None:
            register_model(client, plan.model, folder, report)

    def _endpoint(self, client: Any, plan: AzuremlPlan, folder: Path, report: Report) -> None:
        from azure.ai.ml import load_online_endpoint

        wanted = load_online_endpoint(folder / "endpoint.yml")
        known = absent(lambda: client.online_endpoints.get(plan.name), f"endpoint {plan.name}")
        if known is not None:
            _refuse_foreign(known, wanted)
            _refuse_another_identity(known, plan.identity)
            known = settled(lambda: client.online_endpoints.get(plan.name), plan.name, self.waiting, report)
            if state_of(known) == "Succeeded":
                if not plan.private and _private(known):
                    report(f"{plan.name} stays reached from the workspace's network alone")
                if not plan.private or _private(known):
                    return
                # What is there keeps its traffic.
                known.public_network_access = wanted.public_network_access
                wanted = known
        with told_by_ml(f"endpoint {plan.name}"):
            poller = client.online_endpoints.begin_create_or_update(wanted)
            wait_for(poller, f"making the endpoint {plan.name}", self.waiting, report)

    def _deployment(self, client: Any, plan: AzuremlPlan, folder: Path, report: Report) -> None:
        from azure.ai.ml import load_online_deployment

        label = f"{plan.name}/{plan.slot}"
        ask = lambda: client.online_deployments.get(plan.slot, plan.name)  # noqa: E731
        if absent(ask, label) is not None:
            settled(ask, label, self.waiting, report)
        wanted = load_online_deployment(folder / "deployment.yml")
        with told_by_ml(f"deployment {label}"):
            poller = client.online_deployments.begin_create_or_update(wanted)
        try:
            with told_by_ml(f"deployment {label}"):
                wait_for(poller, f"deploying {label}", self.waiting, report)
        except DeployError as error:
            raise deployment_failed(client, plan.name, plan.slot, error) from None

    def _endpoint_named(self, client: Any, name: str) -> Any:
        found = absent(lambda: client.online_endpoints.get(name), f"endpoint {name}")
        if found is None or MARK not in (found.tags or {}):
            raise DeployError(
                f"Nothing is deployed as {name} in the workspace {self.workspace.name}.",
                hint="`scorewright deploy azureml list` shows what is.",
            )
        return found


def _private(endpoint: Any) -> bool:
    return str(getattr(endpoint, "public_network_access", None)).lower() == "disabled"


def _refuse_foreign(known: Any, wanted: Any) -> None:
    if MARK not in (known.tags or {}):
        raise DeployError(
            f"The workspace has an endpoint {known.name} that was not deployed by scorewright.",
            hint="Choose another --name.",
        )
    if type(known) is not type(wanted) or known.auth_mode != wanted.auth_mode:
        raise DeployError(
            f"The endpoint {known.name} is there as {type(known).__name__} with {known.auth_mode} authentication, "
            "and Azure ML cannot make another of it.",
            hint=f"Choose another --name, or delete it first: scorewright deploy azureml delete {known.name}",
        )


def _refuse_another_identity(known: Any, wanted: str | None) -> None:
    """An endpoint is made with its identity. Who names none leaves it as it is."""
    given = getattr(getattr(known, "identity", None), "user_assigned_identities", None) or []
    has = [str(one.resource_id) for one in given]
    if wanted is not None and wanted.lower() not in map(str.lower, has):
        raise DeployError(
            f"The endpoint {known.name} is there with {', '.join(has) or 'an identity of its own'}, "
            "and Azure ML cannot give it another.",
            hint="Leave --identity away, choose another --name, "
            f"or delete it first: scorewright deploy azureml delete {known.name}",
        )


def _status(client: Any, endpoint: Any) -> Status:
    with told_by_ml(f"deployments of {endpoint.name}"):
        behind = sorted(client.online_deployments.list(endpoint.name), key=lambda one: str(one.name))
    traffic = endpoint.traffic or {}
    answering = [one for one in behind if traffic.get(one.name)]
    states = [f"{one.name} {traffic.get(one.name, 0)} % {state_of(one)}" for one in behind]
    states += [f"{name} is sent copies of {percent} %" for name, percent in (endpoint.mirror_traffic or {}).items()]
    ill = [f"{one.name} is {state_of(one)}" for one in behind if state_of(one) != "Succeeded"]
    if not answering:
        ill.append("no deployment is sent requests")
    return Status(
        name=str(endpoint.name),
        target="azureml",
        image=", ".join(_image(client, one) for one in answering),
        state="; ".join(states) or state_of(endpoint),
        healthy=state_of(endpoint) == "Succeeded" and not ill,
        url=str(endpoint.scoring_uri or ""),
        detail="; ".join(ill),
    )


def _image(client: Any, deployment: Any) -> str:
    parts = str(deployment.environment).split("/")
    if "environments" not in parts or "versions" not in parts:
        return str(deployment.environment)
    name, version = (parts[parts.index(word) + 1] for word in ("environments", "versions"))
    found = absent(lambda: client.environments.get(name, version), f"environment {name}:{version}")
    return str(found.image) if found is not None else f"{name}:{version}"
