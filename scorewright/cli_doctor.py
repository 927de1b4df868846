"""The command `scorewright doctor`."""

from __future__ import annotations

import json
import os
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scorewright.cli_bundle import bundle_option
from scorewright.errors import DoctorError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from scorewright.doctor.finding import Finding
    from scorewright.doctor.plan_file import Planned
    from scorewright.doctor.wanted import Wanted

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "not looked at": "dim"}


def doctor(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[URL|BUNDLE|IMAGE]",
            help="A running service, a bundle (a folder, or NAME:VERSION in the registry) or an image; "
            "this machine, unless given.",
            show_default=False,
        ),
    ] = None,
    bundle: Annotated[
        Path | None, bundle_option("The bundle that a service or image should have: its sample, its hash.")
    ] = None,
    worker_count: Annotated[
        int | None, typer.Option(min=1, help="The scorers that are asked for; $WORKER_COUNT or 1, unless given.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="The memory where it will run, like 512m or 2g; this machine's, unless given.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port that the service is to have.")] = None,
    target: Annotated[
        Literal["local", "aci", "aks", "azureml", "azureml-v1"] | None,
        typer.Option(help="Where it is to run: what lies before a service there gives requests a time of its own."),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="Take times and memory from what `scorewright deploy TARGET ... --plan --json` printed."),
    ] = None,
    client_timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds that clients wait for an answer.")
    ] = None,
    gateway_timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds that a gateway before the service waits for one.")
    ] = None,
    request_timeout_ms: Annotated[
        int | None, typer.Option(min=0, help="Milliseconds that the service gives a request.")
    ] = None,
    max_queue_wait_ms: Annotated[
        int | None, typer.Option(min=0, help="Milliseconds of it that a request may wait.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds that start-up probes leave it; 300, unless given.")
    ] = None,
    probe_timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds that a probe may take; 5, unless given.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="A file with the service's key. $SCOREWRIGHT_KEY is taken as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at this machine, a running service, a bundle or an image, and say what to do about what is wrong.

    Ends with exit code 18 if a check failed; warnings are none.
    """
    from scorewright.doctor.plan_file import read_plan

    wanted = _wanted(
        None if plan is None else read_plan(plan),
        target=target,
        worker_count=worker_count,
        memory=memory,
        port=port,
        client=client_timeout,
        gateway=gateway_timeout,
        service=request_timeout_ms,
        queue=max_queue_wait_ms,
        start=timeout,
        probe=probe_timeout,
        running=subject is not None and "://" in subject,
    )
    kind, run = _subject(subject, bundle, key_file, wanted)
    findings = _shown(kind, subject, run, as_json=as_json)
    failures = [finding.check for finding in findings if finding.result == "failed"]
    if failures:
        raise DoctorError(f"{len(failures)} of {len(findings)} checks failed: {', '.join(failures)}.")


def _subject(
    word: str | None, bundle: Path | None, key_file: Path | None, wanted: Wanted
) -> tuple[str, Callable[[Callable[[Finding], None]], list[Finding]]]:
    """What kind of thing is named, and what looks at it."""
    from scorewright.bundle import Bundle
    from scorewright.doctor.runner import examine
    from scorewright.registry.reference import bundle_or_image

    if word is None:
        from scorewright.doctor.machine.checks import CHECKS as OF_MACHINE

        _refuse(bundle, key_file, "this machine")
        return "machine", lambda say: examine(OF_MACHINE, wanted, say)
    expected = None if bundle is None else Bundle.load(bundle)
    if "://" in word:
        from scorewright.difference import difference
        from scorewright.doctor.service.checks import CHECKS as OF_SERVICE
        from scorewright.doctor.service.endpoint import Endpoint

        endpoint = Endpoint.of(word, key=_key(key_file), wanted=wanted, bundle=expected, difference=difference)
        return "service", lambda say: examine(OF_SERVICE, endpoint, say)
    folder = bundle_or_image(word)
    if folder is not None:
        from scorewright.doctor.bundle.checks import CHECKS as OF_BUNDLE
        from scorewright.doctor.bundle.patient import Patient

        _refuse(bundle, key_file, "a bundle")
        return "bundle", lambda say: examine(OF_BUNDLE, Patient(folder, wanted), say)
    from scorewright.doctor.image.checks import CHECKS as OF_IMAGE
    from scorewright.doctor.image.picture import Picture

    _refuse(None, key_file, "an image")
    picture = Picture.of(word, expected)
    return "image", lambda say: examine(OF_IMAGE, picture, say)


def _refuse(bundle: Path | None, key_file: Path | None, what: str) -> None:
    if bundle is not None:
        raise UsageError(f"--bundle says nothing of {what}.", hint="Give it with a service's URL, or an image.")
    if key_file is not None:
        raise UsageError(f"--key-file says nothing of {what}.", hint="Give it with a service's URL.")


def _key(key_file: Path | None) -> str | None:
    from scorewright.doctor.service.endpoint import KEY_VARIABLE

    if key_file is None:
        return os.environ.get(KEY_VARIABLE) or None
    try:
        return key_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--key-file {key_file} cannot be read: {getattr(error, 'strerror', error)}.") from None


def _wanted(planned: Planned | None, *, running: bool, **given: Any) -> Wanted:
    """A flag wins over the plan, the plan over the environment, which tells nothing of a service that runs."""
    from scorewright.deploy.settings import DeploySettings
    from scorewright.doctor.wanted import ProbeTimes, Times, Wanted
    from scorewright.service.settings import Settings, read

    fault = None
    try:
        settings: Any = read().settings
    except UsageError as error:
        fault, settings = error, Settings.model_construct()
    variables = planned.variables if planned else {}

    def told(flag: str, variable: str, setting: str, unit: float) -> float | None:
        value = given.get(flag)
        if value is None:
            value = variables.get(variable)
        if value is None and not running:
            value = getattr(settings, setting)
        try:
            return None if value is None else float(value) / unit
        except ValueError:
            raise UsageError(f"--plan: {variable} is {value!r}, which is no number.") from None

    memory = None if given["memory"] is None else DeploySettings.of("x", memory=given["memory"]).memory
    return Wanted(
        worker_count=int(told("worker_count", "WORKER_COUNT", "worker_count", 1) or 1),
        host=settings.host or "127.0.0.1",
        port=settings.port if given["port"] is None else given["port"],
        port_given=given["port"] is not None,
        memory=memory or (planned.memory if planned else None),
        place=given["target"] or (planned.place if planned else None),
        times=Times(
            client=given["client"],
            gateway=given["gateway"],
            service=told("service", "SCORING_TIMEOUT_MS", "scoring_timeout_ms", 1000),
            queue=told("queue", "SCOREWRIGHT_MAX_QUEUE_WAIT_MS", "max_queue_wait_ms", 1000),
            worker=told("worker", "WORKER_TIMEOUT", "worker_timeout", 1),
        ),
        probes=ProbeTimes(
            start=given["start"] or (planned.start if planned else None) or ProbeTimes.start,
            timeout=given["probe"] or (planned.probe_timeout if planned else None) or ProbeTimes.timeout,
        ),
        fault=fault,
    )


def _shown(
    kind: str, word: str | None, run: Callable[[Callable[[Finding], None]], list[Finding]], *, as_json: bool
) -> list[Finding]:
    """The findings, printed as JSON, as a table on a terminal, else a line each as it is found."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        findings = run(lambda _: None)
        counted = {result: sum(finding.result == result for finding in findings) for result in _COLOURS}
        shown = {"subject": word, "kind": kind, "counts": counted, "findings": [one.to_dict() for one in findings]}
        typer.echo(json.dumps(shown, indent=2))
        return findings
    if not console.is_terminal:
        return run(_line)
    with console.status("…") as status:
        findings = run(lambda finding: status.update(f"{finding.check} …"))
    _table(Console(highlight=False), findings)
    return findings


def _line(finding: Finding) -> None:
    typer.echo(f"{finding.result:<13} {finding.check:<12} {finding.said}")
    if finding.remedy:
        typer.echo(f"{'':<13} {'':<12} → {finding.remedy}")


def _table(console: Console, findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "check", "found, and what to do"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        words = Text(finding.said)
        if finding.remedy:
            words.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(Text(finding.result, style=_COLOURS[finding.result]), finding.check, words)
    console.print(table)
