"""The commands of `scorewright deploy aks`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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
    from scorewright.deploy.aks_target import Aks
    from scorewright.deploy.settings import DeploySettings

aks = typer.Typer(
    help="A Kubernetes cluster, by kubectl. `scorewright deploy aks IMAGE` is short for `... aks apply IMAGE`.",
    cls=ApplyByDefault,
    no_args_is_help=True,
)

Space = Annotated[str, typer.Option("--namespace", "-n", help="The namespace.", show_default=False)]
Context = Annotated[str | None, typer.Option(help="kubectl's context; the current one, unless given.")]


@aks.command("apply")
@takes_settings
def apply(
    settings: DeploySettings,
    namespace: Space,
    context: Context = None,
    overlay: Annotated[
        Literal["dev", "prod", "blue-green"],
        typer.Option(help="One replica without a gateway, replicas that scale behind one, or two such side by side."),
    ] = "prod",
    slot: Annotated[Literal["blue", "green"], typer.Option(help="Which of blue-green.")] = "blue",
    gateway: Annotated[
        str | None, typer.Option(help="A gateway that is there already: NAME or NAMESPACE/NAME. One is made otherwise.")
    ] = None,
    gateway_class: Annotated[str, typer.Option(help="The class of a gateway that is made.")] = "approuting-istio",
    public: Annotated[bool, typer.Option("--public", help="Give a gateway that is made a public address.")] = False,
    hostname: Annotated[str | None, typer.Option(help="The name under which it is asked.")] = None,
    tls_secret: Annotated[
        str | None, typer.Option(help="The Secret in the namespace that holds the name's certificate.")
    ] = None,
    queue_target: Annotated[
        int | None, typer.Option(help="Scale by the requests that wait in a replica, too: so many on average.")
    ] = None,
    metrics_namespace: Annotated[
        str | None, typer.Option(help="The namespace of Prometheus, which may ask the pods for their metrics.")
    ] = None,
    bundle: BundleFolder = None,
    unchecked: Unchecked = False,
    insecure: Insecure = False,
    plan_only: PlanOnly = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Apply an image to a cluster, wait until its pods are ready, and say how to reach them."""
    from scorewright.deploy.aks_place import AksPlace
    from scorewright.deploy.aks_target import Aks
    from scorewright.deploy.preflight import require_guarded
    from scorewright.image_preparation import prepare

    place = AksPlace(
        namespace,
        overlay,
        slot,
        context,
        gateway=gateway,
        gateway_class=gateway_class,
        public=public,
        hostname=hostname,
        tls_secret=tls_secret,
        queue_target=queue_target,
        metrics_namespace=metrics_namespace,
    )
    target = Aks(place)
    todo = target.plan(settings)
    if shown_only(todo, plan_only=plan_only, out=out, as_json=as_json):
        return
    require_guarded(settings, public=place.exposed, insecure=insecure)
    with reporting() as report:
        settings = prepare(settings, bundle, unchecked=unchecked, report=report)
        ready = target.plan(settings)
        for note in ready.notes:
            report(note)
        deployed = target.apply(ready, report)
    show_deployed(deployed, deployed.curl(bundle), as_json=as_json)


@aks.command("traffic")
def traffic(
    name: Name,
    namespace: Space,
    shares: Annotated[
        list[str] | None,
        typer.Argument(help="Percentages that sum to 100: blue=90 green=10. None: show them.", show_default=False),
    ] = None,
    context: Context = None,
    as_json: AsJson = False,
) -> None:
    """Divide the requests between blue and green."""
    from scorewright.deploy.shares import read_shares

    found = _there(namespace, context).traffic(name, read_shares(shares) if shares else None)
    show(found if as_json else f"{name}: {', '.join(f'{slot} {share} %' for slot, share in found.items())}")


@aks.command("status")
def status(name: Name, namespace: Space, context: Context = None, as_json: AsJson = False) -> None:
    """Whether a deployment's pods are ready, and why not."""
    show_status(_there(namespace, context).status(name), as_json=as_json)


@aks.command("list")
def deployments(namespace: Space, context: Context = None, as_json: AsJson = False) -> None:
    """All that was deployed into the namespace."""
    show_list(_there(namespace, context).deployments(), as_json=as_json)


@aks.command("logs")
def logs(name: Name, namespace: Space, context: Context = None, tail: Tail = None, as_json: AsJson = False) -> None:
    """What a deployment's pods have logged."""
    show_logs(name, _there(namespace, context).logs(name, tail), as_json=as_json)


@aks.command("keys")
def keys(name: Name, namespace: Space, context: Context = None, as_json: AsJson = False) -> None:
    """The keys of a deployment, the primary first: whoever has one may score."""
    show_keys(name, _there(namespace, context).get(name).get_keys(), as_json=as_json)


@aks.command("delete")
def delete(name: Name, namespace: Space, context: Context = None, as_json: AsJson = False) -> None:
    """Remove all that was made for a deployment; its namespace stays."""
    with reporting() as report:
        _there(namespace, context).delete(name, report)
    show_deleted(name, as_json=as_json)


def _there(namespace: str, context: str | None) -> Aks:
    from scorewright.deploy.aks_place import AksPlace
    from scorewright.deploy.aks_target import Aks

    return Aks(AksPlace(namespace, context=context))
