"""What lies between a client and the service, target by target, that gives a request its time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Between:
    """Who gives up on a request, and after how many seconds."""

    who: str
    seconds: float
    least: bool
    """Whether this can be raised; else it is what the target gives at most."""


BETWEEN = {
    "aci": Between("Azure's load balancer, which drops what is silent for so long,", 240, True),
    "aks": Between("Azure's load balancer, which drops what is silent for so long,", 240, True),
    "azureml": Between("Azure ML, which gives a request so long at most,", 180, False),
}
"""aci, aks: the idle time-out of Azure Load Balancer unless it is told otherwise. azureml: the greatest
`request_timeout_ms` of an online deployment."""
