"""The commands of `scorewright deploy aci`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from scorewright.cli_deploy_output import (
    ApplyByDefault,
    AsJson,
    BundleFolder,
    Insecure,
    Name,
    Out,
    PlanOnly,
    Tail,
    Unchecked,
    reporting,
    show_deleted,
    show_deployed,
    show_list,
    show_logs,
    show_status,
    shown_only,
)
from scorewright.cli_deploy_settings import takes_settings
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from scorewright.deploy.aci_target import Aci
    from scorewright.deploy.settings import DeploySettings

aci = typer.Typer(
    help="Azure Container Instances. `scorewright deploy aci IMAGE` is short for `... aci apply IMAGE`.",
    cls=ApplyByDefault,
    no_args_is_help=True,
)

Subscription = Annotated[
    str, typer.Option(envvar="AZURE_SUBSCRIPTION_ID", help="The subscription's id.", show_default=False)
]
Group = Annotated[str, typer.Option("--resource-group", "-g", help="The resource group.", show_default=False)]


@aci.command("apply")
@takes_settings
def apply(
    settings: DeploySettings,
    subscription: Subscription,
    resource_group: Group,
    location: Annotated[str, typer.Option(help="The region, like westeurope.", show_default=False)],
    dns_label: Annotated[str | None, typer.Option(help="A public address, LABEL.REGION.azurecontainer.io.")] = None,
    subnet: Annotated[str | None, typer.Option(help="A private address in the subnet of this resource id.")] = None,
    identity: Annotated[
        str | None, typer.Option(help="The resource id of the user-assigned identity that pulls the image.")
    ] = None,
    registry_user: Annotated[
        str | None, typer.Option(help="Pull as this user; the password is this shell's REGISTRY_PASSWORD.")
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Put a Caddy before the service that gets a certificate for its name.")
    ] = False,
    tls_image: Annotated[str | None, typer.Option(help="Take that Caddy from another registry.")] = None,
    bundle: BundleFolder = None,
    unchecked: Unchecked = False,
    insecure: Insecure = False,
    plan_only: PlanOnly = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Run an image as a container group until it is healthy, and say how to reach it."""
    from scorewright.deploy.aci_place import CADDY, AciPlace
    from scorewright.deploy.aci_plan import make_plan
    from scorewright.deploy.aci_target import Aci
    from scorewright.deploy.arm import Arm
    from scorewright.deploy.preflight import require_guarded
    from scorewright.deploy.sample import curl_file_line
    from scorewright.image_preparation import prepare

    place = AciPlace(
        subscription,
        resource_group,
        location.lower().replace(" ", ""),
        dns_label=dns_label,
        subnet=subnet,
        identity=identity,
        registry_user=registry_user,
        registry_password=_registry_password() if registry_user else None,
        tls=tls,
        tls_image=tls_image or CADDY,
    )
    todo = make_plan(settings, place)
    if shown_only(todo, plan_only=plan_only, out=out, as_json=as_json):
        return
    require_guarded(settings, public=place.public, insecure=insecure)
    target = Aci(place, Arm.connect())
    with reporting() as report:
        settings = prepare(settings, bundle, unchecked=unchecked, report=report)
        ready = target.plan(settings)
        for note in ready.notes:
            report(note)
        deployed = target.apply(ready, report)
    # Azure gives no key back; whoever deploys has it as a variable, or in a file.
    keys = f"printenv {settings.auth_keys[0]}" if settings.auth_keys else ""
    show_deployed(deployed, curl_file_line(bundle, deployed.scoring_uri, keys), as_json=as_json)


@aci.command("status")
def status(name: Name, subscription: Subscription, resource_group: Group, as_json: AsJson = False) -> None:
    """Whether a deployment runs and is healthy."""
    show_status(_there(subscription, resource_group).status(name), as_json=as_json)


@aci.command("list")
def deployments(subscription: Subscription, resource_group: Group, as_json: AsJson = False) -> None:
    """All that was deployed into the resource group."""
    show_list(_there(subscription, resource_group).deployments(), as_json=as_json)


@aci.command("logs")
def logs(
    name: Name, subscription: Subscription, resource_group: Group, tail: Tail = None, as_json: AsJson = False
) -> None:
    """What a deployment has logged."""
    show_logs(name, _there(subscription, resource_group).logs(name, tail), as_json=as_json)


@aci.command("delete")
def delete(name: Name, subscription: Subscription, resource_group: Group, as_json: AsJson = False) -> None:
    """Remove a deployment; it is paid for no longer."""
    with reporting() as report:
        _there(subscription, resource_group).delete(name, report)
    show_deleted(name, as_json=as_json)


def _there(subscription: str, resource_group: str) -> Aci:
    """What is deployed is found by its name alone: neither a region nor an address matters."""
    from scorewright.deploy.aci_place import AciPlace
    from scorewright.deploy.aci_target import Aci
    from scorewright.deploy.arm import Arm

    return Aci(AciPlace(subscription, resource_group, location=""), Arm.connect())


def _registry_password() -> SecretStr:
    from pydantic import SecretStr

    from scorewright.deploy.aci_plan import REGISTRY_PASSWORD

    if not os.environ.get(REGISTRY_PASSWORD):
        raise UsageError(
            f"--registry-user: this shell has no {REGISTRY_PASSWORD}.", hint=f"export {REGISTRY_PASSWORD}=..."
        )
    return SecretStr(os.environ[REGISTRY_PASSWORD])
