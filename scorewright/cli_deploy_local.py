"""The commands of `scorewright deploy local`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from scorewright.cli_bundle import bundle_option
from scorewright.cli_deploy_output import (
    ApplyByDefault,
    AsJson,
    Name,
    Out,
    PlanOnly,
    Tail,
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
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from scorewright.deploy.settings import DeploySettings

local = typer.Typer(
    help="This machine's Docker engine. `scorewright deploy local IMAGE` is short for `... local apply IMAGE`.",
    cls=ApplyByDefault,
    no_args_is_help=True,
)


def _image_of(word: str) -> str:
    """An image's name as it is; of a bundle, what its image is called."""
    from scorewright.registry.reference import bundle_or_image

    folder = bundle_or_image(word)
    if folder is None:
        return word
    from scorewright.build.context import default_tag
    from scorewright.bundle import read_manifest

    manifest = read_manifest(folder)
    return default_tag(manifest.name, manifest.version)


def apply(
    settings: DeploySettings,
    source: str,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 takes a free one.")] = 5001,
    bundle: Annotated[Path | None, bundle_option("Mount this bundle, in place of the image's own.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of batch jobs, for an image that was built with --batch."),
    ] = None,
    deployment: Annotated[
        str | None,
        typer.Option(
            help="Put it, by this name, behind the endpoint --name, beside others; see `deploy local traffic`.",
            show_default=False,
        ),
    ] = None,
    router_image: Annotated[
        str | None,
        typer.Option(help="What runs HAProxy before the deployments; haproxy:3.2, unless given.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a deployment of the same name.")] = False,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Build a bundle's image without a check.")] = False,
    plan_only: PlanOnly = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Run an image until it is healthy, and say how to reach it.

    IMAGE may be a bundle's folder or NAME:VERSION in the registry: its image is built then, after a check.
    """
    from scorewright.bundle import Bundle
    from scorewright.deploy.local_plan import ROUTER_IMAGE
    from scorewright.deploy.local_target import Local
    from scorewright.image_preparation import checked_image
    from scorewright.registry.reference import bundle_or_image

    if router_image and not deployment:
        raise UsageError("--router-image says nothing without --deployment.")
    target = Local(port, bundle, force, deployment, router_image or ROUTER_IMAGE, data)
    todo = target.plan(settings)
    if shown_only(todo, plan_only=plan_only, out=out, as_json=as_json):
        return
    with reporting() as report:
        if (folder := bundle_or_image(source)) is not None:
            checked_image(Bundle.load(folder), str(settings.image), unchecked=unchecked, report=report)
        deployed = target.apply(todo, report)
    show_deployed(deployed, deployed.curl, as_json=as_json)


local.command("apply")(takes_settings(apply, _image_of))


@local.command("status")
def status(name: Name, as_json: AsJson = False) -> None:
    """Whether a deployment runs and is healthy."""
    from scorewright.deploy.local_target import Local

    show_status(Local().status(name), as_json=as_json)


@local.command("list")
def deployments(as_json: AsJson = False) -> None:
    """All that is deployed here."""
    from scorewright.deploy.local_target import Local

    show_list(Local().deployments(), as_json=as_json)


@local.command("logs")
def logs(name: Name, tail: Tail = None, as_json: AsJson = False) -> None:
    """What a deployment has logged."""
    from scorewright.deploy.local_target import Local

    show_logs(name, Local().logs(name, tail), as_json=as_json)


@local.command("keys")
def keys(name: Name, as_json: AsJson = False) -> None:
    """The keys of a deployment, the primary first: whoever has one may score."""
    from scorewright.deploy.local_target import Local

    show_keys(name, Local().keys(name), as_json=as_json)


@local.command("traffic")
def traffic(
    name: Annotated[str, typer.Argument(help="The endpoint's name.", show_default=False)],
    weights: Annotated[
        list[str] | None,
        typer.Argument(help="Each deployment's share: blue=90 green=10. None: show them.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Share out an endpoint's requests among its deployments, without losing one."""
    from scorewright.deploy.local_target import Local
    from scorewright.deploy.shares import read_shares

    found = Local().traffic(name, read_shares(weights) if weights else None)
    show({**found} if as_json else "\n".join(f"{deployment:<10} {weight:3} %" for deployment, weight in found.items()))


@local.command("delete")
def delete(name: Name, as_json: AsJson = False) -> None:
    """Let a deployment finish what it has accepted, and remove it."""
    from scorewright.deploy.local_target import Local

    Local().delete(name)
    show_deleted(name, as_json=as_json)
