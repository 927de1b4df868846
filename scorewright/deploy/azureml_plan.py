"""An Azure ML online endpoint with one deployment of our image, as it would be sent."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_documents import Documents, az, document
from scorewright.deploy.azureml_model import FILE, model_document, model_reference
from scorewright.deploy.settings import SERVICE_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.settings import DeploySettings, Probes

MARK = "io.scorewright.deployment"
"""The tag of every endpoint made here; the others in the workspace are never touched."""

CONCURRENT = 100
"""Azure ML's own 1 would refuse what the service scores together, in one batch."""


@dataclass(frozen=True)
class Managed:
    """Azure ML's own machines."""

    instance_type: str = "Standard_DS3_v2"


@dataclass(frozen=True)
class Kubernetes:
    """A cluster of yours (AKS, or Arc) that is attached to the workspace."""

    compute: str
    """The name under which it is attached."""


@dataclass(frozen=True)
class AzuremlPlan:
    """Nothing has been asked of Azure yet."""

    settings: DeploySettings
    workspace: AzuremlWorkspace
    kind: Managed | Kubernetes
    slot: str
    """The deployment's name within the endpoint: blue, green."""
    auth_mode: str
    identity: str | None
    """The resource id of a user-assigned identity that may pull the image."""
    private: bool
    model: Bundle | None
    """Whose model is registered, and mounted in place of the image's own."""

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def environment(self) -> tuple[str, str]:
        """Name and version; what is in it decides the version, so that it is never another under the same one."""
        content = json.dumps(self._environment_content, sort_keys=True).encode()
        return f"scorewright-{self.name}", hashlib.sha256(content).hexdigest()[:12]

    @cached_property
    def documents(self) -> Documents:
        """The files, and how `az` applies them."""
        files = {"environment.yml": self._environment, "endpoint.yml": self._endpoint}
        commands = [("environment", "create"), ("online-endpoint", "create"), ("online-deployment", "create")]
        if self.model is not None:
            files[FILE] = model_document(self.model)
            commands.insert(1, ("model", "create"))
        files["deployment.yml"] = self._deployment
        names = {"environment": "environment.yml", "model": FILE, "online-endpoint": "endpoint.yml"}
        steps = [az(self.workspace, *words, "--file", names.get(words[0], "deployment.yml")) for words in commands]
        steps.append(
            az(self.workspace, "online-endpoint", "update", "--name", self.name, "--traffic", f"{self.slot}=100")
        )
        return Documents(files, steps)

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it."""
        return {
            "target": "azureml",
            "workspace": self.workspace.id,
            **self.settings.to_dict(),
            "slot": self.slot,
            "files": {name: dict(content) for name, content in self.documents.files.items()},
        }

    def describe(self) -> str:
        """The YAML files, and the `az ml` commands that do the same. The last one only for a new endpoint."""
        return self.documents.describe()

    def write(self, folder: Path) -> Sequence[Path]:
        """The YAML files, and apply.sh, which does the same with the Azure CLI."""
        return self.documents.write(folder)

    @property
    def _environment_content(self) -> dict[str, Any]:
        routes = {"liveness_route": "/livez", "readiness_route": "/readyz", "scoring_route": "/score"}
        return {
            "image": str(self.settings.image),
            "inference_config": {name: {"port": SERVICE_PORT, "path": path} for name, path in routes.items()},
        }

    @property
    def _environment(self) -> dict[str, Any]:
        name, version = self.environment
        return document("environment", name=name, version=version, **self._environment_content)

    @property
    def _endpoint(self) -> dict[str, Any]:
        identity = {"type": "user_assigned", "user_assigned_identities": [{"resource_id": self.identity}]}
        kubernetes = isinstance(self.kind, Kubernetes)
        return document(
            "kubernetesOnlineEndpoint" if kubernetes else "managedOnlineEndpoint",
            name=self.name,
            auth_mode=self.auth_mode,
            compute=f"azureml:{self.kind.compute}" if isinstance(self.kind, Kubernetes) else None,
            public_network_access=None if kubernetes else ("disabled" if self.private else "enabled"),
            identity=identity if self.identity else None,
            tags={MARK: self.name, **self.settings.tags},
        )

    @property
    def _deployment(self) -> dict[str, Any]:
        settings = self.settings
        name, version = self.environment
        requests = {
            "max_concurrent_requests_per_instance": settings.max_concurrent_requests or CONCURRENT,
            "request_timeout_ms": settings.request_timeout_ms,
            "max_queue_wait_ms": settings.max_queue_wait_ms,
        }
        return document(
            "kubernetesOnlineDeployment" if isinstance(self.kind, Kubernetes) else "managedOnlineDeployment",
            type="kubernetes" if isinstance(self.kind, Kubernetes) else None,
            name=self.slot,
            endpoint_name=self.name,
            model=model_reference(self.model) if self.model else None,
            environment=f"azureml:{name}:{version}",
            environment_variables=settings.service_variables(),
            request_settings={key: value for key, value in requests.items() if value is not None},
            liveness_probe=_probe(settings.probes, settings.probes.failures, delay=30),
            readiness_probe=_readiness(settings.probes),
            tags={MARK: self.name, **settings.tags},
            **self._size,
        )

    @property
    def _size(self) -> dict[str, Any]:
        settings = self.settings
        if isinstance(self.kind, Managed):
            return {"instance_type": self.kind.instance_type, "instance_count": settings.replicas or 1}
        found: dict[str, Any] = {"instance_count": settings.replicas or (None if settings.autoscale else 1)}
        amount = {
            "cpu": f"{settings.cpu:g}" if settings.cpu else None,
            "memory": f"{settings.memory // 2**20}Mi" if settings.memory else None,
        }
        amount = {key: value for key, value in amount.items() if value}
        if amount:
            found["resources"] = {"requests": amount, "limits": dict(amount)}
        if settings.autoscale:
            found["scale_settings"] = {
                "type": "target_utilization",
                "min_instances": settings.autoscale.min,
                "max_instances": settings.autoscale.max,
                "target_utilization_percentage": settings.autoscale.target,
            }
        return found


def _readiness(probes: Probes) -> dict[str, int]:
    # Azure ML knows no startup probe: the time to start must be in this one.
    return _probe(probes, max(probes.failures, math.ceil(probes.start / probes.period)), delay=1)


def _probe(probes: Probes, failures: int, *, delay: int) -> dict[str, int]:
    return {
        "initial_delay": delay,
        "period": probes.period,
        "timeout": probes.timeout,
        "success_threshold": 1,
        "failure_threshold": failures,
    }
