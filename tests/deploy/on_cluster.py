"""A deployment on the cluster that stands in for one."""

from __future__ import annotations

from typing import Any

from scorewright.deploy.aks_place import AksPlace
from scorewright.deploy.aks_target import Aks
from scorewright.deploy.settings import DeploySettings

IMAGE = "acme.azurecr.io/churn@sha256:" + "0" * 64


def target(**place: Any) -> Aks:
    """A namespace of the cluster; it is looked at often."""
    return Aks(AksPlace("ml", **place), poll_seconds=0.01)


def apply(where: Aks | None = None, said: list[str] | None = None, **given: Any) -> Any:
    """Deploy there, or in dev, and give it a second; what is reported is added to `said`."""
    there = where or target(overlay="dev")
    todo = there.plan(DeploySettings.of(IMAGE, **{"probes": {"start": 1}, **given}))
    return there.apply(todo, (said if said is not None else []).append)
