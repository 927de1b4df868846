"""The command line: flags in, calls of the parts, errors out. Thin; the work is in the parts."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import Annotated, Literal

import typer

from scorewright import __version__
from scorewright.cli_batch import batch
from scorewright.cli_batch_jobs import jobs
from scorewright.cli_bundle import BundleArgument, bundle_argument
from scorewright.cli_deploy import deploy
from scorewright.cli_doctor import doctor
from scorewright.cli_loadtest import loadtest
from scorewright.cli_registry import register, registry
from scorewright.errors import ScorewrightError

app = typer.Typer(
    name="scorewright",
    help="From a fitted scikit-learn or Keras model to a scored request.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """The `scorewright` command. A ScorewrightError becomes its message, its hint and its exit code."""
    try:
        app()
    except ScorewrightError as error:
        from rich.console import Console

        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print("[bold red]Error:[/]", end=" ")
        console.print(error.message, markup=False)
        if error.hint:
            console.print(f"  {error.hint}", markup=False)
        sys.exit(error.exit_code)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"scorewright {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From a fitted scikit-learn or Keras model to a scored request."""


@app.command()
def build(
    bundle: BundleArgument,
    tag: Annotated[
        str | None, typer.Option("--tag", "-t", help="The image's name; the bundle's, unless given.")
    ] = None,
    base_image: Annotated[
        str | None, typer.Option(help="What to build on; Docker's Python image of the bundle's Python, unless given.")
    ] = None,
    batch_jobs: Annotated[bool, typer.Option("--batch", help="Install what batch jobs need, too.")] = False,
    entra: Annotated[bool, typer.Option("--entra", help="Install what checks an issuer's tokens, too.")] = False,
    telemetry: Annotated[bool, typer.Option("--telemetry", help="Install what traces are sent by, too.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Show the Dockerfile and its context, and end.")] = False,
    context: Annotated[
        Path | None, typer.Option(help="Write the context to this folder, for a build by other means, and end.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build the image that serves a bundle."""
    from scorewright.build.context import make_context
    from scorewright.build.image import run
    from scorewright.build.progress import BuildProgress
    from scorewright.bundle import Bundle

    todo = make_context(
        Bundle.load(bundle), tag=tag, base_image=base_image, batch=batch_jobs, entra=entra, telemetry=telemetry
    )
    if show:
        typer.echo(todo.describe())
        return
    if context is not None:
        todo.write(context)
        typer.echo(todo.command(context))
        return
    from rich.console import Console

    with BuildProgress(Console(stderr=True)) as progress:
        image = run(todo, progress)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(image), indent=2))
    else:
        typer.echo(f"{image.tag}  {image.id[7:19]}  {image.size / 1e6:.0f} MB")


batch.add_typer(jobs)
app.add_typer(batch, name="batch")
app.add_typer(deploy, name="deploy")
app.command()(register)
app.add_typer(registry, name="registry")
app.add_typer(loadtest, name="loadtest")
app.command()(doctor)


Skew = Annotated[
    bool, typer.Option("--allow-version-skew", help="Go on with other library versions than those that made the model.")
]


@app.command()
def generate(
    model: Annotated[
        Path, typer.Argument(help="The saved model: .joblib, .pkl, .bin, .z, .skops, .keras, .h5 or SavedModel.")
    ],
    sample: Annotated[
        Path | None, typer.Option(help="Rows as the model was fitted on: csv, parquet, npy, npz or json.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name; by default the file's.")] = None,
    model_version: Annotated[str, typer.Option("--version", help="The model's version.")] = "1",
    out: Annotated[Path | None, typer.Option(help="The bundle's folder; by default ./NAME.")] = None,
    method: Annotated[str | None, typer.Option(help="The default method, e.g. predict.")] = None,
    runtime: Annotated[
        Literal["native", "onnx", "auto"],
        typer.Option(
            help="What scores the model: its own framework, onnxruntime if that was shown to answer the same, "
            "or whichever of the two it can be."
        ),
    ] = "native",
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there already.")] = False,
    allow_version_skew: Skew = False,
    trust: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE", help="A type that a .skops file may hold though skops does not know it. Repeat it."
        ),
    ] = None,
) -> None:
    """Look into a fitted model and write the bundle that serves it."""
    from rich.console import Console

    from scorewright.score.generator import generate as generate_bundle
    from scorewright.score.parity import told

    console = Console(highlight=False, soft_wrap=True)
    with console.status("…") as status:
        bundle = generate_bundle(
            model,
            sample,
            name=name,
            version=model_version,
            out=out,
            method=method,
            runtime=runtime,
            force=force,
            allow_version_skew=allow_version_skew,
            trust=trust or (),
            on_step=lambda step: status.update(f"{step} …"),
        )
    manifest = bundle.manifest
    methods = ", ".join(manifest.signature.methods)
    console.print(f"{manifest.model.kind}: {methods} (default {manifest.signature.default_method})", markup=False)
    for kind in manifest.model.trusted:
        console.print(f"  trusted: {kind}", markup=False)
    for answer, measured in manifest.parity.methods.items() if manifest.parity else ():
        console.print(f"  onnx: {told(answer, measured)}", markup=False)
    for note in manifest.notes:
        console.print(f"  note: {note}", markup=False)
    console.print(f"Wrote {out or bundle.root.name}: {', '.join(sorted(manifest.files))}", markup=False)
    console.print(f"Next: scorewright check {out or bundle.root.name}", markup=False)


