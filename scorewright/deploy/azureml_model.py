"""A bundle's model as Azure ML registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.bundle import MODEL_FOLDER
from scorewright.deploy.azureml_documents import document
from scorewright.deploy.azureml_words import absent, told_by_ml
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.target import Report

FILE = "model.yml"
_DIGEST = "scorewright.bundle.sha256"


def model_document(bundle: Bundle) -> dict[str, Any]:
    """model.yml: the folder with the artefact, under the bundle's name and version."""
    manifest = bundle.manifest
    return document(
        "model",
        name=manifest.name,
        version=manifest.version,
        type="custom_model",
        path=str(bundle.model_dir / MODEL_FOLDER),
        properties={_DIGEST: bundle.digest, "framework": manifest.framework},
    )


def model_reference(bundle: Bundle) -> str:
    """How a deployment names it."""
    return f"azureml:{bundle.manifest.name}:{bundle.manifest.version}"


def register_model(client: Any, bundle: Bundle, folder: Path, report: Report) -> None:
    """Upload what `folder`/model.yml says, unless the workspace has it.

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
