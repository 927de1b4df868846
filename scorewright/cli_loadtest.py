"""`scorewright loadtest`: `scorewright loadtest URL` is short for `scorewright loadtest run URL`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scorewright.cli_bundle import bundle_option
from scorewright.cli_loadtest_compare import compare
from scorewright.errors import LoadTestError, LocationError, SloMissedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.loadtests.measurements import Run, ScenarioName
    from scorewright.loadtests.runner import LoadTest, Watcher
    from scorewright.loadtests.settings import Settings
    from scorewright.loadtests.slo import Slo

ERRORS = "errors<1%"
"""What is asked for where --slo says nothing of errors."""
LOCUSTFILE = Path(__file__).parent / "loadtests" / "locustfile.py"


class _RunByDefault(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


loadtest = typer.Typer(
    help="Load tests. `scorewright loadtest URL` is short for `scorewright loadtest run URL`.",
    cls=_RunByDefault,
    no_args_is_help=True,
)
loadtest.command("compare")(compare)


@loadtest.command("run")
def run(
    url: Annotated[str, typer.Argument(help="The scoring URL; without a path, its /score.", show_default=False)],
    bundle: Annotated[
        Path | None, bundle_option("The bundle that it serves: requests like its sample are sent.")
    ] = None,
    request: Annotated[
        Path | None, typer.Option(help="A file with a request as JSON, or several, one a line, in place of a bundle.")
    ] = None,
    scenario: Annotated[
        str,
        typer.Option(
            help="One or more of realtime (one row a request), client-batch (several), bulk (a batch job) and mixed "
            "(realtime while a batch job runs)."
        ),
    ] = "realtime,client-batch",
    users: Annotated[
        int | None,
        typer.Option(
            help="How many ask at once, each again when it has its answer: 8, unless given. With --rate, how many "
            "requests may be on their way at once: 256, unless given."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Requests a second to send, whatever comes back; latency counts from when each was due."),
    ] = None,
    ramp: Annotated[
        str | None,
        typer.Option(help="Raise the load by doubling it: users, like 1..256, or a rate, like 100..800/s."),
    ] = None,
    duration: Annotated[str, typer.Option(help="How long each scenario, of a ramp each step, is measured.")] = "30s",
    warm_up: Annotated[str, typer.Option(help="How long before that requests are sent and not counted.")] = "2s",
    rows: Annotated[str, typer.Option(help="The numbers of rows a client-batch request has.")] = "10,100",
    key_file: Annotated[
        Path | None, typer.Option(help="A file with the endpoint's key. $SCOREWRIGHT_KEY is taken as well.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The key itself; others on this machine may see it in a list of processes.")
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(help="The deployment to ask, as the header azureml-model-deployment.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long an answer may take before the request has failed.")] = "30s",
    check_answers: Annotated[
        bool,
        typer.Option(
            help="Compare each answer with the right one, which was asked for before there was any load. "
            "Off, only the status is looked at: for endpoints that answer otherwise each time."
        ),
    ] = True,
    slo: Annotated[
        str | None,
        typer.Option(
            help="What it is held to, like p99<50ms,errors<0.1%,bulk.rows/s>1e5. Unless it says so, errors<1%, but not "
            "for a ramp."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The report's folder: a page, JSON, Markdown and JUnit.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a report that is there already.")] = False,
    workers: Annotated[int, typer.Option(help="Generator processes. One sends a few thousand requests a second.")] = 1,
    web: Annotated[bool, typer.Option("--web", help="Show Locust's web interface while it runs.")] = False,
    web_port: Annotated[int, typer.Option(help="Its port, on 127.0.0.1.")] = 8089,
    bulk_data: Annotated[
        Path | None,
        typer.Option(help="The endpoint's data folder as seen here: the rows of a bulk job are written there."),
    ] = None,
    bulk_input: Annotated[
        str | None, typer.Option(help="A bulk job's input that is there already, as the endpoint sees it.")
    ] = None,
    bulk_rows: Annotated[int, typer.Option(help="Rows to write for a bulk job; fewer if they exceed 64 MB.")] = 100_000,
    plan: Annotated[
        Path | None,
        typer.Option(help="Write the requests and their answers to this file, for `locust -f` itself, and end."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Measure how fast an endpoint answers, and whether rightly, at what load."""
    from rich.console import Console

    from scorewright.loadtests import report, settings
    from scorewright.loadtests.display import Display
    from scorewright.loadtests.slo import Slo

    scenarios = settings.read_scenarios(scenario)
    raised = settings.read_ramp(ramp, workers=workers) if ramp is not None else None
    if raised and (users is not None or rate is not None):
        raise UsageError("--ramp says how many users or requests a second there are: leave --users and --rate out.")
    if raised and "mixed" in scenarios:
        raise UsageError("The scenario mixed has one load: leave it, or --ramp, out.")
    wanted = settings.Settings(
        scenarios=scenarios,
        load=settings.read_load(users, rate, workers=workers),
        ramp=raised,
        rows=settings.read_rows(rows),
        duration=settings.read_seconds(duration, "--duration", least=1),
        warm_up=settings.read_seconds(warm_up, "--warm-up", least=0),
        workers=workers,
        web_port=web_port if web else None,
        bulk_data=bulk_data,
        bulk_input=bulk_input,
        bulk_rows=bulk_rows,
    )
    if bulk_rows < 1:
        raise UsageError(f"--bulk-rows {bulk_rows} must be a number of rows, from 1.")
    held = Slo.parse(slo) if slo is not None else None
    if not raised:
        held = _with_errors(held, scenarios)
    if out is not None:
        report.require_free(out, force=force)
    told = {
        "scenario": scenario, "users": None if raised else wanted.load.users, "rate": rate, "ramp": ramp,
        "duration": duration, "warm-up": warm_up, "rows": rows, "timeout": timeout, "workers": workers,
        "deployment": deployment,
    }  # fmt: skip
    console = Console(stderr=True)
    with _ended_in_order(), Display(console) as display:
        test = _test(
            url,
            bundle,
            request,
            key=_key(key, key_file),
            deployment=deployment,
            timeout=settings.read_seconds(timeout, "--timeout", least=0.1),
            check=check_answers,
            wanted=wanted,
            told=told,
            watcher=display,
        )
        if plan is not None:
            test.prepare()
            _write_plan(test, plan)
            return
        measured = test.run()
    written = report.Report.of(measured, held)
    # Printed first: what took an hour is not lost with a full disk.
    typer.echo(written.to_json() if as_json else written.files()["report.md"], nl=False)
    if out is not None:
        written.write(out, force=force)
    if out is not None and not as_json:
        typer.echo(f"\nWrote {out / 'report.html'}")
    _enforce(measured, held)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: neither the load nor a batch job and its input are left behind."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _with_errors(slo: Slo | None, scenarios: tuple[ScenarioName, ...]) -> Slo:
    """The SLO, and ERRORS of each scenario of whose errors it says nothing: who refuses half of all is not fast."""
    from scorewright.loadtests.slo import Slo

    asked = [clause for clause in slo.clauses if clause.figure == "errors"] if slo else []
    left = [name for name in scenarios if not any(clause.concerns(name) for clause in asked)]
    added = [ERRORS] if not asked else [f"{name}.{ERRORS}" for name in left]
    return Slo.parse(",".join([*([slo.text] if slo else []), *added]))


