"""A web service of Azure ML's SDK v1, as it would be sent: the bundle's score.py under Azure's own inference server."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.bundle import MODEL_FOLDER
from scorewright.deploy.settings import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from scorewright.deploy.settings import DeploySettings

NOTICE = (
    "Azure ML's SDK v1 has had no support since 2026-06-30. Services that run go on running; "
    "for new ones use `scorewright deploy azureml`."
)
HERE = "It is planned only: `scorewright deploy local` runs the bundle's image on this machine."
MARK = "io.scorewright.deployment"
"""The tag of every service made here; the others in the workspace are never touched."""

DIGEST = "io.scorewright.bundle.sha256"
"""The tag of a registered model by which it is found again: v1 numbers the versions itself."""

SERVER = "azureml-inference-server-http>=1.5,<2"
FRAMEWORKS = {"scikit-learn": ("ScikitLearn", "scikit-learn"), "keras": ("TensorFlow", "tensorflow")}
"""Azure ML's word for a bundle's framework, and the distribution whose version goes with it."""

SHOWN_SAMPLE = 1000
"""Characters of a sample that still go into a property."""


@dataclass(frozen=True)
class OnAci:
    """A container of its own, for trying things out."""

    dns_label: str | None = None


@dataclass(frozen=True)
class OnAks:
    """A cluster that is attached to the workspace."""

    cluster: str
    namespace: str | None = None


@dataclass(frozen=True)
class OnAksEndpoint:
    """The same, as one of several versions behind an endpoint."""

    cluster: str
    version: str
    traffic: int
    """Percent of the endpoint's requests."""
    namespace: str | None = None
    default: bool = False
    """Whether a request that names no version, and is in no version's share, is to be its."""
    control: bool = False
    """Whether it becomes the one that the others, the treatments, are compared with."""

    @property
    def role(self) -> dict[str, bool]:
        """What the calls that make or change a version are given; the first one of an endpoint has both roles."""
        return {
            **({"is_default": True} if self.default else {}),
            **({"is_control_version_type": True} if self.control else {}),
        }


@dataclass(frozen=True)
class OnThisMachine:
    """A container on this machine's Docker engine, built from what the workspace has registered. It is planned only."""

    port: int | None = None


Place = OnAci | OnAks | OnAksEndpoint | OnThisMachine


