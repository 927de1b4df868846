"""An Azure ML batch endpoint with our batch script on a compute cluster, as it would be sent."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scorewright.deploy.azureml_documents import Documents, az, document
from scorewright.deploy.azureml_limits import NAMES
from scorewright.deploy.azureml_model import FILE, model_document, model_reference
from scorewright.deploy.azureml_plan import MARK
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
"""What Azure ML installs the bundle's pinned requirements on; it knows the batch runtime."""

RUNTIME = "azureml-core>=1.61,<2"
"""What Azure ML's batch runtime imports beside the script."""

CODE = "code"


@dataclass(frozen=True)
class Cluster:
    """Machines that are there while something is scored."""

    name: str
    size: str = "Standard_DS3_v2"
    min_instances: int = 0
    max_instances: int = 2
    idle_seconds: int = 120
    """So long does a machine wait for more before it is given back."""
    low_priority: bool = False
    """Cheaper machines that Azure may take away in the midst of it."""


@dataclass(frozen=True)
class AzuremlBatchPlan:
    """Nothing has been asked of Azure yet. Names and defaults of the last six are Azure's own."""

    name: str
    bundle: Bundle
    workspace: AzuremlWorkspace
    cluster: Cluster
    slot: str = "default"
    image: str = IMAGE
    tags: Mapping[str, str] = field(default_factory=dict)
    instances: int = 1
    """Machines that one job uses."""
    mini_batch_size: int = 10
    max_concurrency: int = 1
    output_action: str = "append_row"
    error_threshold: int = -1
    max_retries: int = 3
    timeout: int = 30

    @property
    def environment(self) -> tuple[str, str]:
        """Name and version; what is in it decides the version, so that it is never another under the same one."""
        content = json.dumps([self.image, self._conda]).encode()
        return f"scorewright-{self.name}-batch", hashlib.sha256(content).hexdigest()[:12]

    @cached_property
    def documents(self) -> Documents:
        """The files, and how `az` applies them."""
        files = {
            "conda.yml": self._conda,
            "environment.yml": self._environment,
            FILE: model_document(self.bundle),
            "compute.yml": self._compute,
            "endpoint.yml": document(
                "batchEndpoint", name=self.name, auth_mode="aad_token", tags={MARK: self.name, **self.tags}
            ),
            "deployment.yml": self._deployment,
        }
        kinds = {
            "environment": "environment.yml",
            "model": FILE,
            "compute": "compute.yml",
            "batch-endpoint": "endpoint.yml",
        }
        steps = [az(self.workspace, kind, "create", "--file", file) for kind, file in kinds.items()]
        steps.append(az(self.workspace, "batch-deployment", "create", "--file", "deployment.yml", "--set-default"))
        return Documents(files, steps)

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it."""
        return {
            "target": "azureml batch",
            "workspace": self.workspace.id,
            "name": self.name,
            "bundle": str(self.bundle.root),
            "files": {name: dict(content) for name, content in self.documents.files.items()},
        }

    def describe(self) -> str:
        """The YAML files, and the `az ml` commands that do the same."""
        return self.documents.describe()

    def write(self, folder: Path) -> Sequence[Path]:
        """The YAML files, the scripts, and apply.sh, which does the same with the Azure CLI."""
        written = self.documents.write(folder)
        # The scripts score the sample when they start.
        sample = self.bundle.path("sample_request.json")
        for script in (self.bundle.entry_script, self.bundle.batch_entry_script, sample):
            copy = folder / CODE / script.name
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(script, copy)
            written.append(copy)
        return written

    @property
    def _conda(self) -> dict[str, Any]:
        manifest = self.bundle.manifest
        files = [name for name in ("requirements.txt", "requirements-batch.txt") if name in manifest.files]
        texts = [self.bundle.path(name).read_text("utf-8") for name in files]
        # Azure has no folder with the files that these name.
        lines = [line for text in texts for line in text.splitlines() if line and not line.startswith("-r ")]
        python = ".".join(manifest.versions["python"].split(".")[:2])
        return {
            "name": self.name,
            "channels": ["conda-forge"],
            "dependencies": [f"python={python}", "pip", {"pip": [RUNTIME, *lines]}],
        }

    @property
    def _environment(self) -> dict[str, Any]:
        name, version = self.environment
        return document("environment", name=name, version=version, image=self.image, conda_file="conda.yml")

    @property
    def _compute(self) -> dict[str, Any]:
        cluster = self.cluster
        return document(
            "amlCompute",
            name=cluster.name,
            type="amlcompute",
            size=cluster.size,
            tier="low_priority" if cluster.low_priority else "dedicated",
            min_instances=cluster.min_instances,
            max_instances=cluster.max_instances,
            idle_time_before_scale_down=cluster.idle_seconds,
            tags={MARK: self.name, **self.tags},
        )

    @property
    def settings(self) -> dict[str, Any]:
        """How the script is run, in Azure's words."""
        return {
            "mini_batch_size": self.mini_batch_size,
            "max_concurrency_per_instance": self.max_concurrency,
            "output_action": self.output_action,
            **self._output,
            "error_threshold": self.error_threshold,
            "retry_settings": {"max_retries": self.max_retries, "timeout": self.timeout},
            "logging_level": "info",
        }

    @property
    def _output(self) -> dict[str, Any]:
        """Azure refuses a file's name where it only counts; the script then writes its answers itself."""
        if self.output_action == "append_row":
            return {"output_file_name": "predictions.csv"}
        return {"environment_variables": {"SCOREWRIGHT_BATCH_OUTPUT": "parquet"}}

    @property
    def _deployment(self) -> dict[str, Any]:
        return document(
            "modelBatchDeployment",
            type="model",
            name=self.slot,
            endpoint_name=self.name,
            model=model_reference(self.bundle),
            code_configuration={"code": CODE, "scoring_script": self.bundle.batch_entry_script.name},
            environment=f"azureml:{':'.join(self.environment)}",
            compute=f"azureml:{self.cluster.name}",
            resources={"instance_count": self.instances},
            settings=self.settings,
            tags={MARK: self.name, **self.tags},
        )


def check_batch_fits(plan: AzuremlBatchPlan) -> None:
    """Raises UsageError with the limit named for what an Azure ML batch endpoint or a cluster cannot be."""
    NAMES.check(plan.name, "Azure ML")
    cluster = plan.cluster
    if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{1,15}", cluster.name):
        raise UsageError(
            f"--compute {cluster.name!r} cannot be a cluster's name: "
            "it takes 2 to 16 letters, digits and hyphens, a letter first."
        )
    if not 0 <= cluster.min_instances <= cluster.max_instances or cluster.max_instances < 1:
        raise UsageError(
            f"A cluster of at least {cluster.min_instances} and at most {cluster.max_instances} machines cannot be.",
            hint="--min-instances 0 costs nothing while nothing is scored.",
        )
    if plan.instances > cluster.max_instances:
        raise UsageError(
            f"--instances {plan.instances}: the cluster has {cluster.max_instances} machines at most.",
            hint="Raise --max-instances.",
        )
    limits = {
        "--instances": (plan.instances, 1),
        "--mini-batch-size": (plan.mini_batch_size, 1),
        "--max-concurrency": (plan.max_concurrency, 1),
        "--error-threshold": (plan.error_threshold, -1),
        "--max-retries": (plan.max_retries, 0),
        "--timeout": (plan.timeout, 1),
        "--idle-seconds": (cluster.idle_seconds, 1),
    }
    for flag, (value, least) in limits.items():
        if value < least:
            raise UsageError(f"{flag} {value}: it must be {least} at least.")
