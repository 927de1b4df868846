"""A bundle's batch script behind an Azure ML batch endpoint, by azure-ai-ml."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_batch_plan import AzuremlBatchPlan, check_batch_fits
from scorewright.deploy.azureml_model import register_model
from scorewright.deploy.azureml_plan import MARK
from scorewright.deploy.azureml_waiting import Waiting, settled, state_of, wait_for
from scorewright.deploy.azureml_words import absent, told_by_ml
from scorewright.deploy.target import Status, silent
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.target import Report


@dataclass(frozen=True)
class AzuremlBatch:
    """Batch endpoints in a workspace. Raises DeployError for what Azure refuses."""

    workspace: AzuremlWorkspace
    waiting: Waiting = Waiting()  # noqa: RUF009  # it is frozen
    credential: Any = field(default=None, repr=False)
    """An azure-core TokenCredential; as the shell is logged in, unless given."""

    def apply(self, plan: AzuremlBatchPlan, report: Report = silent) -> Status:
        """Send what was planned. What is there already stays or is brought to what was planned. How it is then.

        A cluster that is there keeps its machines' size, which Azure cannot change; one that is not ours keeps all of
        it. Raises UsageError for a plan that
        does not fit.
        """
        from azure.ai.ml import load_batch_endpoint, load_environment

        check_batch_fits(plan)
        with self.workspace.client(self.credential) as client, tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            plan.write(folder)
            report(f"registering the environment {':'.join(plan.environment)}")
            with told_by_ml("environment"):
                client.environments.create_or_update(load_environment(folder / "environment.yml"))
            register_model(client, plan.bundle, folder, report)
            self._cluster(client, folder, report)
            endpoint = self._settled(lambda: client.batch_endpoints.get(plan.name), f"endpoint {plan.name}", report)
            if endpoint is not None and MARK not in (endpoint.tags or {}):
                raise DeployError(
                    f"The workspace has a batch endpoint {plan.name} that was not deployed by scorewright.",
                    hint="Choose another --name.",
                )
            if endpoint is None or state_of(endpoint) != "Succeeded":
                wanted = load_batch_endpoint(folder / "endpoint.yml")
                self._send(
                    lambda: client.batch_endpoints.begin_create_or_update(wanted), f"endpoint {plan.name}", report
                )
            label = f"{plan.name}/{plan.slot}"
            self._settled(lambda: client.batch_deployments.get(plan.slot, plan.name), label, report)
            deployment = _deployment(plan, folder)
            self._send(lambda: client.batch_deployments.begin_create_or_update(deployment), label, report)
            self._make_default(client, plan, report)
            return _status(client, client.batch_endpoints.get(plan.name))

    def status(self, name: str) -> Status:
        """How the endpoint and its deployments are."""
        with self.workspace.client(self.credential) as client:
            return _status(client, self._named(client, name))

    def deployments(self) -> list[Status]:
        """All batch endpoints that were deployed here, by name."""
        with self.workspace.client(self.credential) as client, told_by_ml("batch endpoints"):
            ours = [one for one in client.batch_endpoints.list() if MARK in (one.tags or {})]
            return [_status(client, one) for one in sorted(ours, key=lambda one: str(one.name))]

    def delete(self, name: str, report: Report = silent) -> None:
        """Remove the endpoint with its deployments. The cluster stays: others may use it."""
        with self.workspace.client(self.credential) as client:
            self._named(client, name)
            self._send(lambda: client.batch_endpoints.begin_delete(name), f"deleting {name}", report)

    def _cluster(self, client: Any, folder: Path, report: Report) -> None:
        from azure.ai.ml import load_compute

        wanted = load_compute(folder / "compute.yml")
        label = f"cluster {wanted.name}"
        known = self._settled(lambda: client.compute.get(wanted.name), label, report)
        if known is not None and (known.type, str(known.size).lower()) != (wanted.type, wanted.size.lower()):
            raise DeployError(
                f"The workspace has a compute {known.name} already: {known.type} of {known.size}.",
                hint="Take it with --size, or choose another with --compute.",
            )
        if known is not None and MARK not in (known.tags or {}):
            report(f"taking the {label} as it is: it was not made by scorewright")
            return
        self._send(lambda: client.compute.begin_create_or_update(wanted), label, report)

    def _make_default(self, client: Any, plan: AzuremlBatchPlan, report: Report) -> None:
        with told_by_ml(f"endpoint {plan.name}"):
            endpoint = client.batch_endpoints.get(plan.name)
        if getattr(endpoint.defaults, "deployment_name", None) != plan.slot:
            endpoint.defaults = {"deployment_name": plan.slot}
            self._send(
                lambda: client.batch_endpoints.begin_create_or_update(endpoint),
                f"jobs go to {plan.name}/{plan.slot}",
                report,
            )

    def _send(self, begin: Callable[[], Any], label: str, report: Report) -> None:
        with told_by_ml(label):
            wait_for(begin(), label, self.waiting, report)

    def _settled(self, ask: Callable[[], Any], label: str, report: Report) -> Any:
        return settled(ask, label, self.waiting, report) if absent(ask, label) is not None else None

    def _named(self, client: Any, name: str) -> Any:
        found = absent(lambda: client.batch_endpoints.get(name), f"endpoint {name}")
        if found is None or MARK not in (found.tags or {}):
            raise DeployError(
                f"There is no batch endpoint {name} of ours in the workspace {self.workspace.name}.",
                hint="`scorewright deploy azureml batch list` shows what is.",
            )
        return found


def _deployment(plan: AzuremlBatchPlan, folder: Path) -> Any:
    """deployment.yml as the SDK has it, whose own loader of this schema is not public."""
    from azure.ai.ml.entities import (
        BatchRetrySettings,
        CodeConfiguration,
        ModelBatchDeployment,
        ModelBatchDeploymentSettings,
        ResourceConfiguration,
    )

    sent = dict(plan.documents.files["deployment.yml"])
    settings = {**plan.settings, "retry_settings": BatchRetrySettings(**plan.settings["retry_settings"])}
    code = sent["code_configuration"]
    return ModelBatchDeployment(
        name=plan.slot,
        endpoint_name=plan.name,
        model=sent["model"].removeprefix("azureml:"),
        environment=sent["environment"].removeprefix("azureml:"),
        compute=plan.cluster.name,
        code_configuration=CodeConfiguration(code=str(folder / code["code"]), scoring_script=code["scoring_script"]),
        resources=ResourceConfiguration(**sent["resources"]),
        settings=ModelBatchDeploymentSettings(**settings),
        tags=sent["tags"],
    )


def _status(client: Any, endpoint: Any) -> Status:
    with told_by_ml(f"deployments of {endpoint.name}"):
        behind = sorted(client.batch_deployments.list(endpoint.name), key=lambda one: str(one.name))
    default = getattr(endpoint.defaults, "deployment_name", None)
    ill = [f"{one.name} is {state_of(one)}" for one in behind if state_of(one) != "Succeeded"]
    if default not in [one.name for one in behind]:
        ill.append("no deployment is given the jobs")
    return Status(
        name=str(endpoint.name),
        target="azureml batch",
        image=", ".join(str(one.environment).rsplit("/environments/", 1)[-1] for one in behind),
        state="; ".join(f"{one.name}{' (default)' * (one.name == default)} {state_of(one)}" for one in behind),
        healthy=state_of(endpoint) == "Succeeded" and not ill,
        url=str(endpoint.scoring_uri or ""),
        detail="; ".join(ill),
    )
