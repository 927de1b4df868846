"""The command line: flags in, calls of the parts, errors out. Thin; the work is in the parts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from scorewright import __version__
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
