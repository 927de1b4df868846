"""A bundle's score.py as a web service of Azure ML's SDK v1, whose support has ended, by azureml-core."""

from __future__ import annotations

import contextlib
import inspect
import io
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_model import metric_properties
from scorewright.deploy.azureml_v1_assets import registered_environment, registered_model
from scorewright.deploy.azureml_v1_limits import check_v1_fits, require_v1_sendable
from scorewright.deploy.azureml_v1_objects import deployment_config, inference_config, told_by_v1
from scorewright.deploy.azureml_v1_plan import (
    MARK,
    NOTICE,
    AzuremlV1Plan,
    OnAksEndpoint,
    model_arguments,
)
from scorewright.deploy.azureml_v1_versions import described, put_version, remove_version, versions_of
from scorewright.deploy.http import score
from scorewright.deploy.settings import without_secrets
from scorewright.deploy.target import Status, silent
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_v1_plan import Place
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.settings import DeploySettings
    from scorewright.deploy.target import Report

LAST_LINES = 25
"""Of the log of a service that failed."""


@dataclass(frozen=True)
class AzuremlV1Deployment:
    """A handle on a web service."""

    target: AzuremlV1
    name: str
    scoring_uri: str

    def run(self, data: object, *, timeout: float = 60) -> Any:
        """Score, with the primary key if the service has keys. The parsed answer."""
        keys = self.get_keys()
        headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}
        return score(self.scoring_uri, data, timeout=timeout, headers=headers)

    def get_keys(self) -> tuple[str, ...]:
        """Primary and secondary key; none where none is asked for."""
        return self.target.keys(self.name)

    def status(self) -> Status:
        return self.target.status(self.name)

    def logs(self, tail: int | None = None) -> str:
        return self.target.logs(self.name, tail)

    def delete(self) -> None:
        self.target.delete(self.name)


@dataclass(frozen=True)
class AzuremlV1:
    """Web services in a workspace. Raises DeployError for what the SDK or Azure refuses."""

    workspace: AzuremlWorkspace
    insecure: bool = False
    """Whether a public service that anyone may ask is meant."""
    wait: int = 1800
    """Seconds that Azure may take to build the image and start it."""
    credential: Any = field(default=None, repr=False)
    """An azure-core TokenCredential; as the shell is logged in, unless given."""

    def plan(self, settings: DeploySettings, bundle: Bundle, place: Place, environment: str) -> AzuremlV1Plan:
        """Raises UsageError with the limit named where the settings do not fit."""
        made = AzuremlV1Plan(settings, self.workspace, bundle, place, environment)
        check_v1_fits(made)
        return made

    def require_sendable(self, plan: AzuremlV1Plan) -> None:
        """Raises UsageError for a plan that is never sent: one for this machine, or open to all without `insecure`."""
        require_v1_sendable(plan, insecure=self.insecure)

    def register(
        self, bundle: Bundle, tags: Mapping[str, str], metrics: Mapping[str, float], report: Report = silent
    ) -> tuple[str, bool]:
        """Register a bundle's model; the version that v1 gives it, and whether it was not there before."""
        report(NOTICE)
        given = model_arguments(bundle, tags, metric_properties(metrics))
        with self._connected() as ws:
            model, new = registered_model(ws, bundle, given, report)
            return str(model.version), new

    def make_workspace(self, location: str, folder: Path) -> Path:
        """Make the workspace unless it is there, and write its config.json into `folder`; that file.

        Its storage account, key vault and Application Insights are made with it; the resource group must be there.
        """
        with told_by_v1(f"workspace {self.workspace.name}"), contextlib.redirect_stdout(io.StringIO()):
            from azureml.core import Workspace

            made = Workspace.create(
                self.workspace.name,
                auth=self._auth(),
                subscription_id=self.workspace.subscription,
                resource_group=self.workspace.resource_group,
                location=location,
                create_resource_group=False,
                exist_ok=True,
                show_output=False,
            )
            made.write_config(path=str(folder), file_name="config.json")
        # It puts the file where it looks for it first.
        return folder / ".azureml" / "config.json"

    def apply(self, plan: AzuremlV1Plan, report: Report = silent) -> AzuremlV1Deployment:
        """Register what is new, deploy or update, and wait.

        Applied again it converges: a bundle's model is registered once, a service that is there is updated.

        Raises UsageError for what is never sent (`require_sendable`), DeployError with the log's end if it fails.
        """
        self.require_sendable(plan)
        report(NOTICE)
        with self._connected() as ws, tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            plan.write(folder)
            model, _ = registered_model(ws, plan.bundle, plan.model, report)
            inference = inference_config(plan, registered_environment(ws, plan, report), folder)
            service = self._send(ws, plan, model, inference, report)
            report(f"waiting for {plan.name}")
            with told_by_v1(f"deploying {plan.name}"):
                # Of a failure it prints what it knows, and says the same again in what it raises.
                with contextlib.suppress(_failure()):
                    service.wait_for_deployment(show_output=False, timeout_sec=self.wait)
                state = str(service.state)
            if state != "Healthy":
                raise self._failed(service, plan, state)
            return AzuremlV1Deployment(self, plan.name, str(service.scoring_uri))

    def get(self, name: str) -> AzuremlV1Deployment:
        """A handle on the service `name`."""
        with self._connected() as ws:
            return AzuremlV1Deployment(self, name, str(_named(ws, name).scoring_uri))

    def status(self, name: str) -> Status:
        """How the service is."""
        with self._connected() as ws:
            return _status(_named(ws, name))

    def logs(self, name: str, tail: int | None = None) -> str:
        """What the service has logged; only the last `tail` lines if given."""
        with self._connected() as ws, told_by_v1(f"logs of {name}"):
            said = str(_named(ws, name).get_logs(num_lines=tail or 5000))
        return "".join(said.splitlines(keepends=True)[-(tail or 0) :])

    def keys(self, name: str) -> tuple[str, ...]:
        """The service's keys; none where none is asked for."""
        with self._connected() as ws, told_by_v1(f"keys of {name}"):
            service = _named(ws, name)
            return tuple(service.get_keys()) if service.auth_enabled else ()

    def delete(self, name: str) -> None:
        """Remove the service; what was registered stays."""
        with self._connected() as ws, told_by_v1(f"deleting {name}"):
            _named(ws, name).delete()

    def delete_version(self, name: str, version: str) -> None:
        """Remove one version of an AKS endpoint. Raises DeployError while requests are sent to it."""
        with self._connected() as ws:
            remove_version(_named(ws, name), version, self.wait)

    def deployments(self) -> list[Status]:
        """All services that were deployed here, by name."""
        with self._connected() as ws, told_by_v1("services"):
            from azureml.core import Webservice

            ours = [one for one in Webservice.list(ws) if MARK in (one.tags or {})]
            return [_status(one) for one in sorted(ours, key=lambda one: str(one.name))]

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        """An azureml.core.Workspace; in the body, what the SDK prints is not seen."""
        with told_by_v1(f"workspace {self.workspace.name}"):
            from azureml.core import Workspace

            with contextlib.redirect_stdout(io.StringIO()):
                found = Workspace.get(
                    self.workspace.name,
                    auth=self._auth(),
                    subscription_id=self.workspace.subscription,
                    resource_group=self.workspace.resource_group,
                )
        with contextlib.redirect_stdout(io.StringIO()):
            yield found

    def _auth(self) -> Any:
        from azureml.core.authentication import TokenAuthentication

        credential = self.credential or _login()
        return TokenAuthentication(lambda audience: credential.get_token(f"{audience.rstrip('/')}/.default").token)

    def _failed(self, service: Any, plan: AzuremlV1Plan, state: str) -> DeployError:
        if state in ("Transitioning", "Unschedulable"):
            return DeployError(
                f"{plan.name} is {state} after {self.wait} s, and Azure goes on by itself.",
                hint="Run the same command again to wait on; `scorewright deploy azureml-v1 logs` shows what it says.",
            )
        with told_by_v1(f"logs of {plan.name}"):
            lines = str(service.get_logs(num_lines=LAST_LINES) or "").strip().splitlines()[-LAST_LINES:]
        why = (getattr(service, "error", None) or {}).get("message", "").rstrip(".")
        said = "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"
        text = f"{plan.name} is {state}{f': {why}' if why else ''}. Its last lines:\n{said}"
        return DeployError(
            without_secrets(text, plan.settings.revealed()), hint="`scorewright check BUNDLE` tries the script here."
        )

    def _send(self, ws: Any, plan: AzuremlV1Plan, model: Any, inference: Any, report: Report) -> Any:
        from azureml.core import Model

        known = _find(ws, plan.name)
        if known is not None and MARK not in (known.tags or {}):
            raise DeployError(
                f"The workspace has a service {plan.name} that was not deployed by scorewright.",
                hint="Choose another --name.",
            )
        with told_by_v1(f"deploying {plan.name}"):
            if known is not None and isinstance(plan.place, OnAksEndpoint):
                return put_version(known, plan, plan.place, model, inference, wait=self.wait, report=report)
            if known is not None:
                return _changed(known, plan, model, inference, report)
            report(f"deploying {plan.name}")
            return Model.deploy(ws, plan.name, [model], inference, deployment_config(plan))


