"""The commands of `scorewright deploy azureml-v1`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from scorewright.cli_bundle import bundle_option
from scorewright.cli_deploy_azureml_workspace import ResourceGroup, Subscription, WorkspaceName  # noqa: TC001  # as above
from scorewright.cli_deploy_output import (
    ApplyByDefault,
    AsJson,
    Insecure,
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
    from scorewright.deploy.azureml_v1_plan import Place
    from scorewright.deploy.azureml_v1_target import AzuremlV1
    from scorewright.deploy.settings import DeploySettings

azureml_v1 = typer.Typer(
    help="Web services of Azure ML's SDK v1, which has had no support since 2026-06-30: take `deploy azureml` instead.",
    cls=ApplyByDefault,
    no_args_is_help=True,
)


@azureml_v1.command("apply")
@takes_settings
def apply(
    settings: DeploySettings,
    bundle: Annotated[Path, bundle_option("The bundle whose score.py is to run under Azure's own server.")],
    cluster: Annotated[
        str | None, typer.Option(help="The AKS cluster, by its name in the workspace; ACI, unless given.")
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="The cluster's namespace.")] = None,
    version: Annotated[
        str | None, typer.Option(help="Deploy as this version of an AKS endpoint, which may have several.")
    ] = None,
    traffic: Annotated[int, typer.Option(help="Percent of the endpoint's requests for --version.")] = 100,
    default_version: Annotated[
        bool, typer.Option("--default-version", help="Make --version the endpoint's default; its first one is.")
    ] = False,
    control_version: Annotated[
        bool, typer.Option("--control-version", help="Make --version the control; all others become treatments.")
    ] = False,
    dns_label: Annotated[str | None, typer.Option(help="ACI: the first word of its host name.")] = None,
    on_this_machine: Annotated[
        bool,
        typer.Option("--local", help="Plan a LocalWebservice, with --plan or --out; `deploy local` is what runs here."),
    ] = False,
    port: Annotated[int | None, typer.Option(help="The port of --local.")] = None,
    environment: Annotated[
        str,
        typer.Option(help="Who installs the requirements: system (conda), user (pip), or NAME:VERSION, a curated one."),
    ] = "system",
    insecure: Insecure = False,
    unchecked: Unchecked = False,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    plan_only: PlanOnly = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Run a bundle's score.py as a web service. IMAGE is what Azure builds the environment on, not one of ours."""
    from scorewright.bundle import Bundle
    from scorewright.deploy.sample import curl_file_line
    from scorewright.score.check import check

    target = _target(subscription, resource_group, workspace, insecure=insecure)
    place = _place(cluster, namespace, version, traffic, dns_label, on_this_machine=on_this_machine, port=port)
    place = _with_role(place, default=default_version, control=control_version)
    todo = target.plan(settings, Bundle.load(bundle), place, environment)
    if shown_only(todo, plan_only=plan_only, out=out, as_json=as_json):
        return
    target.require_sendable(todo)
    with reporting() as report:
        if not unchecked:
            report(f"checking {bundle}")
            check(bundle)
        deployed = target.apply(todo, report)
    keys = target.workspace.command("azureml-v1", "keys", settings.name) if settings.auth == "key" else ""
    show_deployed(deployed, curl_file_line(bundle, deployed.scoring_uri, keys), as_json=as_json)


@azureml_v1.command("workspace")
def workspace_command(
    subscription: Annotated[str, typer.Option(help="The subscription's id.")],
    resource_group: Annotated[str, typer.Option(help="The resource group, which must be there.")],
    workspace: Annotated[str, typer.Option(help="The workspace; it is made if there is none of that name.")],
    location: Annotated[str, typer.Option(help="Where it is made, like westeurope.")],
) -> None:
    """Make a workspace unless it is there, and write the config.json that both SDKs and these commands read."""
    target = _target(subscription, resource_group, workspace)
    show(f"{target.make_workspace(location, Path.cwd())} names the workspace {workspace}.")


@azureml_v1.command("status")
def status(
    name: Name,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """Whether a service is healthy."""
    show_status(_target(subscription, resource_group, workspace).status(name), as_json=as_json)


@azureml_v1.command("list")
def deployments(
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """All services that were deployed from here."""
    show_list(_target(subscription, resource_group, workspace).deployments(), as_json=as_json)


@azureml_v1.command("logs")
def logs(
    name: Name,
    tail: Tail = None,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """What a service has logged."""
    show_logs(name, _target(subscription, resource_group, workspace).logs(name, tail), as_json=as_json)


@azureml_v1.command("keys")
def keys(
    name: Name,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """The keys of a service, the primary first: whoever has one may score."""
    show_keys(name, _target(subscription, resource_group, workspace).keys(name), as_json=as_json)


@azureml_v1.command("delete")
def delete(
    name: Name,
    version: Annotated[
        str | None, typer.Option(help="Remove this version of an AKS endpoint alone.", show_default=False)
    ] = None,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """Remove a service; its model and environment stay registered."""
    target = _target(subscription, resource_group, workspace)
    if version:
        target.delete_version(name, version)
    else:
        target.delete(name)
    show_deleted(name, version, as_json=as_json)


def _place(
    cluster: str | None,
    namespace: str | None,
    version: str | None,
    traffic: int,
    dns_label: str | None,
    *,
    on_this_machine: bool,
    port: int | None,
) -> Place:
    from scorewright.deploy.azureml_v1_plan import OnAci, OnAks, OnAksEndpoint, OnThisMachine
    from scorewright.errors import UsageError

    if on_this_machine and cluster:
        raise UsageError("--local and --cluster contradict each other.")
    if version and not cluster:
        raise UsageError("--version: only endpoints on AKS have versions.", hint="Name the cluster with --cluster.")
    if on_this_machine:
        return OnThisMachine(port)
    if cluster and version:
        return OnAksEndpoint(cluster, version, traffic, namespace)
    return OnAks(cluster, namespace) if cluster else OnAci(dns_label)


def _with_role(place: Place, *, default: bool, control: bool) -> Place:
    from scorewright.deploy.azureml_v1_plan import OnAksEndpoint
    from scorewright.errors import UsageError

    if not default and not control:
        return place
    if not isinstance(place, OnAksEndpoint):
        raise UsageError("--default-version and --control-version are of endpoints.", hint="Name the --version.")
    return replace(place, default=default, control=control)


def _target(
    subscription: str | None, resource_group: str | None, workspace: str | None, *, insecure: bool = False
) -> AzuremlV1:
    from scorewright.deploy.azureml_v1_target import AzuremlV1
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

    return AzuremlV1(AzuremlWorkspace.find(subscription, resource_group, workspace), insecure=insecure)
