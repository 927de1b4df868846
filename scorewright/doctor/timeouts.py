"""The chain of time-outs: who is nearer to the client must be the more patient one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped, warning
from scorewright.doctor.places import BETWEEN
from scorewright.doctor.words import seconds

if TYPE_CHECKING:
    from scorewright.doctor.wanted import Wanted

AZURES_DEFAULT = 3600
"""What the service gives a request unless it is told otherwise."""

LATE = 0.25
"""How much later than its time a request may be answered, in seconds: docs/service.md, Time."""


def judge(wanted: Wanted) -> Outcome:
    """Whether client > gateway > service > queue holds, as far as anybody has said."""
    times = wanted.times
    service, gateway, client = times.service, times.gateway, times.client
    if service is None:
        return skipped(
            "how long the service gives a request is not known from here",
            "Name it with --request-timeout-ms, or a deployment's plan with --plan.",
        )
    told = "no limit" if service == 0 else seconds(service)
    within = float("inf") if service == 0 else service + LATE
    between = BETWEEN.get(wanted.place or "")
    if gateway is None and between is not None and within > between.seconds:
        weigh = warning if between.least else failed
        return weigh(
            f"the service gives a request {told}, and {between.who} {seconds(between.seconds)}",
            f"Set --request-timeout-ms below {between.seconds * 1000:.0f}; score what takes longer as a batch job.",
        )
    if gateway is not None and within >= gateway:
        return failed(
            f"the gateway gives up after {seconds(gateway)}, the service only after {told}: "
            "it would go on scoring for nobody",
            f"Set the service's --request-timeout-ms below {gateway * 1000:.0f}, or give the gateway more.",
        )
    if client is not None and gateway is not None and gateway >= client:
        return failed(
            f"the client gives up after {seconds(client)}, the gateway only after {seconds(gateway)}",
            f"Give the client more than {seconds(gateway)}, or the gateway less.",
        )
    if client is not None and within >= client:
        return failed(
            f"the client gives up after {seconds(client)}, the service only after {told}: "
            "it would go on scoring for nobody",
            f"Set the service's --request-timeout-ms below {client * 1000:.0f}, or give the client more.",
        )
    if times.queue and service and times.queue >= service:
        return warning(
            f"a request may wait {seconds(times.queue)} to be scored, and has {told} in all",
            "Set --max-queue-wait-ms below --request-timeout-ms: who waits in vain should hear 503, and when to retry.",
        )
    if times.worker and service != AZURES_DEFAULT and within > times.worker:
        return warning(
            f"a request has {told}, but a scorer that answers nothing for {seconds(times.worker)} is replaced",
            "Raise WORKER_TIMEOUT above it, or give a request less.",
        )
    if client is None and gateway is None and between is None:
        return skipped(
            f"the service gives a request {told}; who is before it, nobody has said",
            "Name their time-outs, in seconds, with --client-timeout and --gateway-timeout.",
        )
    chain = [
        f"{who} {seconds(count)}"
        for who, count in (("client", client), ("gateway", gateway), ("service", service))
        if count
    ]
    return ok(" > ".join(chain))


CHECK: Check[Wanted] = Check("timeouts", "the time that client, gateway, service and queue give a request", judge)