def _changed(service: Any, plan: AzuremlV1Plan, model: Any, inference: Any, report: Report) -> Any:
    """A service that is there, brought to what was planned as far as v1 can change one."""
    _, given = plan.deployment
    takes = {*inspect.signature(service.update).parameters}
    left = sorted({*given} - takes - {"compute_target_name", "namespace"})
    report(f"updating {plan.name}; v1 cannot set its {', '.join(left)}" if left else f"updating {plan.name}")
    service.update(models=[model], inference_config=inference, **{key: given[key] for key in given if key in takes})
    return service


def _find(ws: Any, name: str) -> Any:
    """The service; None if there is none."""
    with told_by_v1(f"service {name}"):
        from azureml.core import Webservice

        return next((one for one in Webservice.list(ws) if one.name == name), None)


def _named(ws: Any, name: str) -> Any:
    found = _find(ws, name)
    if found is None or MARK not in (found.tags or {}):
        raise DeployError(
            f"Nothing is deployed as {name} in the workspace {ws.name} by SDK v1.",
            hint="`scorewright deploy azureml-v1 list` shows what is.",
        )
    return found


def _status(service: Any) -> Status:
    error = getattr(service, "error", None) or {}
    return Status(
        name=str(service.name),
        target="azureml-v1",
        image=str(getattr(service, "image_id", None) or ""),
        state="; ".join([str(service.state), *(described(name, one) for name, one in versions_of(service).items())]),
        healthy=service.state == "Healthy",
        url=str(service.scoring_uri or ""),
        detail=str(error.get("message", "")),
    )


def _failure() -> type[Exception]:
    from azureml.exceptions import WebserviceException

    return WebserviceException  # type: ignore[no-any-return]  # it has no types


def _login() -> Any:
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        raise DeployError(
            f"azure-identity cannot be imported: {error}.", hint="pip install 'scorewright[azureml-v1]'"
        ) from None
    return DefaultAzureCredential()
