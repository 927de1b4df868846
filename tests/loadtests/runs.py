"""Runs made up, the same every time: what a load test of a small model could have measured."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

from scorewright.loadtests.measurements import (
    Bulk,
    Environment,
    Generator,
    Histogram,
    Point,
    Run,
    Scenario,
    Step,
)

FINE = Generator(processes=1, cpu_share=0.41, behind_seconds=0.0, limited=False, words="")
LIMITED = Generator(
    processes=1, cpu_share=0.98, behind_seconds=0.0, limited=True, words="Its busiest process used 98 % of a core."
)


@cache
def latencies(count: int, middle: float, seed: int) -> Histogram:
    """Milliseconds around a median, a few of them much longer."""
    luck = random.Random(seed)  # noqa: S311  # nothing to be secret
    return Histogram.of(
        middle * luck.lognormvariate(0, 0.12) * (1 + 0.12 * luck.expovariate(1) ** 2) for _ in range(count)
    )


def timeline(seconds: int, rate: float, middle: float, seed: int, failures: dict[int, int]) -> tuple[Point, ...]:
    """A point a second, `failures` by second among the requests."""
    luck = random.Random(seed)  # noqa: S311
    found = []
    for second in range(seconds):
        p50 = middle * luck.uniform(0.95, 1.08)
        requests, failed = round(rate * luck.uniform(0.94, 1.04)), failures.get(second, 0)
        found.append(Point(second, requests, failed, requests - failed, p50, p50 * 2.1, p50 * luck.uniform(2.6, 4.2)))
    return tuple(found)


def scenario(name: str = "realtime", rows: int = 1, **changed: object) -> Scenario:
    """A scenario of 30 s with 16 users, all of it well unless told otherwise."""
    rate, middle = {1: (930.0, 1.9), 10: (840.0, 2.2), 100: (610.0, 4.6)}.get(rows, (900.0, 2.0))
    rate, middle = float(changed.pop("rps", rate)), float(changed.pop("p50", middle))  # type: ignore[arg-type]
    seconds = int(changed.pop("seconds", 30))  # type: ignore[call-overload]
    failures: dict[int, int] = changed.pop("failing", {})  # type: ignore[assignment]
    points = timeline(seconds, rate, middle, rows, failures)
    requests = sum(point.requests for point in points)
    failed = sum(failures.values())
    values: dict[str, object] = {
        "name": name,
        "label": f"{rows:,} row{'' if rows == 1 else 's'} a request",
        "rows_per_request": rows,
        "loop": "closed",
        "users": 16,
        "rate": None,
        "seconds": float(seconds),
        "requests": requests,
        "failures": {"HTTP 503": failed} if failed else {},
        "examples": {"HTTP 503": "the queue is full"} if failed else {},
        "wrong_answers": 0,
        "answers_checked": True,
        "latency": latencies(requests - failed, middle, rows),
        "bytes_sent": requests * 420 * rows,
        "bytes_received": requests * 90 * rows,
        "timeline": points,
        "generator": FINE,
    }
    merged: dict[str, Any] = {**values, **changed}
    merged.setdefault("answered", merged["requests"] - sum(merged["failures"].values()))
    return Scenario(**merged)


def nothing(name: str = "realtime") -> Scenario:
    """A scenario in which nothing was asked."""
    return scenario(name, requests=0, latency=Histogram(), timeline=())


def bulk(rows: int = 200_000, seconds: float = 1.42) -> Scenario:
    """A bulk job."""
    job = Bulk(job_id="01JD", rows=rows, failed_rows=0, seconds=seconds, fetch_seconds=0.11)
    return scenario(
        "bulk",
        rows,
        label=f"{rows:,} rows",
        users=1,
        seconds=seconds,
        requests=1,
        latency=Histogram.of([1000 * (seconds + 0.11)]),
        timeline=(),
        bulk=job,
        answers_checked=False,
    )


def mixed() -> Scenario:
    """Real-time beside a bulk job, which doubles its latency."""
    before = timeline(15, 930.0, 1.9, 8, {})
    during = timeline(27, 520.0, 3.4, 9, {})
    return scenario(
        "mixed",
        label="one row a request while 2000000 rows are scored in bulk",
        rps=520.0,
        p50=3.4,
        seconds=27,
        timeline=before + tuple(replace(point, second=point.second + 15) for point in during),
        idle_latency=latencies(9000, 1.9, 7),
        bulk=Bulk(job_id="01JE", rows=2_000_000, failed_rows=0, seconds=27.4, fetch_seconds=0.4),
    )


def ramped(*, rate: bool = False) -> Scenario:
    """Real-time from 1 to 256 users (or 100 to 1600 requests a second) at a server that saturates."""
    steps = []
    loads = [100.0 * 2**power for power in range(5)] if rate else [float(2**power) for power in range(9)]
    for at, load in enumerate(loads):
        users = load / 70 if rate else load
        middle = 0.9 * (1 + (users / 9) ** 1.6) ** 0.62
        speed = min(load, 1100.0) if rate else users / (middle * 1.45 / 1000)
        values = latencies(round(speed * 5), middle, at)
        failures = 40 if load >= 256 and not rate else 0
        steps.append(
            Step(
                users=0 if rate else int(load),
                rate=load if rate else None,
                seconds=5.0,
                requests=values.total + failures,
                failures=failures,
                answered=values.total,
                latency=values,
                generator=FINE,
            )
        )
    failed = sum(step.failures for step in steps)
    return scenario(
        loop="open" if rate else "closed",
        users=0 if rate else 256,
        rate=loads[-1] if rate else None,
        seconds=5 * len(steps),
        requests=sum(step.requests for step in steps),
        failures={"HTTP 429": failed} if failed else {},
        latency=Histogram.merged(step.latency for step in steps),
        ramp=tuple(steps),
    )


def run(*scenarios: Scenario, **changed: object) -> Run:
    """A run of these scenarios, or of all kinds."""
    given = scenarios or (scenario(), scenario("client-batch", 10), scenario("client-batch", 100), bulk(), mixed())
    values: dict[str, object] = {
        "url": "http://127.0.0.1:5001/score",
        "started": "2026-11-21T16:00:00Z",
        "seconds": 142.6,
        "environment": Environment(
            versions={"scorewright": "0.1.0", "locust": "2.47.0", "python": "3.11.2"},
            machine={"system": "Linux 6.1.0", "processor": "A processor", "cores": "4"},
            server={"server": "scorewright 0.1.0", "model": "cancer 1"},
        ),
        "settings": {
            "scenario": "realtime,client-batch,bulk,mixed",
            "users": 16,
            "rate": None,
            "duration": 30.0,
            "rows": "10,100",
            "check_answers": True,
        },
        "scenarios": given,
    }
    return Run(**{**values, **changed})  # type: ignore[arg-type]
