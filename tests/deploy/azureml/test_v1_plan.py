"""What SDK v1 would be given, and what azureml-core, which checks without a workspace, makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.deploy.azureml_v1_objects import deployment_config, environment, inference_config
from scorewright.deploy.azureml_v1_plan import OnAci, OnAks, OnAksEndpoint, OnThisMachine
from scorewright.deploy.azureml_v1_target import AzuremlV1
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import DeployError, UsageError

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_v1_plan import AzuremlV1Plan, Place
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden"
BASE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
PLACE = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")
SERVER = "azureml-inference-server-http>=1.5,<2"


@pytest.fixture
def plan(ours: AzuremlWorkspace, hand_made: Bundle) -> Any:
    def make(place: Place | None = None, environment: str = "system", **given: Any) -> AzuremlV1Plan:
        settings = DeploySettings.of(BASE, **{"name": "churn", **given})
        return AzuremlV1(ours, insecure=True).plan(settings, hand_made, place or OnAci(), environment)

    return make


def test_the_plan(command: Command, hand_made: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "hunter2")
    ran = command(
        *("deploy", "azureml-v1", BASE, *PLACE, "--bundle", hand_made.root, "--name", "churn", "--cluster", "aks"),
        *("--auth", "key", "--secret", "KEY", "--auth-key", "KEY", "--cpu", "0.5", "--memory", "1g", "--tag", "team=a"),
        *("--request-timeout-ms", "30000", "--max-concurrent-requests", "2", "--env", "LEVEL=1", "--plan"),
    )
    assert ran.exit_code == 0, ran.err
    assert "hunter2" not in ran.out
    assert ran.out.replace(hand_made.digest, "DIGEST") == (GOLDEN / "v1.txt").read_text("utf-8")
    assert "has had no support since 2026-06-30" in ran.out
    assert "scorewright deploy azureml" in ran.out


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of the YAML library that it carries
def test_a_system_managed_environment(plan: Any) -> None:
    made = environment(plan(env={"LEVEL": "1"}, request_timeout_ms=30_000))
    assert made.docker.base_image == BASE
    assert not made.python.user_managed_dependencies
    assert list(made.python.conda_dependencies.pip_packages) == [SERVER, "numpy==2.4.6", "scikit-learn==1.9.1"]
    assert "python=3.11" in made.python.conda_dependencies.serialize_to_string()
    assert made.environment_variables == {"SCORING_TIMEOUT_MS": "30000", "LEVEL": "1"}
    assert made.inferencing_stack_version == "latest"


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of the YAML library that it carries
def test_a_user_managed_environment(plan: Any, tmp_path: Path) -> None:
    made = environment(plan(environment="user"))
    assert made.python.user_managed_dependencies
    assert made.docker.base_image is None
    assert made.docker.base_dockerfile == (
        f"FROM {BASE}\nRUN pip install --no-cache-dir '{SERVER}' 'numpy==2.4.6' 'scikit-learn==1.9.1'\n"
    )
    made.save_to_directory(str(tmp_path / "environment"))
    saved = json.loads((tmp_path / "environment" / "azureml_environment.json").read_text())
    assert saved["python"]["userManagedDependencies"]


def test_a_curated_environment_is_the_workspaces(plan: Any) -> None:
    assert environment(plan(environment="AzureML-sklearn-1.5:1")) is None


def test_the_inference_configuration_takes_our_script(plan: Any, tmp_path: Path, hand_made: Bundle) -> None:
    made = plan()
    written = made.write(tmp_path)
    assert sorted(path.name for path in written) == [
        "Dockerfile",
        "config.json",
        "plan.json",
        "requirements.txt",
        "sample_request.json",
        "score.py",
    ]
    config = inference_config(made, environment(made), tmp_path)
    assert (config.entry_script, config.source_directory) == ("score.py", str(tmp_path / "source"))
    assert (tmp_path / "source" / "score.py").read_bytes() == hand_made.entry_script.read_bytes()
    (tmp_path / "source" / "score.py").write_text("def run(:")
    with pytest.raises(DeployError, match="inference configuration: Azure ML refuses"):
        inference_config(made, environment(made), tmp_path)


@pytest.mark.parametrize(
    ("place", "given", "kind", "expected"),
    [
        (OnThisMachine(6789), {}, "LocalWebserviceDeploymentConfiguration", {"port": 6789}),
        (
            OnAci("churn-a"),
            {"cpu": 0.5, "memory": "1g"},
            "AciServiceDeploymentConfiguration",
            {"cpu_cores": 0.5, "memory_gb": 1.0, "auth_enabled": False, "dns_name_label": "churn-a"},
        ),
        (
            OnAks("aks", "models"),
            {"autoscale": {"min": 2, "max": 4}, "max_concurrent_requests": 3, "max_queue_wait_ms": 900},
            "AksServiceDeploymentConfiguration",
            {
                "autoscale_enabled": True,
                "autoscale_min_replicas": 2,
                "autoscale_max_replicas": 4,
                "replica_max_concurrent_requests": 3,
                "max_request_wait_time": 900,
                "namespace": "models",
                "compute_target_name": "aks",
                "initial_delay_seconds": 300,
            },
        ),
        (
            OnAksEndpoint("aks", "green", 10),
            {"replicas": 2, "request_timeout_ms": 9000},
            "AksEndpointDeploymentConfiguration",
            {"num_replicas": 2, "scoring_timeout_ms": 9000, "version_name": "green", "traffic_percentile": 10},
        ),
    ],
)
def test_the_sdk_takes_every_deployment(
    plan: Any, place: Place, given: dict[str, Any], kind: str, expected: dict[str, Any]
) -> None:
    made = deployment_config(plan(place, **given))
    assert type(made).__name__ == kind
    assert {name: getattr(made, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("place", "given", "said"),
    [
        (OnAci(), {"name": "Churn"}, "3 to 32 lower-case letters"),
        (OnAci(), {"name": "c-"}, "3 to 32 lower-case letters"),
        (OnAci(), {"replicas": 2}, "On ACI a service is one container.*--replicas cannot be"),
        (OnAci(), {"autoscale": {"max": 2}}, "--autoscale cannot be"),
        (OnAci(), {"max_concurrent_requests": 2}, "one request at a time"),
        (OnAci(), {"probes": {"period": 5}}, "sets the probes itself"),
        (OnThisMachine(), {"cpu": 1}, "one container without limits: --cpu cannot be"),
        (OnAci(), {"secrets": {"TOKEN": "hunter2"}}, "shows the variables of an environment"),
        (OnAksEndpoint("aks", "v1", 101), {}, "a percentage, 0 to 100"),
    ],
)
def test_what_does_not_fit_is_refused(plan: Any, place: Place, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(place, **given)


def test_what_the_sdk_itself_refuses(plan: Any) -> None:
    with pytest.raises(DeployError, match=r"deployment configuration: Azure ML refuses: .*valid Kubernetes namespace"):
        deployment_config(plan(OnAks("aks", "No Name")))


def test_who_may_ask_is_said_before_anything_is_sent(
    ours: AzuremlWorkspace, hand_made: Bundle, command: Command
) -> None:
    target = AzuremlV1(ours)
    made = target.plan(DeploySettings.of(BASE, name="churn"), hand_made, OnAci(), "system")
    with pytest.raises(UsageError, match="anyone could ask it without a key"):
        target.apply(made)
    words = ("deploy", "azureml-v1", BASE, *PLACE, "--bundle", hand_made.root, "--name", "churn")
    assert command(*words, "--plan").exit_code == 0, "a plan asks nobody, and opens nothing"
    refused = command(*words)
    assert (refused.exit_code, "anyone could ask it without a key" in refused.err) == (2, True)


def test_a_service_on_this_machine_is_planned_only(ours: AzuremlWorkspace, hand_made: Bundle, command: Command) -> None:
    target = AzuremlV1(ours)
    made = target.plan(DeploySettings.of(BASE, name="churn"), hand_made, OnThisMachine(6789), "system")
    with pytest.raises(UsageError, match="--local is planned only: what SDK v1 runs") as caught:
        target.apply(made)
    assert "`scorewright deploy local IMAGE` runs the bundle's image here" in caught.value.hint
    words = ("deploy", "azureml-v1", BASE, *PLACE, "--bundle", hand_made.root, "--name", "churn", "--local")
    assert command(*words).exit_code == 2
    planned = json.loads(command(*words, "--plan", "--json").out)
    assert planned["deployment"] == {"class": "LocalWebservice"}
    assert "It is planned only: `scorewright deploy local` runs" in planned["notice"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--local", "--cluster", "aks"), "--local and --cluster contradict each other"),
        (("--version", "v2"), "only endpoints on AKS have versions"),
    ],
)
def test_flags_that_contradict_each_other(
    command: Command, hand_made: Bundle, flags: tuple[str, ...], said: str
) -> None:
    ran = command("deploy", "azureml-v1", BASE, *PLACE, "--bundle", hand_made.root, "--name", "churn", *flags, "--plan")
    assert (ran.exit_code, said in ran.err) == (2, True)
