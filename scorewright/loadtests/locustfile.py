"""The Locust file: users that score, and check each answer.

`scorewright loadtest` runs it, and `locust -f` does as well: it reads a plan that `scorewright loadtest --plan` wrote.
"""

from __future__ import annotations

import os
import ssl
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import gevent
from locust import FastHttpUser, constant, events, task
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from scorewright.errors import LoadTestError
from scorewright.loadtests.collector import Collector, tell
from scorewright.loadtests.endpoint import KEY_VARIABLE, headers, without_key
from scorewright.loadtests.plan import Plan
from scorewright.loadtests.recorder import Recorder
from scorewright.loadtests.share import Share

if TYPE_CHECKING:
    from locust.env import Environment

MEASURED = "scorewright-measured"
PAUSE_SECONDS = 0.1
"""How long a user waits who was not even answered: at a refused connection he would be back in no time at all, and
a second's absence of the server would weigh more than a minute's work."""
HOOKS: Any = events  # their types say less than what they take


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()


class ScoringUser(FastHttpUser):
    """Sends a plan's requests, each as soon as its turn has come, and takes an answer for a success if it is right."""

    wait_time = constant(0)
    insecure = False
    # Reading the certificates takes 20 ms: once for all users, not once for each.
    ssl_context_factory = staticmethod(_certificates)
    share: ClassVar[Share]
    path: ClassVar[str]
    key: ClassVar[str | None]
    sent_headers: ClassVar[dict[str, str]]

    @task
    def score(self) -> None:
        """One request and its answer."""
        share = self.share
        if (due := share.take()) is None:
            raise StopUser
        body = share.body()
        number = share.sent(due)
        now = time.perf_counter()
        with self.client.post(
            self.path,
            data=body.sent,  # type: ignore[arg-type]  # it says str and takes bytes
            headers=self.sent_headers,
            name=share.plan.name,
            catch_response=True,
            allow_redirects=False,
        ) as response:
            received = response.content
            error = getattr(response, "error", None)
            told = without_key(received or b"", self.key) if response.status_code != 200 else received
            failure, words = body.judge(response.status_code, told, error, share.plan.timeout)
            latency_ms = (now - due.since) * 1000 + response.request_meta["response_time"]
            share.ended(number, latency_ms, failure, len(body.sent), len(received or b""), words)
            if response.status_code == 0 and share.plan.rate is None:
                gevent.sleep(PAUSE_SECONDS)
            if failure:
                response.failure(f"{failure}: {words}" if words else failure)
            else:
                response.success()


def _options(parser: Any) -> None:
    parser.add_argument(
        "--plan",
        env_var="SCOREWRIGHT_LOADTEST_PLAN",
        default="",
        include_in_web_ui=False,
        help="The plan that `scorewright loadtest URL --bundle BUNDLE --plan FILE` wrote: requests and their answers.",
    )


def _init(environment: Environment, **others: Any) -> None:
    try:
        plan = _plan(environment)
    except LoadTestError as error:
        sys.exit(f"Error: {error.message}\n  {error.hint}")
    parts = urlsplit(environment.host or plan.url)
    # A host given with -H replaces the plan's; the plan's path stays, unless that has one of its own.
    base = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    asked = urlsplit(plan.url)
    environment.host = base
    ScoringUser.host = base
    ScoringUser.path = parts.path.rstrip("/") or f"{asked.path}{f'?{asked.query}' if asked.query else ''}"
    ScoringUser.key = os.environ.get(KEY_VARIABLE)
    ScoringUser.sent_headers = headers(ScoringUser.key, plan.deployment)
    ScoringUser.network_timeout = ScoringUser.connection_timeout = plan.timeout
    ScoringUser.share = Share(plan)
    if plan.seconds is None:
        _unmeasured(environment.runner)
    else:
        _measured(environment.runner, others.get("web_ui"))


def _plan(environment: Environment) -> Plan:
    given = environment.parsed_options.plan if environment.parsed_options else ""
    if not given:
        raise LoadTestError(
            "There is no plan: give --plan FILE, or set SCOREWRIGHT_LOADTEST_PLAN.",
            hint="`scorewright loadtest URL --bundle BUNDLE --plan FILE` writes one.",
        )
    return Plan.read(Path(given))


def _unmeasured(runner: Any) -> None:
    """Under `locust` alone, which counts the requests: they go out from the first moment on, at a rate when all users
    are there."""
    if ScoringUser.share.plan.rate is None:
        ScoringUser.share.begin(users=1, all_users=1)

    def ready(user_count: int, **_: Any) -> None:
        if not isinstance(runner, MasterRunner):
            ScoringUser.share.begin(users=runner.user_count, all_users=user_count, process=_number(runner))

    HOOKS.spawning_complete.add_listener(ready)


def _number(runner: Any) -> int:
    return max(0, runner.worker_index) if isinstance(runner, WorkerRunner) else 0


def _measured(runner: Any, web_ui: Any) -> None:
    share = ScoringUser.share
    collector = Collector(share.plan, processes=1)

    if isinstance(runner, MasterRunner):
        runner.register_message(MEASURED, lambda msg, **_: collector.take(Recorder.from_wire(msg.data)))

    def deliver(delivered: Recorder) -> None:
        if isinstance(runner, WorkerRunner):
            runner.send_message(MEASURED, delivered.to_wire())
        else:
            collector.take(delivered)

    def collect() -> None:
        # Nobody reads any more: the command was killed, and the load ends with it.
        with suppress(BrokenPipeError):
            collector.follow()
        runner.quit()
        if web_ui:
            web_ui.stop()

    begun: list[bool] = []

    def ready(user_count: int, **_: Any) -> None:
        if begun:
            return  # somebody has changed the number of users in the web interface
        begun.append(True)
        if not isinstance(runner, MasterRunner):
            share.begin(users=runner.user_count, all_users=user_count, process=_number(runner))
            gevent.spawn(share.follow, deliver)
        if isinstance(runner, MasterRunner):
            collector.processes = runner.worker_count
        if not isinstance(runner, WorkerRunner):
            gevent.spawn(collect)

    def stopped(**_: Any) -> None:
        if not isinstance(runner, WorkerRunner) and collector.done < collector.processes:
            tell("stopped", {})
            runner.quit()

    HOOKS.spawning_complete.add_listener(ready)
    HOOKS.test_stopping.add_listener(stopped)


HOOKS.init_command_line_parser.add_listener(_options)
HOOKS.init.add_listener(_init)
