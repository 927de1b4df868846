"""`scorewright register` and `scorewright registry`: models by name and version."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scorewright.cli_registry_azureml import register_in_azureml
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorewright.bundle import Bundle
    from scorewright.registry.entry import Entry
    from scorewright.registry.folder import FolderRegistry

registry = typer.Typer(help="Look at what is registered, and fetch it.", no_args_is_help=True)


Registry = Annotated[
    str | None,
    typer.Option("--registry", help="The registry's folder; $SCOREWRIGHT_REGISTRY, or the user's own, unless given."),
]
Reference = Annotated[str, typer.Argument(help="NAME:VERSION, or NAME:latest.", metavar="NAME:VERSION")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(
    bundle: Annotated[Path, typer.Argument(help="The folder that `scorewright generate` made.", show_default=False)],
    metric: Annotated[
        list[str] | None, typer.Option(help="NAME=NUMBER that the model has reached. Repeat it.", show_default=False)
    ] = None,
    only_if_better: Annotated[
        bool,
        typer.Option("--only-if-better", help="Register it only if no version is as good in the first --metric."),
    ] = False,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Good is a low number: an error, a loss.")
    ] = False,
    tag: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE to keep with it. Repeat it.", show_default=False)
    ] = None,
    own_version: Annotated[
        bool, typer.Option("--own-version", help="Keep the bundle's own version, and not give it the next number.")
    ] = False,
    registry_: Annotated[
        str | None,
        typer.Option(
            "--registry",
            help="A folder; docker://HOST/PATH to push the bundle's image; azureml:// or azureml-v1:// for the "
            "workspace of config.json, azureml://SUBSCRIPTION/GROUP/WORKSPACE for another; "
            "$SCOREWRIGHT_REGISTRY, or the user's own folder, unless given.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Keep a bundle under its name and a version that never changes.

    A bundle that is registered already keeps its version, and the command succeeds.
    """
    from scorewright.bundle import Bundle
    from scorewright.registry.entry import read_metrics, read_tags
    from scorewright.registry.folder import Condition

    metrics, tags = read_metrics(metric or []), read_tags(tag or [])
    if only_if_better and not metrics:
        raise UsageError("--only-if-better needs a --metric to compare.", hint="--metric accuracy=0.93")
    if lower_is_better and not only_if_better:
        raise UsageError("--lower-is-better says nothing without --only-if-better.")
    given = Bundle.load(bundle)
    if registry_ and "://" in registry_:
        if only_if_better:
            raise UsageError("--only-if-better needs a folder as the registry: no other can be asked under a lock.")
        if registry_.startswith(("azureml://", "azureml-v1://")):
            register_in_azureml(given, registry_, metrics, tags, as_json=as_json)
            return
        _register_image(given, registry_, metrics, tags, as_json)
        return
    condition = Condition(next(iter(metrics)), "lower" if lower_is_better else "higher") if only_if_better else None
    found = _folder(registry_).register(given, metrics=metrics, tags=tags, own_version=own_version, only_if=condition)
    if as_json:
        _print({**found.entry.model_dump(), "new": found.new})
    else:
        _print(f"{found.entry.reference} is registered{'' if found.new else ' already'}.")


def _register_image(
    bundle: Bundle, url: str, metrics: Mapping[str, float], tags: Mapping[str, str], as_json: bool
) -> None:
    from rich.console import Console

    from scorewright.build.context import make_context
    from scorewright.build.image import run
    from scorewright.build.progress import BuildProgress
    from scorewright.registry.image import ImageRegistry, labels

    images = ImageRegistry.of(url)
    plain = make_context(bundle)
    todo = dataclasses.replace(plain, tag=images.tag(plain.tag), labels={**plain.labels, **labels(metrics, tags)})
    new = not images.has(todo.tag, bundle.digest)
    digest = None
    if new:
        with BuildProgress(Console(stderr=True)) as progress:
            run(todo, progress)
            digest = images.push(todo.tag, progress.line)
    if as_json:
        _print({"image": todo.tag, "digest": digest, "new": new})
    else:
        _print(f"{todo.tag} is registered{'' if new else ' already'}.")


@registry.command("list")
def list_models(
    name: Annotated[str | None, typer.Argument(help="Only this model, with all its versions.")] = None,
    registry_: Registry = None,
    as_json: AsJson = False,
) -> None:
    """The models that are registered, each with its latest version; of one model, every version."""
    models = _folder(registry_)
    entries = models.entries(name) if name else [models.entries(one)[-1] for one in models.names()]
    if as_json:
        _print([entry.model_dump() for entry in entries])
    elif entries:
        for line in _table([_row(entry) for entry in entries]):
            _print(line)
    else:
        _print(f"Nothing is registered {f'as {name} ' if name else ''}in {models.root}.")


@registry.command()
def show(reference: Reference, registry_: Registry = None, as_json: AsJson = False) -> None:
    """What is known of a version, after its files have been verified."""
    models = _folder(registry_)
    entry, folder = models.entry(reference), models.bundle(reference).root
    if as_json:
        _print({**entry.model_dump(), "folder": str(folder)})
        return
    for key, value in {**entry.model_dump(), "folder": folder}.items():
        shown = ", ".join(f"{one}={of}" for one, of in value.items()) if isinstance(value, dict) else value
        _print(f"{key:<10} {shown}".rstrip())


@registry.command()
def fetch(
    reference: Reference,
    out: Annotated[Path | None, typer.Option(help="The new folder; by default ./NAME.")] = None,
    registry_: Registry = None,
) -> None:
    """Copy a version, verified, into a folder of its own."""
    models = _folder(registry_)
    entry = models.entry(reference)
    target = out or Path(entry.name)
    models.fetch(entry.reference, target)
    _print(f"{entry.reference} is in {target}.")


def _folder(named: str | None) -> FolderRegistry:
    from scorewright.registry.folder import FolderRegistry

    if named and "://" in named:
        raise UsageError(
            f"{named} is not a folder.", hint="Only a folder is looked at here; others have their own tools."
        )
    return FolderRegistry(Path(named).expanduser()) if named else FolderRegistry.default()


def _row(entry: Entry) -> dict[str, str]:
    return {
        "model": entry.reference,
        "registered": entry.registered,
        "kind": entry.kind,
        "metrics": _pairs(entry.metrics),
        "tags": _pairs(entry.tags),
    }


def _pairs(pairs: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in pairs.items())


def _table(rows: list[dict[str, str]]) -> list[str]:
    cells = [list(rows[0]), *([*row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _print(what: str | dict[str, Any] | list[dict[str, Any]]) -> None:
    typer.echo(what if isinstance(what, str) else json.dumps(what, indent=2))
