"""What a web service of Azure ML's SDK v1 cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.deploy.azureml_v1_plan import OnAci, OnAksEndpoint, OnThisMachine
from scorewright.deploy.preflight import NameRule, require_guarded
from scorewright.deploy.settings import Probes, flag
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from scorewright.deploy.azureml_v1_plan import AzuremlV1Plan

NAMES = NameRule(
    r"[a-z][-a-z0-9]{1,30}[a-z0-9]", "3 to 32 lower-case letters, digits and hyphens, a letter first, no hyphen last"
)
_SIZES = ("cpu", "memory")
_SCALES = ("replicas", "autoscale", "max_concurrent_requests", "max_queue_wait_ms")


def require_v1_sendable(plan: AzuremlV1Plan, *, insecure: bool) -> None:
    """Raises UsageError for what can be planned and not sent: a service on this machine, or one that anyone could ask.

    A LocalWebservice is a container that the SDK builds here by a Dockerfile, and on a base image, that Azure hands out
    once it has built the environment. It is in no workspace, where state, logs and keys are looked up: the SDK finds
    it by a label of the container, and what it knows of it are pickles in others.
    """
    if isinstance(plan.place, OnThisMachine):
        raise UsageError(
            "--local is planned only: what SDK v1 runs on this machine is built from files that Azure makes, and no "
            "workspace knows of it.",
            hint="`scorewright deploy local IMAGE` runs the bundle's image here; --plan shows the LocalWebservice.",
        )
    require_guarded(plan.settings, public=True, insecure=insecure)


def check_v1_fits(plan: AzuremlV1Plan) -> None:
    """Raises UsageError with the limit named for what does not fit."""
    settings, place = plan.settings, plan.place
    NAMES.check(settings.name, "Azure ML (v1)")
    if hidden := sorted({*settings.secrets} - {*settings.auth_keys}):
        raise UsageError(
            f"--secret {hidden[0]}: Azure ML shows the variables of an environment to all who may read it.",
            hint="Only --auth-key may name secrets here. Let the script fetch others from a key vault.",
        )
    if len(settings.auth_keys) > 2:
        raise UsageError("A service has a primary and a secondary key, no third.", hint="Name two with --auth-key.")
    if isinstance(place, OnThisMachine):
        _refuse(plan, (*_SIZES, *_SCALES, "auth_keys"), "A local web service is one container without limits")
    if isinstance(place, OnAci):
        _refuse(plan, _SCALES, "On ACI a service is one container, and Azure's server scores one request at a time")
        given = settings.probes.model_copy(update={"start": Probes().start})
        if given != Probes():
            raise UsageError("On ACI, v1 sets the probes itself.", hint="Leave the --probe flags away.")
    if isinstance(place, OnAksEndpoint) and not 0 <= place.traffic <= 100:
        raise UsageError(f"--traffic {place.traffic}: it is a percentage, 0 to 100.")


def _refuse(plan: AzuremlV1Plan, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(plan.settings, name):
            raise UsageError(f"{why}: {flag(name)} cannot be.", hint="Deploy to AKS with --cluster for that.")
