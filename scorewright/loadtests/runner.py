"""A load test: its scenarios, one after the other."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from scorewright.errors import LoadTestError, ScorewrightError, UsageError
from scorewright.loadtests import batch_jobs, bulk_input, outcome
from scorewright.loadtests.batch_jobs import BatchJob
from scorewright.loadtests.bulk_input import BulkInput
from scorewright.loadtests.environment import environment
from scorewright.loadtests.locust_process import LocustProcess, Progress, Recorded
from scorewright.loadtests.measurements import Run
from scorewright.loadtests.plan import Plan
from scorewright.loadtests.rows import Rows

BULK_ROWS = 1000
"""How many different rows a bulk input has."""

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.loadtests.measurements import Bulk, Scenario
    from scorewright.loadtests.payloads import Payloads
    from scorewright.loadtests.plan import Payload
    from scorewright.loadtests.settings import Load, Settings


class Watcher(Protocol):
    """Is told what happens."""

    def begin(self, what: str, seconds: float) -> None:
        """Something begins that is counted for so many seconds."""

    def tick(self, progress: Progress) -> None:
        """What came back in the last second."""

    def job(self, done: int, total: int | None) -> None:
        """So many rows of a batch job are done."""


@dataclass
class LoadTest:
    """Everything that is needed; `run` does it."""

    payloads: Payloads
    settings: Settings
    bundle: Bundle | None
    told: dict[str, str | int | float | bool | None]
    """What the command was told, for the report."""
    watcher: Watcher
    _requests: dict[int, tuple[Payload, ...]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Everything that can be refused before there is any load. Raises LoadTestError or UsageError."""
        self.watcher.begin("asking for the right answers", 0)
        self.payloads.try_first()
        if {"bulk", "mixed"} & {*self.settings.scenarios}:
            self._bulk_source()
            batch_jobs.require(self.payloads.endpoint)
        self._requests = {size: self.payloads.of_size(size) for size in self.settings.sizes}

    def plan(self, rows: int, load: Load, seconds: float | None) -> Plan:
        """What Locust is told, for requests of so many rows."""
        return Plan(
            url=self.payloads.endpoint.url,
            name=outcome.labelled(rows),
            deployment=self.payloads.endpoint.deployment,
            payloads=self._requests[rows],
            users=load.users,
            rate=load.rate,
            warm_up=self.settings.warm_up,
            seconds=seconds,
            timeout=self.payloads.endpoint.timeout,
        )

    def run(self) -> Run:
        """All scenarios. One in which nothing is answered rightly is the last. Raises LoadTestError."""
        started, began = datetime.now(UTC), time.perf_counter()
        self.prepare()
        done: list[Scenario] = []
        for scenario in self._scenarios():
            done.append(scenario)
            if scenario.requests == scenario.failed:
                break
        return Run(
            url=self.payloads.endpoint.shown,
            started=started.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - began,
            environment=environment(self.payloads.server),
            settings={**self.told, "answers-compared": self.payloads.check, "different-answers": self._different},
            scenarios=tuple(done),
        )

    @property
    def _different(self) -> int | None:
        """How many different answers there are: if there is but one, a swapped answer would not be seen."""
        answers = {payload.answer for payloads in self._requests.values() for payload in payloads}
        return len(answers) if self.payloads.check and answers else None

    def _scenarios(self) -> Iterator[Scenario]:
        for name in self.settings.scenarios:
            match name:
                case "realtime":
                    yield self._loaded(name, 1)
                case "client-batch":
                    # One row a request is the same as real-time, if that is measured anyway.
                    yield from (
                        self._loaded(name, rows)
                        for rows in self.settings.rows
                        if rows > 1 or "realtime" not in self.settings.scenarios
                    )
                case "bulk":
                    with self._bulk_input() as given:
                        yield outcome.bulk_scenario(self._bulk(given))
                case "mixed":
                    with self._bulk_input() as given:
                        yield self._mixed(given)

    def _loaded(self, name: Literal["realtime", "client-batch"], rows: int) -> Scenario:
        steps = self.settings.ramp.steps if self.settings.ramp else (self.settings.load,)
        recorded: list[tuple[Load, Recorded]] = []
        for load in steps:
            asking = f"{load.users} at once" if load.rate is None else f"{load.rate:g} requests/s"
            what = f"{name}, {outcome.labelled(rows)}{f', {asking}' if len(steps) > 1 else ''}"
            recorded.append((load, self._locust(what, self.plan(rows, load, self.settings.duration))))
        scenario = outcome.load_scenario(name, rows, self.settings.duration, recorded, processes=self.settings.workers)
        return replace(scenario, answers_checked=self.payloads.check)

    def _locust(self, what: str, plan: Plan) -> Recorded:
        self.watcher.begin(what, plan.seconds or 0.0)
        process = LocustProcess(
            plan, self.payloads.endpoint.key, self.settings.workers, self.settings.web_port, self.watcher.tick
        )
        return process.run()

    def _bulk(self, given: BulkInput) -> Bulk:
        self.watcher.begin("bulk", 0)
        job = BatchJob(self.payloads.endpoint, given.input, given.output)
        try:
            job.submit()
            return job.wait(given.rows, self.watcher.job)
        except BaseException:
            _cancel(job)
            raise

    def _mixed(self, given: BulkInput) -> Scenario:
        """Real-time requests throughout; the job is submitted when they have been alone for the duration."""
        idle, load = self.settings.duration, self.settings.load
        beside = _Beside(BatchJob(self.payloads.endpoint, given.input, given.output), given.rows)
        thread = threading.Thread(target=beside.run, daemon=True)

        def tick(progress: Progress) -> None:
            self.watcher.tick(progress)
            if progress.elapsed >= idle and thread.ident is None:
                thread.start()

        plan = self.plan(1, load, 2 * idle + 1)
        self.watcher.begin("mixed, real-time requests before and beside a batch job", plan.seconds or 0.0)
        key, workers = self.payloads.endpoint.key, self.settings.workers
        try:
            recorded = LocustProcess(plan, key, workers, self.settings.web_port, tick).run()
            self.watcher.begin("mixed, the rest of the batch job", 0)
            if thread.ident is not None:
                thread.join()
        except BaseException:
            _cancel(beside.job)
            raise
        bulk = beside.result()
        scenario = outcome.mixed_scenario(
            load, recorded, bulk, idle=idle, began=beside.began, ended=beside.ended, processes=workers
        )
        if scenario is None:
            raise LoadTestError(
                f"The batch job of {bulk.rows} rows was over after {bulk.seconds:.1f} s: too soon to see what it costs "
                "real-time requests.",
                hint="Give it more rows with --bulk-rows, or a larger --bulk-input.",
            )
        return replace(scenario, answers_checked=self.payloads.check)

    def _bulk_input(self) -> AbstractContextManager[BulkInput]:
        source = self._bulk_source()
        if isinstance(source, BulkInput):
            return nullcontext(source)
        folder, bundle = source
        rows = Rows.of_bundle(bundle).varied(BULK_ROWS)
        return bulk_input.written(folder, bundle.manifest.signature, rows, self.settings.bulk_rows)

    def _bulk_source(self) -> BulkInput | tuple[Path, Bundle]:
        """An input that the endpoint has, or where to write one and what it is of."""
        if self.settings.bulk_input is not None:
            return bulk_input.elsewhere(self.settings.bulk_input)
        if self.settings.bulk_data is not None and self.bundle is not None:
            return self.settings.bulk_data, self.bundle
        raise UsageError(
            "The scenarios bulk and mixed need rows where the endpoint can read them.",
            hint="Give --bulk-input LOCATION as the endpoint sees it, or --bundle and --bulk-data DIR, the "
            "endpoint's data folder as seen here.",
        )


@dataclass
class _Beside:
    """A job that runs beside the requests, in a thread of its own."""

    job: BatchJob
    rows: int | None
    began: float = 0.0
    ended: float = 0.0
    _outcome: Bulk | ScorewrightError = field(default_factory=lambda: LoadTestError("The batch job never began."))

    def run(self) -> None:
        """Submit it and wait for it."""
        self.began = time.time()
        try:
            self.job.submit()
            self._outcome = bulk = self.job.wait(self.rows)
        except ScorewrightError as error:
            self._outcome = error
        else:
            # While its result is fetched the job is over.
            self.ended = time.time() - bulk.fetch_seconds

    def result(self) -> Bulk:
        """The job's figures, or the error that ended it."""
        if isinstance(self._outcome, ScorewrightError):
            raise self._outcome
        return self._outcome


def _cancel(job: BatchJob) -> None:
    try:
        job.cancel()
    except ScorewrightError:
        return  # the endpoint is gone, and what is said of that is already on its way
