"""The commands of `scorewright deploy azureml`."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scorewright.cli_deploy_azureml_batch import batch
from scorewright.cli_deploy_azureml_workspace import ResourceGroup, Subscription, WorkspaceName  # noqa: TC001  # as above
from scorewright.cli_deploy_output import (
    ApplyByDefault,
    AsJson,
    BundleFolder,
    Name,
    Out,
    PlanOnly,
    Tail,
    Unchecked,
    reporting,
    show,
    show_deleted,
    show_deployed,
    show_keys,
    show_list,
    show_logs,
    show_status,
    shown_only,
)
from scorewright.cli_deploy_settings import takes_settings

if TYPE_CHECKING:
    from scorewright.deploy.azureml_target import Azureml
    from scorewright.deploy.settings import DeploySettings

azureml = typer.Typer(
    help="Azure ML endpoints, by SDK v2. `scorewright deploy azureml IMAGE` is short for `... azureml apply IMAGE`.",
    cls=ApplyByDefault,
    no_args_is_help=True,
)
azureml.add_typer(batch, name="batch")

Slot = Annotated[str, typer.Option(help="Which of the endpoint's deployments is meant, like blue or green.")]


@azureml.command("apply")
@takes_settings
def apply(
    settings: DeploySettings,
    slot: Slot = "blue",
    instance_type: Annotated[str, typer.Option(help="The machine of a managed endpoint.")] = "Standard_DS3_v2",
    kubernetes: Annotated[
        str | None, typer.Option(help="Run on this Kubernetes cluster, by its name in the workspace, instead.")
    ] = None,
    auth_mode: Annotated[
        Literal["key", "aml_token", "aad_token"], typer.Option(help="What a request must carry.")
    ] = "key",
    identity: Annotated[
        str | None, typer.Option(help="The resource id of a user-assigned identity that may pull the image.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Reached from the workspace's network alone.")] = False,
    bundle: BundleFolder = None,
    with_model: Annotated[
        bool, typer.Option("--with-model", help="Register the bundle's model, and mount it in place of the image's.")
    ] = False,
    unchecked: Unchecked = False,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    plan_only: PlanOnly = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Run an image behind an online endpoint until it answers, and say how to reach it."""
    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_plan import Kubernetes, Managed
    from scorewright.deploy.azureml_target import Azureml
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.sample import curl_file_line
    from scorewright.errors import UsageError
    from scorewright.image_preparation import prepare

    if with_model and bundle is None:
        raise UsageError("--with-model: which model?", hint="Name the bundle with --bundle.")
    target = Azureml(
        AzuremlWorkspace.find(subscription, resource_group, workspace),
        Kubernetes(kubernetes) if kubernetes else Managed(instance_type),
        slot,
        auth_mode,
        identity,
        private,
        Bundle.load(bundle) if bundle is not None and with_model else None,
    )
    todo = target.plan(settings)
    if shown_only(todo, plan_only=plan_only, out=out, as_json=as_json):
        return
    with reporting() as report:
        held = prepare(settings, bundle, unchecked=unchecked, report=report)
        deployed = target.apply(target.plan(held), report)
    keys = target.workspace.command("azureml", "keys", settings.name)
    show_deployed(deployed, curl_file_line(bundle, deployed.scoring_uri, keys), as_json=as_json)


@azureml.command("traffic")
def traffic(
    name: Name,
    shares: Annotated[
        list[str] | None,
        typer.Argument(help="Each deployment's share: blue=90 green=10. None: show them.", show_default=False),
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(help="DEPLOYMENT=PERCENT: copies of so many requests go there, unanswered.")
    ] = None,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """Divide an endpoint's requests among its deployments."""
    from scorewright.deploy.azureml_traffic import Traffic

    wanted = Traffic.parse(shares or [], mirror) if shares or mirror else None
    with reporting() as report:
        found = _target(subscription, resource_group, workspace).divide(name, wanted, report)
    said = [f"{one} {percent} %" for one, percent in found.shares.items()]
    said += [f"copies of {percent} % to {one}" for one, percent in found.mirror.items()]
    show({"shares": {**found.shares}, "mirror": {**found.mirror}} if as_json else f"{name}: {', '.join(said)}")


@azureml.command("status")
def status(
    name: Name,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """Whether an endpoint and its deployments are healthy, and how its requests are divided."""
    show_status(_target(subscription, resource_group, workspace).status(name), as_json=as_json)


@azureml.command("list")
def deployments(
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """All endpoints that were deployed from here."""
    show_list(_target(subscription, resource_group, workspace).deployments(), as_json=as_json)


@azureml.command("logs")
def logs(
    name: Name,
    slot: Slot = "blue",
    tail: Tail = None,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """What the containers of a deployment have logged."""
    show_logs(name, _target(subscription, resource_group, workspace, slot).logs(name, tail), as_json=as_json)


@azureml.command("keys")
def keys(
    name: Name,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """The keys of an endpoint, the primary first: whoever has one may score."""
    show_keys(name, _target(subscription, resource_group, workspace).keys(name), as_json=as_json)


@azureml.command("run")
def run(
    name: Name,
    request: Annotated[Path, typer.Argument(help="A file with the request, such as the bundle's sample_request.json.")],
    slot: Annotated[str | None, typer.Option(help="Ask this deployment, whatever the traffic is.")] = None,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
) -> None:
    """Score one request with the endpoint's key, and print the answer."""
    found = _target(subscription, resource_group, workspace).get(name)
    show(json.dumps(found.run(request.read_bytes(), slot=slot)))


@azureml.command("delete")
def delete(
    name: Name,
    slot: Annotated[
        str | None, typer.Option(help="Remove this deployment alone, not the endpoint.", show_default=False)
    ] = None,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """Remove an endpoint with its deployments. What was registered stays, and costs next to nothing."""
    target = _target(subscription, resource_group, workspace, slot or "blue")
    with reporting() as report:
        if slot:
            target.delete_slot(name, report)
        else:
            target.delete(name, report)
    show_deleted(name, slot, as_json=as_json)


def _target(subscription: str | None, resource_group: str | None, workspace: str | None, slot: str = "blue") -> Azureml:
    from scorewright.deploy.azureml_target import Azureml
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

    return Azureml(AzuremlWorkspace.find(subscription, resource_group, workspace), slot=slot)
