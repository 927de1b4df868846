"""The commands that deploy; `scorewright deploy local IMAGE` is short for `scorewright deploy local apply IMAGE`."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.deploy.container import Report


class _ApplyByDefault(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["apply", *args]
        return super().parse_args(ctx, args)


deploy = typer.Typer(help="Run an image somewhere, and look after it.", no_args_is_help=True)
local = typer.Typer(
    help="This machine's Docker engine. `scorewright deploy local IMAGE` is short for `... local apply IMAGE`.",
    cls=_ApplyByDefault,
    no_args_is_help=True,
)
deploy.add_typer(local, name="local")

Name = Annotated[str, typer.Argument(help="The deployment's name.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@local.command("apply")
def local_apply(
    image: Annotated[str, typer.Argument(help="An image that `scorewright build` made.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="The deployment's name; the image's, unless given.")] = None,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 takes a free one.")] = 5001,
    bundle: Annotated[Path | None, typer.Option(help="Serve this bundle instead of the image's own.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of batch jobs, for an image that was built with --batch."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, or NAME to pass this shell's value on. Repeat it. Never shown again."),
    ] = None,
    memory: Annotated[str | None, typer.Option(help="The most it may take, like 512m or 2g.")] = None,
    cpus: Annotated[float | None, typer.Option(help="The most it may use, like 0.5 or 2.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds it has to become healthy.")] = 300,
    force: Annotated[bool, typer.Option("--force", help="Replace a deployment of the same name.")] = False,
    plan_only: Annotated[bool, typer.Option("--plan", help="Show what would be run, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run an image until it is healthy, and say how to reach it."""
    from scorewright.deploy import local as target

    todo = target.plan(
        image,
        name=name,
        port=port,
        bundle=bundle,
        data=data,
        environment=_environment(env or []),
        memory=memory,
        cpus=cpus,
        timeout=timeout,
    )
    if plan_only:
        _print(todo.to_dict() if as_json else todo.describe())
        return
    with _reporting() as report:
        deployed = target.apply(todo, force=force, report=report)
    if as_json:
        _print({"name": deployed.name, "url": deployed.url, "scoring_uri": deployed.scoring_uri, "curl": deployed.curl})
    else:
        _print(f"{deployed.name} answers at {deployed.scoring_uri}\n\n{deployed.curl}")


@local.command("status")
def local_status(name: Name, as_json: AsJson = False) -> None:
    """Whether a deployment runs and is healthy."""
    from scorewright.deploy import local as target

    found = dataclasses.asdict(target.status(name))
    _print(found if as_json else "\n".join(f"{key:<10} {value}" for key, value in found.items()))


@local.command("list")
def local_list(as_json: AsJson = False) -> None:
    """All that is deployed here."""
    from scorewright.deploy import local as target

    found = [dataclasses.asdict(one) for one in target.deployments()]
    if as_json:
        _print(found)
    elif found:
        rows = [list(found[0]), *([str(value) for value in one.values()] for one in found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            _print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    else:
        _print("Nothing is deployed here.")


@local.command("logs")
def local_logs(
    name: Name, tail: Annotated[int | None, typer.Option(min=1, help="Only the last lines.")] = None
) -> None:
    """What a deployment has logged."""
    from scorewright.deploy import local as target

    typer.echo(target.logs(name, tail), nl=False)


@local.command("delete")
def local_delete(name: Name) -> None:
    """Let a deployment finish what it has accepted, and remove it."""
    from scorewright.deploy import local as target

    target.delete(name)
    _print(f"{name} is deleted.")


def _environment(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals and key not in os.environ:
            raise UsageError(f"--env {key}: this shell has no such variable.", hint="Write it as NAME=VALUE.")
        found[key] = value if equals else os.environ[key]
    return found


@contextmanager
def _reporting() -> Iterator[Report]:
    """Shows each report in one moving line on a terminal, elsewhere a line for each that is new."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if console.is_terminal:
        with console.status("") as moving:
            yield lambda text: moving.update(text[: console.width - 4].replace("[", r"\["))
    else:
        said = [""]

        def report(text: str) -> None:
            if text != said[-1]:
                said.append(text)
                console.print(text, markup=False)

        yield report


def _print(what: str | dict[str, Any] | list[dict[str, Any]]) -> None:
    typer.echo(what if isinstance(what, str) else json.dumps(what, indent=2))
