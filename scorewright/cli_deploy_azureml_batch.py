"""The commands of `scorewright deploy azureml batch`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from scorewright.cli_bundle import BundleArgument  # noqa: TC001  # typer reads the annotations
from scorewright.cli_deploy_azureml_workspace import ResourceGroup, Subscription, WorkspaceName  # noqa: TC001  # as above
from scorewright.cli_deploy_output import (
    ApplyByDefault,
    AsJson,
    Name,
    Out,
    PlanOnly,
    Unchecked,
    reporting,
    show_deleted,
    show_list,
    show_status,
    shown_only,
)

batch = typer.Typer(
    help="Azure ML batch endpoints. `... azureml batch BUNDLE` is short for `... azureml batch apply BUNDLE`.",
    cls=ApplyByDefault,
    no_args_is_help=True,
)


@batch.command("apply")
def apply(
    bundle: BundleArgument,
    compute: Annotated[str, typer.Option(help="The cluster; it is made if there is none of that name.")],
    name: Annotated[str | None, typer.Option(help="The endpoint's name; the bundle's, unless given.")] = None,
    slot: Annotated[str, typer.Option(help="The name of the deployment within the endpoint.")] = "default",
    size: Annotated[str, typer.Option(help="The cluster's machines.")] = "Standard_DS3_v2",
    min_instances: Annotated[int, typer.Option(help="Machines that are always there, and always cost.")] = 0,
    max_instances: Annotated[int, typer.Option(help="Machines that it has at most.")] = 2,
    idle_seconds: Annotated[int, typer.Option(help="How long a machine waits for more before it is given back.")] = 120,
    low_priority: Annotated[
        bool, typer.Option("--low-priority", help="Cheaper machines that Azure may take away at any time.")
    ] = False,
    instances: Annotated[int, typer.Option(help="Machines that one job uses.")] = 1,
    mini_batch_size: Annotated[int, typer.Option(help="Files in one run().")] = 10,
    max_concurrency: Annotated[int, typer.Option(help="Processes on each machine.")] = 1,
    output_action: Annotated[
        Literal["append_row", "summary_only"],
        typer.Option(help="Whether what run() returns is gathered in one file, or only counted."),
    ] = "append_row",
    error_threshold: Annotated[int, typer.Option(help="Files that may fail; -1 for all.")] = -1,
    max_retries: Annotated[int, typer.Option(help="How often a mini-batch is tried again.")] = 3,
    timeout: Annotated[int, typer.Option(help="Seconds that one run() may take.")] = 30,
    unchecked: Unchecked = False,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    plan_only: PlanOnly = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Put a bundle's batch script behind a batch endpoint, on a cluster that costs while it scores."""
    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_batch import AzuremlBatch
    from scorewright.deploy.azureml_batch_plan import AzuremlBatchPlan, Cluster, check_batch_fits
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.score.check import check

    loaded = Bundle.load(bundle)
    found = AzuremlWorkspace.find(subscription, resource_group, workspace)
    todo = AzuremlBatchPlan(
        name or loaded.manifest.name,
        loaded,
        found,
        Cluster(compute, size, min_instances, max_instances, idle_seconds, low_priority),
        slot,
        instances=instances,
        mini_batch_size=mini_batch_size,
        max_concurrency=max_concurrency,
        output_action=output_action,
        error_threshold=error_threshold,
        max_retries=max_retries,
        timeout=timeout,
    )
    check_batch_fits(todo)
    if shown_only(todo, plan_only=plan_only, out=out, as_json=as_json):
        return
    with reporting() as report:
        if not unchecked:
            report(f"checking {bundle}")
            check(bundle)
        status = AzuremlBatch(found).apply(todo, report)
    show_status(status, as_json=as_json)


@batch.command("status")
def status(
    name: Name,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """Whether a batch endpoint and its deployments are healthy."""
    from scorewright.deploy.azureml_batch import AzuremlBatch
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

    found = AzuremlWorkspace.find(subscription, resource_group, workspace)
    show_status(AzuremlBatch(found).status(name), as_json=as_json)


@batch.command("list")
def deployments(
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """All batch endpoints that were deployed from here."""
    from scorewright.deploy.azureml_batch import AzuremlBatch
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

    found = AzuremlWorkspace.find(subscription, resource_group, workspace)
    show_list(AzuremlBatch(found).deployments(), as_json=as_json)


@batch.command("delete")
def delete(
    name: Name,
    subscription: Subscription = None,
    resource_group: ResourceGroup = None,
    workspace: WorkspaceName = None,
    as_json: AsJson = False,
) -> None:
    """Remove a batch endpoint with its deployments; the cluster stays."""
    from scorewright.deploy.azureml_batch import AzuremlBatch
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

    found = AzuremlWorkspace.find(subscription, resource_group, workspace)
    with reporting() as report:
        AzuremlBatch(found).delete(name, report)
    show_deleted(name, as_json=as_json)
