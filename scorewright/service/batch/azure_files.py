"""The files that an Azure ML batch endpoint is made from: the same batch script, run by Azure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from scorewright.bundle import MANIFEST, MODEL_FOLDER
from scorewright.errors import UsageError
from scorewright.service.batch.settings import FILE_NAMES, BatchSettings

if TYPE_CHECKING:
    from scorewright.bundle import Bundle

SCHEMAS = "https://azuremlschemas.azureedge.net/latest"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
"""Azure's own image for CPUs, onto which it installs the environment."""
RUNTIME = "azureml-core>=1.61,<2"
"""What Azure's batch runtime needs in the script's environment."""

_NAME = re.compile(r"[a-zA-Z](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_LONGEST = 32


@dataclass(frozen=True)
class AzureBatch:
    """A batch deployment as it is asked for."""

    bundle: Bundle
    settings: BatchSettings
    compute: str
    """The name of a compute cluster in the workspace."""
    endpoint: str | None = None
    """The endpoint's name, unique in its region; the bundle's, unless given."""
    deployment: str = "default"
    instances: int = 1
    image: str = IMAGE


def azure_files(asked: AzureBatch, model: str) -> dict[str, bytes]:
    """The files by their path: endpoint.yaml, deployment.yaml, environment/conda.yaml and, below code/, the scripts.

    `model` is the way from these files to the bundle's model folder. Raises UsageError for a name or a setting that
    Azure does not take.
    """
    manifest = asked.bundle.manifest
    endpoint = asked.endpoint or _endpoint_name(manifest.name)
    for what, name in (("endpoint", endpoint), ("deployment", asked.deployment)):
        if not _NAME.fullmatch(name) or not 3 <= len(name) <= _LONGEST:
            raise UsageError(
                f"{name!r} is no name of a batch {what}.",
                hint="3 to 32 letters, digits and hyphens, a letter first and no hyphen last.",
            )
    if asked.instances < 1:
        raise UsageError(f"{asked.instances} instances cannot score anything.", hint="Ask for 1 or more.")
    description = f"{manifest.name} {manifest.version}, made by {manifest.generator}"
    deployment = {
        "$schema": f"{SCHEMAS}/modelBatchDeployment.schema.json",
        "type": "model",
        "endpoint_name": endpoint,
        "name": asked.deployment,
        "description": description,
        "model": {"name": manifest.name, "version": manifest.version, "type": "custom_model", "path": model},
        "code_configuration": {"code": "code", "scoring_script": manifest.batch_entry_script},
        "environment": {"image": asked.image, "conda_file": "environment/conda.yaml"},
        "compute": f"azureml:{asked.compute.removeprefix('azureml:')}",
        "resources": {"instance_count": asked.instances},
        "settings": azure_settings(asked.settings),
    }
    batch_endpoint = {
        "$schema": f"{SCHEMAS}/batchEndpoint.schema.json",
        "name": endpoint,
        "description": description,
        "auth_mode": "aad_token",
    }
    return {
        "endpoint.yaml": to_yaml(batch_endpoint),
        "deployment.yaml": to_yaml(deployment),
        "environment/conda.yaml": to_yaml(_environment(asked.bundle)),
        **{f"code/{name}": asked.bundle.path(name).read_bytes() for name in _scripts(asked.bundle)},
    }


def azure_settings(settings: BatchSettings) -> dict[str, Any]:
    """A job's settings as a batch deployment's. Raises UsageError for those that Azure has not."""
    if settings.input_kind == "tabular":
        raise UsageError(
            "A batch endpoint hands run() paths of files, not rows.", hint="Leave out --input-kind, or say files."
        )
    if settings.size_bytes is not None:
        raise UsageError(
            f"mini_batch_size is {settings.mini_batch_size}: a batch endpoint's is a number of files.",
            hint="Say how many files, --mini-batch-size 10; make the files as large as a mini-batch shall be.",
        )
    if settings.partition_keys:
        raise UsageError(
            "A batch endpoint makes mini-batches by number of files, not by keys.",
            hint="Leave out --partition-key; parallel steps of a pipeline have partition keys.",
        )
    if settings.output_format not in (None, "azure"):
        raise UsageError(
            f"output_format is {settings.output_format}: a batch endpoint writes predictions.csv, without a header.",
            hint="Leave out --output-format, or have the script write its own files and say --output-action "
            "summary_only.",
        )
    if settings.output_action == "summary_only" and settings.output_file_name is not None:
        raise UsageError(
            f"output_file_name is {settings.output_file_name}, and with summary_only there is no such file.",
            hint="Leave out --output-file-name.",
        )
    file_name = {"output_file_name": settings.output_file_name or FILE_NAMES["azure"]}
    return {
        "mini_batch_size": settings.mini_batch_size if settings.mini_batch_size is not None else 10,
        "max_concurrency_per_instance": settings.max_concurrency,
        "output_action": settings.output_action,
        **(file_name if settings.output_action == "append_row" else {}),
        "error_threshold": settings.error_threshold,
        "retry_settings": {"max_retries": settings.max_retries, "timeout": settings.timeout},
        "logging_level": settings.logging_level,
    }


def to_yaml(content: dict[str, Any]) -> bytes:
    """YAML with the keys in their order."""
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120, encoding="utf-8")


def _endpoint_name(name: str) -> str:
    """A bundle's name as Azure takes an endpoint's."""
    plain = re.sub(r"^[^a-zA-Z]+", "", re.sub(r"[^a-zA-Z0-9]+", "-", name))
    return f"{plain[: _LONGEST - len('-batch')].strip('-').lower() or 'model'}-batch"


def _environment(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    lines = [
        line
        for name in ("requirements.txt", "requirements-batch.txt")
        if name in manifest.files
        for line in bundle.path(name).read_text("utf-8").splitlines()
        if not line.startswith("-r ")
    ]
    python = ".".join(manifest.versions["python"].split(".")[:2])
    dependencies: list[Any] = [f"python={python}", "pip", {"pip": [RUNTIME, *lines]}]
    return {"name": f"{manifest.name}-batch", "channels": ["conda-forge"], "dependencies": dependencies}


def _scripts(bundle: Bundle) -> list[str]:
    """All of the bundle but the model, which Azure mounts by itself."""
    files = [name for name in bundle.manifest.files if PurePosixPath(name).parts[0] != MODEL_FOLDER]
    return sorted([MANIFEST, *files])