@dataclass(frozen=True)
class AzuremlV1Plan:
    """Nothing has been asked of Azure yet. The settings' image is what a user-managed environment is built on."""

    settings: DeploySettings
    workspace: AzuremlWorkspace
    bundle: Bundle
    place: Place
    environment: str
    """system (conda installs the pinned requirements), user (pip does), or NAME[:VERSION] of a curated one."""

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def notice(self) -> str:
        """What should be known of it."""
        return f"{NOTICE} {HERE}" if isinstance(self.place, OnThisMachine) else NOTICE

    @property
    def tags(self) -> dict[str, str]:
        return {MARK: self.name, **self.settings.tags}

    @property
    def model(self) -> dict[str, Any]:
        """What Model.register is given besides the workspace."""
        return model_arguments(self.bundle, self.settings.tags)

    @property
    def requirements(self) -> list[str]:
        """What the environment installs: the bundle's pins, and the server that Azure runs the script under."""
        pinned = self.bundle.path("requirements.txt").read_text("utf-8").splitlines()
        return [SERVER, *(line for line in pinned if line)]

    @property
    def python(self) -> str:
        return ".".join(self.bundle.manifest.versions["python"].split(".")[:2])

    @property
    def dockerfile(self) -> str:
        """What a user-managed environment is built by."""
        lines = " ".join(f"'{line}'" for line in self.requirements)
        return f"FROM {self.settings.image}\nRUN pip install --no-cache-dir {lines}\n"

    @property
    def environment_name(self) -> str:
        return f"scorewright-{self.name}"

    @property
    def deployment(self) -> tuple[str, dict[str, Any]]:
        """The class whose deploy_configuration is asked, and what it is given, keys among them."""
        settings = self.settings
        keys = dict(zip(("primary_key", "secondary_key"), self._keys, strict=False))
        common = {
            "cpu_cores": settings.cpu,
            "memory_gb": settings.memory / 2**30 if settings.memory else None,
            "auth_enabled": settings.auth == "key",
            "tags": self.tags,
            "description": f"{self.bundle.manifest.name} {self.bundle.manifest.version}",
            **keys,
        }
        match self.place:
            case OnThisMachine(port):
                return "LocalWebservice", _given({"port": port})
            case OnAci(label):
                return "AciWebservice", _given({**common, "dns_name_label": label})
            case OnAks(cluster, namespace):
                return "AksWebservice", _given(
                    {**common, **self._on_aks, "namespace": namespace, "compute_target_name": cluster}
                )
            case OnAksEndpoint(cluster, version, traffic, namespace):
                named = {"version_name": version, "traffic_percentile": traffic}
                where = {"namespace": namespace, "compute_target_name": cluster}
                return "AksEndpoint", _given({**common, **self._on_aks, **where, **named})

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it."""
        kind, given = self.deployment
        shown = {key: HIDDEN if key.endswith("_key") else value for key, value in given.items()}
        return {
            "target": "azureml-v1",
            "notice": self.notice,
            "workspace": self.workspace.id,
            "name": self.name,
            "model": self.model,
            "environment": {"name": self.environment_name, "kind": self.environment, "variables": self.variables},
            "inference_config": {"entry_script": self.bundle.entry_script.name, "source_directory": "source"},
            "deployment": {"class": kind, **shown},
            **({"version": self.place.role} if isinstance(self.place, OnAksEndpoint) and self.place.role else {}),
        }

    @property
    def variables(self) -> dict[str, str]:
        """The environment's. Azure's server knows a timeout, and none of the service's other settings."""
        told = self.settings.request_timeout_ms
        return {**({"SCORING_TIMEOUT_MS": str(told)} if told else {}), **self.settings.env}

    def describe(self) -> str:
        """What the SDK is given, call by call."""
        return f"# {self.notice}\n{json.dumps(self.to_dict(), indent=2)}"

    def write(self, folder: Path) -> Sequence[Path]:
        """plan.json, config.json for the workspace, requirements.txt and Dockerfile of the environment, the script."""
        source = folder / "source"
        source.mkdir(parents=True, exist_ok=True)
        texts = {
            "plan.json": json.dumps(self.to_dict(), indent=2) + "\n",
            "config.json": json.dumps(self.workspace.to_config(), indent=2) + "\n",
            "requirements.txt": "".join(f"{line}\n" for line in self.requirements),
            "Dockerfile": self.dockerfile,
        }
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
        # The script scores the sample when it starts, so that the first caller need not wait.
        copied = [self.bundle.entry_script, self.bundle.path("sample_request.json")]
        for path in copied:
            shutil.copyfile(path, source / path.name)
        return [folder / name for name in texts] + [source / path.name for path in copied]

    @property
    def _keys(self) -> list[str]:
        revealed = self.settings.revealed()
        return [revealed[name] for name in self.settings.auth_keys]

    @property
    def _on_aks(self) -> dict[str, Any]:
        settings, scale, probes = self.settings, self.settings.autoscale, self.settings.probes
        return {
            "autoscale_enabled": scale is not None,
            "autoscale_min_replicas": scale.min if scale else None,
            "autoscale_max_replicas": scale.max if scale else None,
            "autoscale_target_utilization": scale.target if scale else None,
            "num_replicas": None if scale else settings.replicas or 1,
            "scoring_timeout_ms": settings.request_timeout_ms,
            "replica_max_concurrent_requests": settings.max_concurrent_requests,
            "max_request_wait_time": settings.max_queue_wait_ms,
            "period_seconds": probes.period,
            "initial_delay_seconds": probes.start,
            "timeout_seconds": probes.timeout,
            "success_threshold": 1,
            "failure_threshold": probes.failures,
        }


def model_arguments(
    bundle: Bundle, tags: Mapping[str, str], properties: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What Model.register is given besides the workspace, from within the folder that holds the model's."""
    manifest = bundle.manifest
    framework, distribution = ("Onnx", "onnx") if manifest.runtime == "onnx" else FRAMEWORKS[manifest.framework]
    return {
        "model_path": MODEL_FOLDER,
        "model_name": manifest.name,
        "tags": {**tags, DIGEST: bundle.digest},
        "properties": {"bundle_version": manifest.version, **_sample(bundle), **(properties or {})},
        "description": f"{manifest.model.kind}, by {manifest.generator}",
        "model_framework": framework,
        "model_framework_version": manifest.versions.get(distribution),
    }


def _sample(bundle: Bundle) -> dict[str, str]:
    # A sample as a dataset would need azureml-dataprep, and data in the workspace's storage.
    text = bundle.path("sample_request.json").read_text("utf-8").strip()
    return {"sample_request": text} if len(text) <= SHOWN_SAMPLE else {}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
