"""What is going to be run, and in what surroundings: what the checks hold against what they find."""

from __future__ import annotations

from dataclasses import dataclass

from scorewright.errors import ScorewrightError  # noqa: TC001  # a dataclass's field


@dataclass(frozen=True)
class ProbeTimes:
    """How a target asks the service whether it is well, in seconds. The defaults are those of `scorewright deploy`."""

    start: float = 300
    """How long it may take until it is healthy for the first time."""
    timeout: float = 5


@dataclass(frozen=True)
class Times:
    """How long each may take for a request, from the client inwards, in seconds. None: nobody has said."""

    client: float | None = None
    gateway: float | None = None
    service: float | None = None
    """SCORING_TIMEOUT_MS, from a request's arrival to its answer; 0 is no limit."""
    queue: float | None = None
    """SCOREWRIGHT_MAX_QUEUE_WAIT_MS, the part of it before it is scored; 0 is no limit."""
    worker: float | None = None
    """WORKER_TIMEOUT, after which a scorer that answers nothing is replaced; 0 is no limit."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for by flags, a deployment's plan and the environment, in this order."""

    worker_count: int = 1
    host: str = "127.0.0.1"
    port: int = 5001
    port_given: bool = False
    memory: int | None = None
    """Bytes that there will be where it runs; None: as many as here."""
    place: str | None = None
    """The target: local, aci, aks, azureml, azureml-v1."""
    times: Times = Times()
    probes: ProbeTimes = ProbeTimes()
    fault: ScorewrightError | None = None
    """Why the service would not take this environment's settings."""