def _test(
    url: str,
    bundle: Path | None,
    request: Path | None,
    *,
    key: str | None,
    deployment: str | None,
    timeout: float,
    check: bool,
    wanted: Settings,
    told: dict[str, Any],
    watcher: Watcher,
) -> LoadTest:
    # Importing it would have gevent patch this process.
    if find_spec("locust") is None:
        raise LoadTestError(
            "Locust, which makes the load, is not installed.", hint="pip install 'scorewright[loadtest]'"
        )
    from scorewright.bundle import Bundle
    from scorewright.loadtests.endpoint import Endpoint
    from scorewright.loadtests.payloads import Payloads
    from scorewright.loadtests.runner import LoadTest

    endpoint = Endpoint.of(url, key=key, deployment=deployment, timeout=timeout)
    if bundle is not None and request is None:
        loaded = Bundle.load(bundle)
        told = {**told, "bundle": f"{loaded.manifest.name} {loaded.manifest.version}"}
        return LoadTest(Payloads.of_bundle(loaded, endpoint, check=check), wanted, loaded, told, watcher)
    if request is not None and bundle is None:
        return LoadTest(Payloads.of_file(request, endpoint, check=check), wanted, None, told, watcher)
    raise UsageError(
        "There is nothing to send." if bundle is None else "--bundle and --request are both given.",
        hint="Give the bundle that the endpoint serves with --bundle, or a request with --request FILE.",
    )


def _key(key: str | None, key_file: Path | None) -> str | None:
    from scorewright.loadtests.endpoint import KEY_VARIABLE, read_key

    if key is not None and key_file is not None:
        raise UsageError("--key and --key-file are both given.")
    if key_file is not None:
        return read_key(key_file)
    return key if key is not None else os.environ.get(KEY_VARIABLE) or None


def _write_plan(test: LoadTest, path: Path) -> None:
    sizes = test.settings.sizes
    if len(sizes) != 1:
        raise UsageError(
            "--plan is of requests of one size.",
            hint="Ask for --scenario realtime, or for --scenario client-batch with one number of --rows.",
        )
    try:
        path.write_text(test.plan(sizes[0], test.settings.load, None).to_json(), "utf-8")
    except OSError as error:
        raise LocationError(f"{path} cannot be written: {error.strerror}.") from None
    users = test.settings.load.users
    typer.echo(f"Wrote {path}. Next: locust -f {LOCUSTFILE} --plan {path} --users {users} --spawn-rate {users}")


def _enforce(run: Run, slo: Slo | None) -> None:
    """Raise what makes the command end with another code than 0."""
    from scorewright.loadtests.slo import enforce

    for scenario in run.scenarios:
        if scenario.requests == scenario.failed:
            kinds = ", ".join(f"{count} x {kind}" for kind, count in scenario.failures.items())
            raise LoadTestError(
                f"No request of {scenario.name}, {scenario.label}, was answered rightly: {kinds or 'there was none'}."
                f"{''.join(f' The first {kind}: {words}.' for kind, words in scenario.examples.items() if words)}",
                hint="The scenarios after it were left out.",
            )
    wrong = sum(scenario.wrong_answers for scenario in run.scenarios)
    if wrong:
        first = next(words for scenario in run.scenarios if (words := scenario.examples.get("wrong answer")))
        raise SloMissedError(f"{wrong} answers were wrong. The first: {first}.")
    if slo is not None:
        enforce(slo.judge(run))
