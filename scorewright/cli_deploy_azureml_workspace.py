"""The flags that say which Azure ML workspace is meant."""

from __future__ import annotations

from typing import Annotated

import typer

_CONFIG = "that of config.json, unless given."

Subscription = Annotated[str | None, typer.Option(help=f"The subscription's id; {_CONFIG}", show_default=False)]
ResourceGroup = Annotated[str | None, typer.Option(help=f"The resource group; {_CONFIG}", show_default=False)]
WorkspaceName = Annotated[
    str | None, typer.Option("--workspace", help=f"The Azure ML workspace; {_CONFIG}", show_default=False)
]
