"""`scorewright batch cluster`: what Kubernetes runs a Dask cluster for batch jobs by."""

from __future__ import annotations

from typing import Annotated

import typer

cluster_app = typer.Typer(rich_markup_mode=None)


@cluster_app.command()
def cluster(
    image: Annotated[
        str,
        typer.Argument(help="An image with scorewright[batch,abfs] and what the model needs.", show_default=False),
    ],
    name: Annotated[str, typer.Option(help="The cluster's name.")] = "scorewright-batch",
    namespace: Annotated[str, typer.Option(help="The namespace it is made in.")] = "default",
    workers: Annotated[int, typer.Option(help="Worker pods.")] = 2,
    cpu: Annotated[str, typer.Option(help="CPUs of a worker, like 500m or 2.")] = "1",
    memory: Annotated[str, typer.Option(help="Memory of a worker, like 2Gi.")] = "2Gi",
    idle_timeout: Annotated[int, typer.Option(help="Seconds without work until it is deleted; 0 for never.")] = 0,
    service_account: Annotated[
        str | None, typer.Option(help="The workers' service account, with a workload identity.", show_default=False)
    ] = None,
    secret: Annotated[
        str | None, typer.Option(help="A Secret whose entries become the workers' environment.", show_default=False)
    ] = None,
) -> None:
    """Print the Kubernetes manifests of a Dask cluster for `batch run --scheduler`, to be piped to kubectl apply -f -.

    The cluster needs dask-kubernetes' operator.
    """
    from scorewright.service.batch.kubernetes_files import DaskCluster, kubernetes_files

    asked = DaskCluster(image, name, namespace, workers, cpu, memory, idle_timeout, service_account, secret)
    typer.echo(kubernetes_files(asked).decode(), nl=False)
