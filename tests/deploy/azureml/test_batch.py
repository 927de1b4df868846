"""A batch endpoint: what would be sent, what the SDK sends, and what becomes of refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.ai.ml import load_batch_endpoint, load_compute, load_environment
from azure.ai.ml.entities._load_functions import load_model_batch_deployment

from scorewright.deploy.azureml_batch import AzuremlBatch
from scorewright.deploy.azureml_batch_plan import RUNTIME, AzuremlBatchPlan, Cluster, check_batch_fits
from scorewright.deploy.azureml_waiting import Waiting
from scorewright.errors import DeployError, UsageError
from tests.deploy.standin.answer import FORBIDDEN, QUOTA
from tests.deploy.standin.azureml import WORKSPACE
from tests.deploy.standin.login import LoggedIn
from tests.hand_made import hand_made_bundle

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from tests.command import Command
    from tests.deploy.standin.answer import Answer
    from tests.deploy.standin.azureml import Blobs, Workspace
    from tests.deploy.standin.server import StandIn

GOLDEN = Path(__file__).parent / "golden" / "batch.yml"
PLACE = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")


@pytest.fixture
def target(workspace: Workspace, ours: AzuremlWorkspace) -> AzuremlBatch:
    return AzuremlBatch(ours, waiting=Waiting(poll=0.01), credential=LoggedIn())


@pytest.fixture
def plan(ours: AzuremlWorkspace, hand_made: Bundle) -> AzuremlBatchPlan:
    return AzuremlBatchPlan("churn", hand_made, ours, Cluster("cpu"))


def test_the_plan(command: Command, hand_made: Bundle) -> None:
    ran = command(
        *("deploy", "azureml", "batch", hand_made.root, "--compute", "cpu", *PLACE, "--name", "churn"),
        *("--max-instances", "4", "--instances", "2", "--mini-batch-size", "5", "--timeout", "60", "--plan"),
    )
    assert ran.exit_code == 0, ran.err
    shown = ran.out.replace(str(hand_made.root), "BUNDLE").replace(hand_made.digest, "DIGEST")
    assert shown == GOLDEN.read_text("utf-8")


def test_the_sdk_loads_what_is_written(plan: AzuremlBatchPlan, tmp_path: Path, hand_made: Bundle) -> None:
    plan.write(tmp_path)
    assert {path.name for path in (tmp_path / "code").iterdir()} == {
        "score.py",
        "batch_score.py",
        "sample_request.json",
    }
    deployment = load_model_batch_deployment(tmp_path / "deployment.yml")
    assert (deployment.name, deployment.endpoint_name) == ("default", "churn")
    assert deployment.settings.retry_settings.timeout == 30
    assert load_batch_endpoint(tmp_path / "endpoint.yml").auth_mode == "aad_token"
    cluster = load_compute(tmp_path / "compute.yml")
    assert (cluster.size, cluster.min_instances, cluster.max_instances) == ("Standard_DS3_v2", 0, 2)
    assert cluster.idle_time_before_scale_down == 120
    pip = load_environment(tmp_path / "environment.yml").conda_file["dependencies"][-1]["pip"]
    assert pip == [RUNTIME, "numpy==2.4.6", "scikit-learn==1.9.1"]


def test_a_script_that_is_only_counted_writes_files_itself(
    target: AzuremlBatch, ours: AzuremlWorkspace, hand_made: Bundle, workspace: Workspace, tmp_path: Path
) -> None:
    plan = AzuremlBatchPlan("churn", hand_made, ours, Cluster("cpu"), output_action="summary_only")
    plan.write(tmp_path)
    assert load_model_batch_deployment(tmp_path / "deployment.yml").settings.output_file_name is None
    target.apply(plan)
    sent = workspace.at("batchEndpoints/churn/deployments/default")["properties"]
    assert (sent["outputAction"], sent.get("outputFileName")) == ("SummaryOnly", None)
    assert sent["environmentVariables"] == {"SCOREWRIGHT_BATCH_OUTPUT": "parquet"}


def test_it_is_sent_and_deleted(
    target: AzuremlBatch, plan: AzuremlBatchPlan, workspace: Workspace, blobs: Blobs
) -> None:
    status = target.apply(plan)
    assert (status.healthy, status.state, status.detail) == (True, "default (default) Succeeded", "")
    sent = workspace.at("batchEndpoints/churn/deployments/default")["properties"]
    assert sent["compute"] == f"{WORKSPACE}/computes/cpu"
    assert sent["codeConfiguration"]["scoringScript"] == "batch_score.py"
    assert (sent["miniBatchSize"], sent["outputAction"], sent["errorThreshold"]) == (10, "AppendRow", -1)
    assert sent["retrySettings"] == {"maxRetries": 3, "timeout": "PT30S"}
    assert {"files/code/score.py", "files/code/batch_score.py"} < {*blobs.kept}
    cluster = workspace.at("computes/cpu")["properties"]["properties"]
    assert cluster["scaleSettings"] == {
        "maxNodeCount": 2,
        "minNodeCount": 0,
        "nodeIdleTimeBeforeScaleDown": "PT2M",
    }
    assert workspace.at("batchEndpoints/churn")["properties"]["defaults"] == {"deploymentName": "default"}
    assert target.deployments() == [status]

    target.delete("churn")
    assert target.deployments() == []
    assert "computes/cpu" in workspace.paths()


def test_applied_again_nothing_is_doubled(target: AzuremlBatch, plan: AzuremlBatchPlan, workspace: Workspace) -> None:
    target.apply(plan)
    before = [path for path in workspace.paths() if not path.startswith("codes/")]
    target.apply(plan)
    assert [path for path in workspace.paths() if not path.startswith("codes/")] == before


def test_a_cluster_of_other_machines_is_not_changed(
    target: AzuremlBatch, plan: AzuremlBatchPlan, ours: AzuremlWorkspace, hand_made: Bundle
) -> None:
    target.apply(plan)
    with pytest.raises(DeployError, match="has a compute cpu already: amlcompute of Standard_DS3_v2") as caught:
        target.apply(AzuremlBatchPlan("churn", hand_made, ours, Cluster("cpu", "Standard_F4s_v2")))
    assert "--compute" in caught.value.hint


def test_a_cluster_of_somebody_elses_is_taken_as_it_is(
    target: AzuremlBatch, plan: AzuremlBatchPlan, ours: AzuremlWorkspace, workspace: Workspace, hand_made: Bundle
) -> None:
    target.apply(plan)
    cluster = workspace.at("computes/cpu")
    cluster["tags"] = {"team": "others"}
    cluster["properties"]["properties"]["scaleSettings"]["maxNodeCount"] = 20
    said: list[str] = []
    assert target.apply(
        AzuremlBatchPlan("churn", hand_made, ours, Cluster("cpu", max_instances=3)), said.append
    ).healthy
    after = workspace.at("computes/cpu")
    assert after["tags"] == {"team": "others"}
    assert after["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 20
    assert "taking the cluster cpu as it is: it was not made by scorewright" in said


def test_the_environment_names_no_file_that_azure_has_not(ours: AzuremlWorkspace, tmp_path: Path) -> None:
    bundle = hand_made_bundle(
        tmp_path / "with-batch", {"requirements-batch.txt": "-r requirements.txt\npandas==3.0.1\n"}
    )
    conda = AzuremlBatchPlan("churn", bundle, ours, Cluster("cpu")).documents.files["conda.yml"]
    assert conda["dependencies"][-1]["pip"] == [RUNTIME, "numpy==2.4.6", "scikit-learn==1.9.1", "pandas==3.0.1"]


def test_an_endpoint_of_somebody_elses_is_left_alone(
    target: AzuremlBatch, plan: AzuremlBatchPlan, workspace: Workspace
) -> None:
    target.apply(plan)
    workspace.at("batchEndpoints/churn")["tags"] = {}
    with pytest.raises(DeployError, match="was not deployed by scorewright"):
        target.apply(plan)
    with pytest.raises(DeployError, match="no batch endpoint churn of ours"):
        target.delete("churn")


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("computes/cpu", QUOTA, r"cluster cpu: Azure refuses \(QuotaExceeded\)"),
        ("batchEndpoints/churn$", FORBIDDEN, r"endpoint churn: Azure refuses \(AuthorizationFailed\)"),
        ("deployments/default", FORBIDDEN, r"churn/default: Azure refuses \(AuthorizationFailed\)"),
    ],
)
def test_refusals_are_told_in_words_and_gone_on_from(
    target: AzuremlBatch, plan: AzuremlBatchPlan, standin: StandIn, path: str, answer: Answer, said: str
) -> None:
    standin.fail("PUT", path, answer)
    with pytest.raises(DeployError, match=said):
        target.apply(plan)
    assert target.apply(plan).healthy


@pytest.mark.parametrize(
    ("cluster", "given", "said"),
    [
        (Cluster("c"), {}, "2 to 16 letters"),
        (Cluster("cpu_1"), {}, "2 to 16 letters"),
        (Cluster("cpu", min_instances=3), {}, "at least 3 and at most 2 machines"),
        (Cluster("cpu", max_instances=0), {}, "at most 0 machines"),
        (Cluster("cpu"), {"instances": 3}, "the cluster has 2 machines at most"),
        (Cluster("cpu"), {"mini_batch_size": 0}, "--mini-batch-size 0: it must be 1 at least"),
        (Cluster("cpu"), {"error_threshold": -2}, "it must be -1 at least"),
        (Cluster("cpu"), {"name": "x"}, "3 to 32 letters"),
    ],
)
def test_what_does_not_fit_is_refused(
    ours: AzuremlWorkspace, hand_made: Bundle, cluster: Cluster, given: dict[str, Any], said: str
) -> None:
    asked = {"name": "churn", **given}
    name = asked.pop("name")
    with pytest.raises(UsageError, match=said):
        check_batch_fits(AzuremlBatchPlan(name, hand_made, ours, cluster, **asked))


def test_a_bundle_that_fails_its_check_goes_nowhere(
    workspace: Workspace, command: Command, hand_made: Bundle, standin: StandIn
) -> None:
    ran = command("deploy", "azureml", "batch", hand_made.root, "--compute", "cpu", *PLACE, "--name", "churn")
    assert ran.exit_code in (7, 8), ran.err
    assert workspace.paths() == []
    assert [call for call in standin.calls if call.method == "PUT"] == []


def test_the_commands(target: AzuremlBatch, plan: AzuremlBatchPlan, command: Command) -> None:
    target.apply(plan)
    status = json.loads(command("deploy", "azureml", "batch", "status", "churn", *PLACE, "--json").out)
    assert (status["target"], status["healthy"]) == ("azureml batch", True)
    assert json.loads(command("deploy", "azureml", "batch", "list", *PLACE, "--json").out) == [status]
    deleted = command("deploy", "azureml", "batch", "delete", "churn", *PLACE, "--json")
    assert json.loads(deleted.out) == {"name": "churn", "deleted": True}
    assert command("deploy", "azureml", "batch", "status", "churn", *PLACE).exit_code == 15
