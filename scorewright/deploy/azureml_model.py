"""A bundle's model as Azure ML registers it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.bundle import MODEL_FOLDER
from scorewright.deploy.azureml_documents import document, to_yaml
from scorewright.deploy.azureml_words import absent, told_by_ml
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.target import Report

FILE = "model.yml"
METRIC = "scorewright.metric."
"""Before a metric's name, as a property of the model."""

_DIGEST = "scorewright.bundle.sha256"


def model_document(
    bundle: Bundle, tags: Mapping[str, str] | None = None, metrics: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """model.yml: the folder with the artefact, under the bundle's name and version."""
    manifest = bundle.manifest
    return document(
        "model",
        name=manifest.name,
        version=manifest.version,
        type="custom_model",
        path=str(bundle.model_dir / MODEL_FOLDER),
        tags=dict(tags or {}),
        properties={_DIGEST: bundle.digest, "framework": manifest.framework, **metric_properties(metrics or {})},
    )


def metric_properties(metrics: Mapping[str, float]) -> dict[str, str]:
    """Metrics as properties of a registered model."""
    return {f"{METRIC}{key}": repr(value) for key, value in metrics.items()}


def model_reference(bundle: Bundle) -> str:
    """How a deployment names it."""
    return f"azureml:{bundle.manifest.name}:{bundle.manifest.version}"


def register_in(
    workspace: AzuremlWorkspace,
    bundle: Bundle,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    report: Report,
    credential: Any = None,
) -> bool:
    """Register a bundle's model in a workspace; whether it was not there before. Raises as `register_model`."""
    with workspace.client(credential) as client, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / FILE).write_text(to_yaml(model_document(bundle, tags, metrics)), "utf-8")
        return register_model(client, bundle, folder, report)


def register_model(client: Any, bundle: Bundle, folder: Path, report: Report) -> bool:
    """Upload what `folder`/model.yml says, unless the workspace has it; whether it had not.

    Raises DeployError if the workspace has another model under the same name and version.
    """
    from azure.ai.ml import load_model

    manifest = bundle.manifest
    label = f"{manifest.name}:{manifest.version}"
    known = absent(lambda: client.models.get(manifest.name, manifest.version), f"model {label}")
    if known is None:
        report(f"uploading the model {label}")
        with told_by_ml(f"model {label}"):
            client.models.create_or_update(load_model(folder / FILE))
    elif (known.properties or {}).get(_DIGEST) != bundle.digest:
        raise DeployError(
            f"The workspace has another model {label} already.",
            hint="A version does not change: make the bundle again with another --version.",
        )
    return known is None
