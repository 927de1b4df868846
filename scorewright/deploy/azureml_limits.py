"""What an Azure ML online endpoint cannot be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scorewright.deploy.azureml_plan import Managed
from scorewright.deploy.preflight import NameRule
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from scorewright.deploy.azureml_plan import Kubernetes
    from scorewright.deploy.settings import DeploySettings

NAMES = NameRule(
    r"[a-zA-Z]([-a-zA-Z0-9]{1,30})[a-zA-Z0-9]",
    "3 to 32 letters, digits and hyphens, a letter first, no hyphen last",
)
LONGEST_REQUEST = 180_000
"""Milliseconds that Azure ML gives a request at most."""


def check_fits(settings: DeploySettings, kind: Managed | Kubernetes, slot: str) -> None:
    """Raises UsageError with the limit named for what an Azure ML online endpoint cannot be."""
    where = "Azure ML"
    NAMES.check(settings.name, where)
    if not re.fullmatch(NAMES.pattern, slot):
        raise UsageError(f"--slot {slot!r} cannot be a deployment's name on {where}: it takes {NAMES.words}.")
    if not settings.image.registry:
        raise UsageError(
            f"Azure ML cannot pull {settings.image}: it is on this machine, or on Docker Hub.",
            hint=f"Push it to a registry that Azure reaches, and name it whole: REGISTRY.azurecr.io/{settings.image}",
        )
    if (settings.request_timeout_ms or 0) > LONGEST_REQUEST:
        raise UsageError(
            f"--request-timeout-ms {settings.request_timeout_ms}: Azure ML gives a request {LONGEST_REQUEST} ms "
            "at most.",
            hint="Score what takes longer in a batch: scorewright deploy azureml batch",
        )
    if settings.auth_keys:
        raise UsageError(
            "--auth-key: an Azure ML endpoint makes its keys itself.",
            hint="Leave it away; `scorewright deploy azureml keys NAME` shows them.",
        )
    if settings.secrets:
        raise UsageError(
            f"--secret {min(settings.secrets)}: Azure ML shows the variables of a deployment to all who may read it.",
            hint="Keep it in a key vault or a workspace connection, and let Azure ML fill it in: "
            "--env 'NAME=${{azureml://connections/CONNECTION/credentials/KEY}}'",
        )
    if isinstance(kind, Managed):
        if settings.cpu or settings.memory:
            raise UsageError(
                "--cpu and --memory: on a managed endpoint the machine decides how much there is.",
                hint="Choose the machine with --instance-type, or a cluster of yours with --kubernetes.",
            )
        if settings.autoscale:
            raise UsageError(
                "--autoscale: a managed endpoint is scaled by Azure Monitor, not by its deployment.",
                hint="Deploy with --replicas and add an autoscale rule (`az monitor autoscale`), or use --kubernetes.",
            )
