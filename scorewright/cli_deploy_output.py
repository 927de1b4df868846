"""What the commands that deploy have in common: how they are called, what they print, how they tell of progress."""

from __future__ import annotations

import contextlib
import json
import time
from contextlib import contextmanager
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scorewright.cli_bundle import bundle_option
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from scorewright.deploy.target import Deployment, Plan, Report, Status

Name = Annotated[str, typer.Argument(help="The deployment's name.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PlanOnly = Annotated[bool, typer.Option("--plan", help="Show what would be sent, and end. Asks nobody.")]
Out = Annotated[Path | None, typer.Option(help="Write what would be sent into this folder, and end.")]
Tail = Annotated[int | None, typer.Option(min=1, help="Only the last lines.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="A public address where anyone may ask is meant.")]
BundleFolder = Annotated[
    Path | None,
    bundle_option("The bundle in the image, a folder or NAME:VERSION; it is checked before anything is sent."),
]
Unchecked = Annotated[bool, typer.Option("--unchecked", help="Send without a check of the bundle.")]


class ApplyByDefault(TyperGroup):
    """A group whose command `apply` may be left away."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["apply", *args]
        return super().parse_args(ctx, args)


def shown_only(plan: Plan, *, plan_only: bool, out: Path | None, as_json: bool) -> bool:
    """Print or write the plan if that is all that was asked for; whether it was.

    Raises UsageError for a folder that cannot be written.
    """
    if out is not None:
        try:
            written = plan.write(out)
        except OSError as error:
            raise UsageError(
                f"--out: {error.filename or out} cannot be written: {error.strerror}.", hint="Name another folder."
            ) from None
        show({"written": [str(path) for path in written]} if as_json else "\n".join(str(path) for path in written))
    elif plan_only:
        show(plan.to_dict() if as_json else plan.describe())
    return plan_only or out is not None


def show_deployed(deployed: Deployment, curl: str, *, as_json: bool) -> None:
    """Where what was deployed is reached, and a command line that asks it."""
    if as_json:
        show({"name": deployed.name, "scoring_uri": deployed.scoring_uri, "curl": curl})
    else:
        place = f"answers at {deployed.scoring_uri}" if deployed.scoring_uri else "is ready inside the cluster"
        show(f"{deployed.name} {place}\n\n{curl}")


def show_status(status: Status, *, as_json: bool) -> None:
    """How one deployment is."""
    found = status.to_dict()
    show(found if as_json else "\n".join(f"{key:<10} {value}".rstrip() for key, value in found.items()))


def show_list(statuses: Sequence[Status], *, as_json: bool) -> None:
    """How all deployments are, a line each."""
    found = [status.to_dict() for status in statuses]
    if as_json:
        show(found)
    elif found:
        rows = [list(found[0]), *([str(value) for value in one.values()] for one in found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            show("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    else:
        show("Nothing is deployed there.")


def show_logs(name: str, text: str, *, as_json: bool) -> None:
    """What a deployment has logged."""
    if as_json:
        show({"name": name, "logs": text})
    else:
        typer.echo(text, nl=bool(text) and not text.endswith("\n"))


def show_keys(name: str, keys: Sequence[str], *, as_json: bool) -> None:
    """The keys that a request may carry, a line each, the primary first."""
    show({"name": name, "keys": [*keys]} if as_json else "\n".join(keys))


def show_deleted(name: str, slot: str | None = None, *, as_json: bool) -> None:
    """That a deployment is gone, or one of those behind an endpoint."""
    if as_json:
        show({"name": name, **({"slot": slot} if slot else {}), "deleted": True})
    else:
        show(f"{name}{f'/{slot}' if slot else ''} is deleted.")


def show(what: str | dict[str, Any] | list[dict[str, Any]]) -> None:
    """Text as it is, all else as JSON."""
    typer.echo(what if isinstance(what, str) else json.dumps(what, indent=2))


@contextmanager
def reporting() -> Iterator[Report]:
    """Shows each report in one moving line on a terminal, elsewhere a line for each that is new, with the seconds."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with _moving(console) if console.is_terminal else contextlib.nullcontext(_lines(console)) as report:
            yield report
    except KeyboardInterrupt:
        console.print("Interrupted. The same command goes on from what is there; nothing is doubled.")
        raise


@contextmanager
def _moving(console: Console) -> Iterator[Report]:
    began = time.monotonic()
    with console.status("") as moving:
        yield lambda text: moving.update(
            f"{time.monotonic() - began:4.0f} s  {text}"[: console.width - 4].replace("[", r"\[")
        )


def _lines(console: Console) -> Report:
    began = time.monotonic()
    said = [""]

    def report(text: str) -> None:
        if text != said[-1]:
            said.append(text)
            console.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False)

    return report