@app.command()
def check(
    bundle: BundleArgument,
    allow_version_skew: Skew = False,
) -> None:
    """Try a bundle in a fresh process: hashes, versions, init(), run(), run_many() and the batch script."""
    from rich.console import Console

    from scorewright.score.check import Passed
    from scorewright.score.check import check as check_bundle

    console = Console(highlight=False, soft_wrap=True)

    def say(step: Passed) -> None:
        memory = f"  {step.memory / 1e6:5.0f} MB" if step.memory else ""
        console.print(f"ok  {step.name:<9} {step.seconds * 1000:8.1f} ms{memory}  {step.detail}", markup=False)

    check_bundle(bundle, allow_version_skew=allow_version_skew, on_step=say)
    console.print(f"{bundle} answers as it should.", markup=False)


@app.command()
def serve(
    bundle: Annotated[Path | None, bundle_argument("; by default $SCOREWRIGHT_BUNDLE")] = None,
    entry_script: Annotated[
        Path | None,
        typer.Option("--entry-script", "--entry_script", help="A score.py to serve in place of a bundle."),
    ] = None,
    model_dir: Annotated[
        str | None,
        typer.Option("--model-dir", "--model_dir", help="The model's folder: the script's AZUREML_MODEL_DIR."),
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option("--config-file", "--config_file", help="A JSON file of settings by their environment variables."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="The address to listen on; 127.0.0.1 with a bundle, 0.0.0.0 with an entry script."),
    ] = None,
    port: Annotated[int | None, typer.Option(help="The port; by default 5001; 0 takes a free one.")] = None,
    health_port: Annotated[
        int | None,
        typer.Option("--health-port", "--health_port", help="A second port, if SEPERATE_HEALTH_ENDPOINT is true."),
    ] = None,
    keys_path: Annotated[
        Path | None, typer.Option(help="A file of keys that requests may carry, one a line, or a folder of them.")
    ] = None,
    token_issuer: Annotated[
        str | None, typer.Option(help="The OpenID Connect issuer whose tokens requests may carry.")
    ] = None,
    token_audience: Annotated[str | None, typer.Option(help="Whom these tokens must be for.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="The certificate for HTTPS, with its chain, in PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    worker_count: Annotated[
        int | None,
        typer.Option("--worker-count", "--worker_count", help="Scorer processes; by default $WORKER_COUNT or 1."),
    ] = None,
    access_control_allow_origins: Annotated[
        str | None,
        typer.Option(
            "--access-control-allow-origins",
            "--access_control_allow_origins",
            help="Origins whose pages may use the service, separated by commas.",
        ),
    ] = None,
    appinsights_instrumentation_key: Annotated[
        str | None,
        typer.Option(
            "--appinsights-instrumentation-key",
            "--appinsights_instrumentation_key",
            help="Where requests are sent to: a key or connection string of Application Insights.",
        ),
    ] = None,
    rest: Annotated[bool, typer.Option("--rest", hidden=True)] = False,
    max_requests: Annotated[
        int | None, typer.Option(help="Requests after which a fresh scorer takes a scorer's place; 0 for never.")
    ] = None,
    max_requests_jitter: Annotated[int | None, typer.Option(help="Up to how many more, by chance.")] = None,
    max_scorer_bytes: Annotated[
        int | None, typer.Option(help="Bytes of memory above which a fresh scorer takes a scorer's place.")
    ] = None,
    http_workers: Annotated[int | None, typer.Option(help="Front processes; by default as the cores ask for.")] = None,
    max_concurrent_requests_per_instance: Annotated[
        int | None, typer.Option(help="Requests that may be waiting or being scored at once.")
    ] = None,
    max_queue_bytes: Annotated[int | None, typer.Option(help="Bytes that the bodies of these may have.")] = None,
    max_queue_wait_ms: Annotated[
        int | None, typer.Option(help="Milliseconds that a request may wait for a scorer.")
    ] = None,
    max_batch_requests: Annotated[int | None, typer.Option(help="Requests in one run_many() at most.")] = None,
    max_batch_rows: Annotated[int | None, typer.Option(help="Rows in one run_many() at most.")] = None,
    max_body_bytes: Annotated[int | None, typer.Option(help="Bytes a request's body may have.")] = None,
    batch_data: Annotated[
        Path | None, typer.Option(help="The data folder of batch jobs; by default ./scorewright-data.")
    ] = None,
    batch_entry_script: Annotated[str | None, typer.Option(help="A batch driver for jobs, besides a score.py.")] = None,
    log_level: Annotated[str | None, typer.Option(help="CRITICAL, ERROR, WARNING, INFO or DEBUG.")] = None,
    collect_dir: Annotated[Path | None, typer.Option(help="Collect requests and answers in this folder.")] = None,
    collect_sampling: Annotated[float | None, typer.Option(help="The share of them that is, 0 to 1.")] = None,
    collect_redact: Annotated[str | None, typer.Option(help="Names of what is not kept of them.")] = None,
    collect_max_bytes: Annotated[int | None, typer.Option(help="Bytes that they may have together.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text, or json: an object a line.")] = None,
    access_log: Annotated[bool | None, typer.Option("--access-log", help="Log a line for each request.")] = None,
    allow_version_skew: Annotated[
        bool | None,
        typer.Option("--allow-version-skew", help="Go on with other library versions than the model's."),
    ] = None,
) -> None:
    """Serve a bundle or an entry script over HTTP until SIGTERM or Ctrl-C. docs/service.md has every setting.

    Takes the flags of azmlinfsrv as that spells them, too.
    """
    from scorewright.service import server, settings

    del rest  # azmlinfsrv takes it, and makes nothing of it either
    read = settings.read(
        bundle=bundle,
        entry_script=None if entry_script is None else str(entry_script.resolve()),
        model_dir=model_dir,
        config_file=config_file,
        host=host,
        port=port,
        health_port=health_port,
        keys_path=keys_path,
        token_issuer=token_issuer,
        token_audience=token_audience,
        tls_cert=tls_cert,
        tls_key=tls_key,
        worker_count=worker_count,
        cors_origins=access_control_allow_origins,
        app_insights_key=appinsights_instrumentation_key,
        max_requests=max_requests,
        max_requests_jitter=max_requests_jitter,
        max_scorer_bytes=max_scorer_bytes,
        http_workers=http_workers,
        max_concurrent_requests_per_instance=max_concurrent_requests_per_instance,
        max_queue_bytes=max_queue_bytes,
        max_queue_wait_ms=max_queue_wait_ms,
        max_batch_requests=max_batch_requests,
        max_batch_rows=max_batch_rows,
        max_body_bytes=max_body_bytes,
        batch_data=batch_data,
        batch_entry_script=batch_entry_script,
        log_level=log_level,
        collect_dir=collect_dir,
        collect_sampling=collect_sampling,
        collect_redact=collect_redact,
        collect_max_bytes=collect_max_bytes,
        log_format=log_format,
        access_log=access_log,
        allow_version_skew=allow_version_skew,
    )
    sys.exit(server.serve(read))
