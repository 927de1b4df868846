"""The flags that every `scorewright deploy TARGET` has: the words of DeploySettings."""

from __future__ import annotations

import functools
import inspect
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.deploy.settings import DeploySettings


def takes_settings(command: Callable[..., None], image_of: Callable[[str], str] = str) -> Callable[..., None]:
    """A command whose first parameter, `settings`, is made from flags that come before the command's own.

    `image_of` makes the image's name from the word that stands in its place; a parameter `source` gets that word.
    """
    shared = list(_signature(_settings))
    own = [parameter for parameter in _signature(command) if parameter.name not in ("settings", "source")]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        flags = {parameter.name: given.pop(parameter.name) for parameter in shared}
        if "source" in inspect.signature(command).parameters:
            given["source"] = flags["image"]
        flags["image"] = image_of(flags["image"])
        command(settings=_settings(**flags), **given)

    del run.__wrapped__  # typer would read the other signature
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*shared, *own)]
    )
    run.__annotations__ = {}
    return run


def _signature(function: Callable[..., Any]) -> list[inspect.Parameter]:
    # `settings` and what is returned are named for type checkers alone.
    names = dict.fromkeys(("DeploySettings", "Callable"), Any)
    hints = get_type_hints(function, localns=names, include_extras=True)
    return [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(function).parameters.values()
    ]


def _settings(
    image: Annotated[str, typer.Argument(help="An image that `scorewright build` made.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="The deployment's name; the image's, unless given.")] = None,
    cpu: Annotated[float | None, typer.Option(help="Cores, like 0.5 or 2.")] = None,
    memory: Annotated[str | None, typer.Option(help="The most it may take, like 512m or 2g.")] = None,
    replicas: Annotated[int | None, typer.Option(help="How many run side by side.")] = None,
    autoscale: Annotated[
        str | None,
        typer.Option(help="As many as the load asks for: MIN-MAX, or MIN-MAX@PERCENT of the CPU that each is to use."),
    ] = None,
    timeout: Annotated[int | None, typer.Option(help="Seconds it has to become healthy; 300, unless given.")] = None,
    request_timeout_ms: Annotated[
        int | None, typer.Option(help="Milliseconds in which a request must be answered.")
    ] = None,
    max_concurrent_requests: Annotated[
        int | None, typer.Option(help="Requests that one replica takes on at once, waiting and being scored.")
    ] = None,
    max_queue_wait_ms: Annotated[
        int | None, typer.Option(help="Milliseconds that a request may wait before it is scored.")
    ] = None,
    probe_period: Annotated[int | None, typer.Option(help="Seconds between two looks at its health.")] = None,
    probe_timeout: Annotated[int | None, typer.Option(help="Seconds that each of them may take.")] = None,
    probe_failures: Annotated[int | None, typer.Option(help="So many bad ones in a row mean it is not well.")] = None,
    auth: Annotated[Literal["none", "key"], typer.Option(help="Who may ask: everybody, or who knows a key.")] = "none",
    auth_key: Annotated[
        list[str] | None, typer.Option(help="A --secret that is such a key, the primary first. Repeat it.")
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, or NAME to pass this shell's value on. Anyone may read it. Repeat it."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="NAME to pass this shell's value on, or NAME=@FILE. Never shown again. Repeat it."),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, kept with the deployment. Repeat it.")] = None,
) -> DeploySettings:
    from scorewright.deploy.settings import DeploySettings

    probes = {"start": timeout, "period": probe_period, "timeout": probe_timeout, "failures": probe_failures}
    return DeploySettings.of(
        image,
        name=name,
        cpu=cpu,
        memory=memory,
        replicas=replicas,
        autoscale=_autoscale(autoscale),
        request_timeout_ms=request_timeout_ms,
        max_concurrent_requests=max_concurrent_requests,
        max_queue_wait_ms=max_queue_wait_ms,
        probes={key: value for key, value in probes.items() if value is not None},
        auth=auth,
        auth_keys=tuple(auth_key or ()),
        env=dict(_variable(one) for one in env or ()),
        secrets=dict(_secret(one) for one in secret or ()),
        tags=dict(_tag(one) for one in tag or ()),
    )


def _autoscale(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(?P<min>\d+)-(?P<max>\d+)(?:@(?P<target>\d+)%?)?", text)
    if found is None:
        raise UsageError(f"--autoscale {text!r} cannot be read.", hint="Write it like 2-10 or 2-10@70.")
    return {key: int(value) for key, value in found.groupdict().items() if value is not None}


def _variable(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    return name, value if equals else _of_shell("--env", name, "Write it as NAME=VALUE.")


def _secret(given: str) -> tuple[str, str]:
    name, equals, place = given.partition("=")
    if not equals:
        return name, _of_shell("--secret", name, "Export it, or write NAME=@FILE.")
    if not place.startswith("@"):
        raise UsageError(
            f"--secret {name}: a value on the command line stays in the shell's history and is seen by everyone here.",
            hint=f"Export it and write --secret {name}, or put it into a file and write --secret {name}=@FILE.",
        )
    try:
        return name, Path(place[1:]).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"--secret {name}: {place[1:]} cannot be read: {reason}.") from None


def _tag(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not name or not equals:
        raise UsageError(f"--tag {given!r} cannot be read.", hint="Write it as NAME=VALUE.")
    return name, value


def _of_shell(flag: str, name: str, hint: str) -> str:
    if name not in os.environ:
        raise UsageError(f"{flag} {name}: this shell has no such variable.", hint=hint)
    return os.environ[name]
