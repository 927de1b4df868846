"""`scorewright batch azure` and `batch cluster`: what Azure ML and Kubernetes run the same batch script by."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from scorewright.cli_bundle import BundleArgument  # noqa: TC001  # typer reads the annotations

batch_azure = typer.Typer(rich_markup_mode=None)


@batch_azure.command()
def azure(
    bundle: BundleArgument,
    out: Annotated[Path, typer.Option(help="The folder to write: a new one, unless with --force.")],
    compute: Annotated[str, typer.Option(help="The compute cluster of the workspace that shall score.")],
    endpoint: Annotated[
        str | None, typer.Option(help="The endpoint's name; made of the bundle's, unless given.", show_default=False)
    ] = None,
    deployment: Annotated[str, typer.Option(help="The deployment's name.")] = "default",
    instances: Annotated[int, typer.Option(help="Machines of the cluster in one job.")] = 1,
    image: Annotated[
        str | None, typer.Option(help="The image that the environment is made on; Azure's own, unless given.")
    ] = None,
    mini_batch_size: Annotated[str | None, typer.Option(help="Files in one run(); by default 10.")] = None,
    output_action: Annotated[
        Literal["append_row", "summary_only"] | None,
        typer.Option(help="Whether what run() returns is gathered in one file, or only counted.", show_default=False),
    ] = None,
    output_file_name: Annotated[
        str | None, typer.Option(help="That file's name; by default predictions.csv.", show_default=False)
    ] = None,
    error_threshold: Annotated[
        int | None, typer.Option(help="Files that may fail; by default -1, all.", show_default=False)
    ] = None,
    max_retries: Annotated[
        int | None, typer.Option(help="How often a mini-batch is tried again; by default 3.", show_default=False)
    ] = None,
    timeout: Annotated[
        int | None, typer.Option(help="Seconds that one run() may take; by default 30.", show_default=False)
    ] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="Processes on each machine; by default 1.", show_default=False)
    ] = None,
    logging_level: Annotated[
        Literal["debug", "info", "warning"] | None, typer.Option(help="The least level that is logged.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder if it is there.")] = False,
) -> None:
    """Write the files of an Azure ML batch endpoint that runs the bundle's batch script.

    endpoint.yaml and deployment.yaml are for `az ml batch-endpoint create` and `az ml batch-deployment create`.
    """
    from scorewright.bundle import MODEL_FOLDER, Bundle
    from scorewright.errors import OutputExistsError
    from scorewright.service.batch import azure_files
    from scorewright.service.batch.settings import BatchSettings

    settings = BatchSettings.of(
        mini_batch_size=mini_batch_size,
        output_action=output_action,
        output_file_name=output_file_name,
        error_threshold=error_threshold,
        max_retries=max_retries,
        timeout=timeout,
        max_concurrency=max_concurrency,
        logging_level=logging_level,
    )
    loaded = Bundle.load(bundle)
    asked = azure_files.AzureBatch(
        loaded, settings, compute, endpoint, deployment, instances, image or azure_files.IMAGE
    )
    model = os.path.relpath(loaded.path(MODEL_FOLDER), out.resolve())
    files = azure_files.azure_files(asked, Path(model).as_posix())
    if out.exists() and not force:
        raise OutputExistsError(f"{out} is there already.")
    _write(files, out)
    typer.echo(f"az ml batch-endpoint create --file {out / 'endpoint.yaml'}")
    typer.echo(f"az ml batch-deployment create --file {out / 'deployment.yaml'} --set-default")


@batch_azure.command()
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


def _write(files: dict[str, bytes], folder: Path) -> None:
    """All of the files, or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        made.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
