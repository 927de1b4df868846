"""From what the generator counted to what is reported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from scorewright.loadtests.measurements import Bulk, Generator, Histogram, Point, Scenario, Step
from scorewright.loadtests.recorder import LATE_SECONDS, WRONG, Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorewright.loadtests.locust_process import Recorded
    from scorewright.loadtests.settings import Load

BUSY = 0.9
"""A process that used so much of a core had no time to spare."""
LATE_SHARE = 0.01
"""The share of requests that may be sent late."""


OWN_SHARE = 0.1
"""The share of a user's time that the generator may take for itself, where the next request waits for the last."""


def generator(recorded: Recorded, load: Load, processes: int) -> Generator:
    """Whether the generator kept up, from what it tells of itself."""
    recorder = recorded.recorder
    requests = recorder.counted().requests
    why = []
    if recorder.cpu_share >= BUSY:
        why.append(f"its busiest process used {recorder.cpu_share * 100:.0f} % of a core")
    elif load.rate is None and (own := recorder.cpu_share * processes / load.users) > OWN_SHARE:
        why.append(
            f"its own work took {own * 100:.0f} % of each user's time, so that the endpoint was asked less often"
        )
    if requests and (late := recorder.late / requests) > LATE_SHARE:
        why.append(
            f"{late * 100:.0f} % of the requests were sent more than {LATE_SECONDS * 1000:g} ms late, "
            f"the latest {recorder.behind_seconds * 1000:.0f} ms, though a connection was free"
        )
    if recorded.lost:
        why.append(f"{recorded.lost} of its {processes} processes died, and their share of the load is missing")
    words = "; ".join(why)
    words = f"{words[0].upper()}{words[1:]}." if why else ""
    return Generator(processes, recorder.cpu_share, recorder.behind_seconds, bool(why), words)


def load_scenario(
    name: Literal["realtime", "client-batch"],
    rows: int,
    seconds: float,
    steps: Sequence[tuple[Load, Recorded]],
    *,
    processes: int,
) -> Scenario:
    """A scenario of one load, or of the steps of a ramp, each of so many seconds."""
    counted = [recorded.recorder.counted() for _, recorded in steps]
    kept_up = [generator(recorded, load, processes) for load, recorded in steps]
    total = Cell()
    for cell in counted:
        total.merge(cell)
    ramp = tuple(
        Step(
            users=0 if load.rate is not None else load.users,
            rate=load.rate,
            seconds=seconds,
            requests=cell.requests,
            failures=sum(cell.failures.values()),
            answered=cell.answered,
            latency=cell.latency,
            generator=kept,
        )
        for (load, _), cell, kept in zip(steps, counted, kept_up, strict=True)
    )
    heaviest = steps[-1][0]
    return Scenario(
        name=name,
        label=labelled(rows),
        rows_per_request=rows,
        loop="closed" if heaviest.rate is None else "open",
        users=heaviest.users if heaviest.rate is None else 0,
        rate=heaviest.rate,
        seconds=seconds * len(steps),
        requests=total.requests,
        failures=total.failures,
        wrong_answers=total.failures.get(WRONG, 0),
        answered=total.answered,
        latency=total.latency,
        bytes_sent=total.sent,
        bytes_received=total.received,
        timeline=tuple(
            point
            for number, (_, recorded) in enumerate(steps)
            for point in timeline(recorded, seconds, offset=round(number * seconds))
        ),
        generator=max(kept_up, key=lambda kept: (kept.limited, kept.cpu_share)),
        ramp=ramp if len(ramp) > 1 else (),
        examples={kind: words for _, recorded in steps for kind, words in recorded.recorder.examples.items()},
    )


def bulk_scenario(bulk: Bulk) -> Scenario:
    """A job by itself."""
    took = bulk.seconds + bulk.fetch_seconds
    return Scenario(
        name="bulk",
        label=f"{bulk.rows} rows a job",
        rows_per_request=bulk.rows,
        loop="closed",
        users=1,
        rate=None,
        seconds=took,
        requests=1,
        failures={},
        wrong_answers=0,
        answered=1,
        latency=Histogram.of([took * 1000]),
        bytes_sent=0,
        bytes_received=0,
        timeline=(),
        generator=Generator(1, 0.0, 0.0, limited=False, words=""),
        bulk=bulk,
    )


def mixed_scenario(
    load: Load, recorded: Recorded, bulk: Bulk, *, idle: float, began: float, ended: float, processes: int
) -> Scenario | None:
    """Real-time requests before and while a job ran, which began and ended at these times of time.time().

    Only whole seconds count; None if the job did not last for one. `idle` is how long it was idle before.
    """
    first, last = math.ceil(began - recorded.zero), math.floor(ended - recorded.zero)
    seconds = sorted(second for second in recorded.recorder.cells if second >= 0)
    last = min(last, seconds[-1] + 1) if seconds else first
    if last <= first:
        return None
    during = recorded.recorder.counted(first, last)
    # A wrong answer is one whenever it comes, before the job and after it, too.
    elsewhere = recorded.recorder.counted().failures.get(WRONG, 0) - during.failures.get(WRONG, 0)
    if elsewhere:
        during.requests += elsewhere
        during.failures[WRONG] = during.failures.get(WRONG, 0) + elsewhere
    return Scenario(
        name="mixed",
        label=f"{labelled(1)} while {bulk.rows} rows are scored in bulk",
        rows_per_request=1,
        loop="closed" if load.rate is None else "open",
        users=load.users if load.rate is None else 0,
        rate=load.rate,
        seconds=float(last - first),
        requests=during.requests,
        failures=during.failures,
        wrong_answers=during.failures.get(WRONG, 0),
        answered=during.answered,
        latency=during.latency,
        bytes_sent=during.sent,
        bytes_received=during.received,
        timeline=timeline(recorded, max(last, math.ceil(idle))),
        generator=generator(recorded, load, processes),
        bulk=bulk,
        idle_latency=recorded.recorder.counted(0, min(first, math.floor(idle))).latency,
        examples=recorded.recorder.examples,
    )


def timeline(recorded: Recorded, seconds: float, offset: int = 0) -> tuple[Point, ...]:
    """A point for each second, those without a request, too."""
    cells = recorded.recorder.cells
    return tuple(cells.get(second, Cell()).point(second + offset) for second in range(math.ceil(seconds)))


def labelled(rows: int) -> str:
    """So many rows a request, in words."""
    return "one row a request" if rows == 1 else f"{rows} rows a request"
