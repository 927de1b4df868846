"""What would be sent for an online endpoint: rendered, limited, and taken by the SDK's own loaders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.ai.ml import load_environment, load_model, load_online_deployment, load_online_endpoint

from scorewright.deploy.azureml_plan import Kubernetes, Managed
from scorewright.deploy.azureml_target import Azureml
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
PLACE = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")


def settings(image: str = "acme.azurecr.io/churn:3", **given: Any) -> DeploySettings:
    return DeploySettings.of(image, **given)


def test_a_managed_endpoint_with_its_model(command: Command, hand_made: Bundle) -> None:
    ran = command(
        *(
            "deploy",
            "azureml",
            "acme.azurecr.io/churn:3",
            *PLACE,
            "--slot",
            "green",
            "--instance-type",
            "Standard_F4s_v2",
        ),
        *("--bundle", hand_made.root, "--with-model", "--identity", IDENTITY, "--replicas", "2", "--env", "LEVEL=x y"),
        *("--request-timeout-ms", "30000", "--max-concurrent-requests", "8", "--max-queue-wait-ms", "500"),
        *("--tag", "team=churn", "--private", "--plan"),
    )
    assert ran.exit_code == 0, ran.err
    shown = ran.out.replace(str(hand_made.root), "BUNDLE").replace(hand_made.digest, "DIGEST")
    assert shown == (GOLDEN / "managed.yml").read_text("utf-8")


def test_a_kubernetes_endpoint(ours: AzuremlWorkspace) -> None:
    target = Azureml(ours, Kubernetes("aks"))
    plan = target.plan(settings(cpu=0.5, memory="1.5g", autoscale={"min": 2, "max": 5}, probes={"start": 60}))
    assert plan.describe() == (GOLDEN / "kubernetes.yml").read_text("utf-8")


@pytest.mark.parametrize("kind", [Managed(), Kubernetes("aks")])
def test_the_sdk_loads_what_is_written(
    ours: AzuremlWorkspace, hand_made: Bundle, tmp_path: Path, kind: Managed | Kubernetes
) -> None:
    plan = Azureml(ours, kind, model=hand_made, identity=IDENTITY).plan(settings(tags={"team": "churn"}))
    written = plan.write(tmp_path)
    assert sorted(path.name for path in written) == [
        "apply.sh",
        "deployment.yml",
        "endpoint.yml",
        "environment.yml",
        "model.yml",
    ]
    endpoint = load_online_endpoint(tmp_path / "endpoint.yml")
    assert (endpoint.name, endpoint.auth_mode) == ("churn", "key")
    assert endpoint.identity.user_assigned_identities[0].resource_id == IDENTITY
    deployment = load_online_deployment(tmp_path / "deployment.yml")
    assert deployment.request_settings.max_concurrent_requests_per_instance == 100
    assert (deployment.readiness_probe.failure_threshold, deployment.liveness_probe.failure_threshold) == (30, 3)
    environment = load_environment(tmp_path / "environment.yml")
    assert (environment.name, environment.version) == plan.environment
    assert environment.inference_config.readiness_route == {"path": "/readyz", "port": 5001}
    assert load_model(tmp_path / "model.yml").path == str(hand_made.root / "model")


def test_another_image_is_another_environment(ours: AzuremlWorkspace) -> None:
    first, same, other = (
        Azureml(ours).plan(settings(f"acme.azurecr.io/churn:{tag}")).environment for tag in ("3", "3", "4")
    )
    assert first == same
    assert first != other


def test_the_plan_as_json(command: Command) -> None:
    ran = command("deploy", "azureml", "acme.azurecr.io/churn:3", *PLACE, "--plan", "--json")
    plan = json.loads(ran.out)
    assert plan["target"] == "azureml"
    assert plan["workspace"].endswith("/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w")
    assert plan["files"]["deployment.yml"]["instance_type"] == "Standard_DS3_v2"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "x"}, "3 to 32 letters"),
        ({"name": "churn-"}, "3 to 32 letters"),
        ({"name": "1churn"}, "a letter first"),
        ({"name": "c" * 33}, "3 to 32 letters"),
        ({"image": "churn:3"}, "cannot pull churn:3"),
        ({"request_timeout_ms": 180_001}, "180000 ms at most"),
        ({"cpu": 1}, "the machine decides"),
        ({"memory": "1g"}, "the machine decides"),
        ({"autoscale": {"max": 3}}, "scaled by Azure Monitor"),
        ({"secrets": {"TOKEN": "hunter2"}}, "shows the variables of a deployment to all who may read it"),
        ({"secrets": {"K": "hunter2"}, "auth": "key", "auth_keys": ("K",)}, "makes its keys itself"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_limit(ours: AzuremlWorkspace, given: dict[str, Any], said: str) -> None:
    asked = {"image": "acme.azurecr.io/churn:3", **given}
    with pytest.raises(UsageError, match=said) as caught:
        Azureml(ours).plan(settings(**asked))
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_slot_that_cannot_be(ours: AzuremlWorkspace) -> None:
    with pytest.raises(UsageError, match="--slot 'b'"):
        Azureml(ours, slot="b").plan(settings())


def test_a_model_needs_its_bundle(command: Command) -> None:
    ran = command("deploy", "azureml", "acme.azurecr.io/churn:3", *PLACE, "--with-model", "--plan")
    assert (ran.exit_code, ran.out) == (2, "")
    assert "--with-model: which model?" in ran.err
