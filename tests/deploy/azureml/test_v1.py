"""A web service of SDK v1 at the stand-in: azureml-core's own calls, from the upload of the model to the deletion."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.deploy.azureml_v1_plan import DIGEST, MARK, NOTICE, OnAci, OnAks, OnAksEndpoint
from scorewright.deploy.azureml_v1_target import AzuremlV1
from scorewright.deploy.azureml_workspace import AzuremlWorkspace
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import DeployError
from tests.deploy.standin.answer import QUOTA, arm_error
from tests.deploy.standin.azureml import WORKSPACE
from tests.deploy.standin.login import LoggedIn, LoggedOut

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from tests.command import Command
    from tests.deploy.standin.azureml import Blobs, Workspace
    from tests.deploy.standin.azureml_v1 import V1
    from tests.deploy.standin.server import StandIn

BASE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


@pytest.fixture
def target(ours: AzuremlWorkspace, v1: V1) -> AzuremlV1:
    return AzuremlV1(ours, insecure=True, credential=LoggedIn())


def apply(target: AzuremlV1, bundle: Bundle, place: Any = None, environment: str = "system", **given: Any) -> Any:
    said: list[str] = []
    settings = DeploySettings.of(BASE, name="churn", **given)
    deployed = target.apply(target.plan(settings, bundle, place or OnAci(), environment), said.append)
    assert said[0] == NOTICE
    return deployed


def test_it_is_sent_answers_and_is_deleted(
    target: AzuremlV1, v1: V1, hand_made: Bundle, blobs: Blobs, standin: StandIn
) -> None:
    deployed = apply(target, hand_made, auth="key", cpu=0.5, tags={"team": "a"})
    (model,) = v1.models
    assert (model["name"], model["framework"], model["frameworkVersion"]) == ("Iris.Tree", "ScikitLearn", "1.9.1")
    assert model["kvTags"] == {DIGEST: hand_made.digest, "team": "a"}
    assert json.loads(model["properties"]["sample_request"]) == {"data": [[1, 2, 3, 4]]}
    assert blobs.kept["files/model/model.joblib"] == b"no real model\n"
    python = v1.environments["scorewright-churn"]["python"]
    assert "scikit-learn==1.9.1" in python["condaDependencies"]["dependencies"][1]["pip"]
    service = v1.services["churn"]
    assert service["containerResourceRequirements"]["cpu"] == 0.5
    assert (service["authEnabled"], service["kvTags"]) == (True, {MARK: "churn", "team": "a"})
    request = service["environmentImageRequest"]
    assert (request["modelIds"], request["environment"]["name"]) == (["Iris.Tree:1"], "scorewright-churn")

    assert deployed.get_keys() == ("key-one", "key-two")
    assert deployed.run([[1, 2, 3, 4]])["predict"] == [1]
    status = deployed.status()
    assert (status.healthy, status.state, status.url) == (True, "Healthy", f"{standin.url}/score")
    assert target.deployments() == [status]
    assert deployed.logs(1) == "ImportError: no module named churn"
    deployed.delete()
    assert v1.services == {}


def test_applied_again_it_is_updated_and_nothing_doubled(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    apply(target, hand_made)
    apply(target, hand_made)
    assert len(v1.models) == 1
    assert list(v1.services) == ["churn"]


def test_applied_again_what_is_asked_now_is_sent(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    apply(target, hand_made)
    settings = DeploySettings.of(BASE, name="churn", auth="key", cpu=2)
    said: list[str] = []
    target.apply(target.plan(settings, hand_made, OnAci(), "system"), said.append)
    assert v1.services["churn"]["authEnabled"] is True
    assert "updating churn; v1 cannot set its cpu_cores" in said


def test_a_curated_environment_is_fetched_by_its_version(
    target: AzuremlV1, v1: V1, hand_made: Bundle, standin: StandIn
) -> None:
    curated = {"name": "AzureML-sklearn-1.5", "version": "7", "python": {"userManagedDependencies": True}}
    v1.environments["AzureML-sklearn-1.5"] = curated
    apply(target, hand_made, environment="AzureML-sklearn-1.5:7")
    assert any(line.endswith("/environments/AzureML-sklearn-1.5/versions/7") for line in standin.lines)
    with pytest.raises(DeployError, match="environment: Azure ML refuses"):
        apply(target, hand_made, environment="AzureML-none:1")


@pytest.fixture
def aks(v1: V1) -> None:
    """A cluster that is attached to the workspace."""
    v1.computes["aks"] = {
        "id": f"{WORKSPACE}/computes/aks",
        "name": "aks",
        "location": "westeurope",
        "tags": {},
        "properties": {
            "computeType": "AKS",
            "isAttachedCompute": True,
            "computeLocation": "westeurope",
            "description": None,
            "provisioningState": "Succeeded",
            "provisioningErrors": None,
            "createdOn": "2026-11-21T12:00:00+00:00",
            "modifiedOn": "2026-11-21T12:00:00+00:00",
            "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/aks",
            "properties": None,
        },
    }


@pytest.mark.usefixtures("aks")
def test_on_aks(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    apply(target, hand_made, OnAks("aks"), replicas=2, max_concurrent_requests=4)
    service = v1.services["churn"]
    assert (service["computeType"], service["computeName"]) == ("AKS", "aks")
    assert (service["numReplicas"], service["maxConcurrentRequestsPerContainer"]) == (2, 4)
    apply(target, hand_made, OnAks("aks"), replicas=3, max_concurrent_requests=8)
    assert (service["numReplicas"], service["maxConcurrentRequestsPerContainer"]) == (3, 8)


def test_the_first_version_of_an_aks_endpoint(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    apply(target, hand_made, OnAksEndpoint("aks", "blue", 100), cpu=0.5)
    service = v1.services["churn"]
    assert (service["computeType"], service["computeName"]) == ("AKSENDPOINT", "aks")
    (version,) = service["versions"].values()
    assert (version["name"], version["trafficPercentile"]) == ("blue", 100)
    assert version["containerResourceRequirements"]["cpu"] == 0.5


@pytest.mark.usefixtures("aks")
def test_further_versions_of_an_aks_endpoint(
    target: AzuremlV1, v1: V1, hand_made: Bundle, command: Command, standin: StandIn
) -> None:
    def changes() -> list[dict[str, Any]]:
        """The changes of the endpoint, by operation and path."""
        bodies = [call.body for call in standin.calls if call.method == "PATCH"]
        return [
            {f"{one['op']} {one['path']}": one.get("value") for one in body if "/properties/" not in one["path"]}
            for body in bodies
        ]

    apply(target, hand_made, OnAksEndpoint("aks", "blue", 100), cpu=0.5)
    apply(target, hand_made, OnAksEndpoint("aks", "green", 10), cpu=0.5, memory="1g", replicas=2)
    made, sized = changes()
    (added,) = made.values()
    assert list(made) == ["add /versions/green"]
    assert (added["trafficPercentile"], added["numReplicas"], "isDefault" in added) == (0, 2, False)
    assert added["environmentImageRequest"]["modelIds"] == ["Iris.Tree:1"]
    assert sized == {
        "replace /versions/green/containerResourceRequirements/cpu": 0.5,
        "replace /versions/green/containerResourceRequirements/memoryInGB": 1,
        "replace /versions/green/trafficPercentile": 10,
    }
    assert target.status("churn").state == "Healthy; blue 100 % default control; green 10 %"

    green = OnAksEndpoint("aks", "green", 20, default=True, control=True)
    apply(target, hand_made, green, cpu=1, replicas=3)
    last = changes()[-1]
    assert last["replace /versions/green/trafficPercentile"] == 20
    assert last["replace /versions/green/containerResourceRequirements/cpu"] == 1
    assert last["replace /versions/green/numReplicas"] == 3
    assert (last["replace /versions/green/isDefault"], last["replace /versions/blue/isDefault"]) == (True, False)
    roles = (last["replace /versions/green/type"], last["replace /versions/blue/type"])
    assert roles == ("Control", "Treatment")
    assert len(v1.models) == 1
    assert sorted(v1.services["churn"]["versions"]) == ["blue", "green"]
    assert target.status("churn").state == "Healthy; blue 100 % treatment; green 20 % default control"

    apply(target, hand_made, OnAksEndpoint("aks", "red", 0, default=True))
    versions = v1.services["churn"]["versions"]
    assert [versions[one]["isDefault"] for one in ("blue", "green", "red")] == [False, False, True]

    with pytest.raises(DeployError, match="green answers 20 % of the requests to churn"):
        target.delete_version("churn", "green")
    with pytest.raises(DeployError, match="churn has no version teal; it has blue, green, red"):
        target.delete_version("churn", "teal")
    target.delete_version("churn", "red")
    assert list(changes()[-1]) == ["remove /versions/red"]
    assert sorted(v1.services["churn"]["versions"]) == ["blue", "green"]
    apply(target, hand_made, OnAksEndpoint("aks", "green", 0))
    place = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")
    ran = command("deploy", "azureml-v1", "delete", "churn", "--version", "green", *place)
    assert (ran.exit_code, ran.out) == (0, "churn/green is deleted.\n"), ran.err
    assert sorted(v1.services["churn"]["versions"]) == ["blue"]


@pytest.mark.usefixtures("aks")
def test_a_version_that_fails_leaves_the_others(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    apply(target, hand_made, OnAksEndpoint("aks", "blue", 100))
    v1.state = "Failed"
    with pytest.raises(DeployError, match="churn is Failed: The container crashed"):
        apply(target, hand_made, OnAksEndpoint("aks", "green", 0), cpu=1)
    v1.state = "Healthy"
    apply(target, hand_made, OnAksEndpoint("aks", "green", 0))
    assert sorted(v1.services["churn"]["versions"]) == ["blue", "green"]


def test_one_that_fails_shows_its_last_lines(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    v1.state = "Failed"
    with pytest.raises(DeployError) as caught:
        apply(target, hand_made)
    assert "churn is Failed: The container crashed. Its last lines:\n  booting\n" in caught.value.message
    assert "  ImportError: no module named churn" in caught.value.message
    v1.state = "Healthy"
    assert apply(target, hand_made).status().healthy


def test_a_key_that_is_logged_is_not_shown(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    v1.state, v1.log = "Failed", "the key is hunter2"
    with pytest.raises(DeployError, match="the key is \\*\\*\\*"):
        apply(target, hand_made, auth="key", secrets={"KEY": "hunter2"}, auth_keys=("KEY",))


def test_what_takes_too_long_is_left_to_azure_and_waited_for_again(
    ours: AzuremlWorkspace, v1: V1, hand_made: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The SDK sleeps for 5 s between two looks.
    clock = SimpleNamespace(time=time.time, sleep=lambda _: time.sleep(0.01))
    monkeypatch.setattr("azureml.core.webservice.webservice.time", clock)
    target = AzuremlV1(ours, insecure=True, wait=1, credential=LoggedIn())
    v1.state = "Transitioning"
    with pytest.raises(DeployError, match="churn is Transitioning after 1 s, and Azure goes on by itself"):
        apply(target, hand_made)
    v1.state = "Healthy"
    assert apply(AzuremlV1(ours, insecure=True, credential=LoggedIn()), hand_made).status().healthy
    assert (len(v1.models), list(v1.services)) == (1, ["churn"])


def test_a_service_of_somebody_elses_is_left_alone(target: AzuremlV1, v1: V1, hand_made: Bundle) -> None:
    apply(target, hand_made)
    v1.services["churn"]["kvTags"] = {}
    with pytest.raises(DeployError, match="was not deployed by scorewright"):
        apply(target, hand_made)
    with pytest.raises(DeployError, match="Nothing is deployed as churn"):
        target.delete("churn")


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "workspaces/w$", "workspace w: "),
        ("POST", "/models$", "model Iris.Tree: "),
        ("PUT", "/environments/", "environment: Azure ML refuses"),
        ("POST", "/services$", "deploying churn: Azure ML refuses"),
    ],
)
def test_refusals_are_told_in_words(
    target: AzuremlV1, v1: V1, hand_made: Bundle, standin: StandIn, method: str, path: str, said: str
) -> None:
    standin.fail(method, path, arm_error(403, "AuthorizationFailed", "You may not do that."))
    with pytest.raises(DeployError, match=said) as caught:
        apply(target, hand_made)
    assert "c2VjcmV0" not in caught.value.message, "the signature of an upload"
    assert apply(target, hand_made).status().healthy, "applied again, it goes on"
    assert (len(v1.models), list(v1.services)) == (1, ["churn"])


def test_a_quota_is_told_with_azures_words(target: AzuremlV1, hand_made: Bundle, standin: StandIn) -> None:
    standin.fail("POST", "/services$", QUOTA)
    with pytest.raises(DeployError, match=r"deploying churn: Azure ML refuses: .*QuotaExceeded"):
        apply(target, hand_made)


def test_nobody_is_logged_in(ours: AzuremlWorkspace, v1: V1) -> None:
    with pytest.raises(DeployError, match="not logged in to Azure"):
        AzuremlV1(ours, credential=LoggedOut()).status("churn")


def test_the_commands(
    target: AzuremlV1, v1: V1, hand_made: Bundle, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"subscription_id": "s", "resource_group": "g", "workspace_name": "w"})
    )
    monkeypatch.chdir(tmp_path)
    ran = command(
        *("deploy", "azureml-v1", BASE, "--bundle", hand_made.root, "--name", "churn", "--auth", "key"),
        *("--unchecked", "--json"),
    )
    assert ran.exit_code == 0, ran.err
    made = json.loads(ran.out)
    assert made["name"] == "churn"
    keys = "$(scorewright deploy azureml-v1 keys churn --subscription s --resource-group g --workspace w | head -1)"
    assert f'-H "Authorization: Bearer {keys}" --data-binary' in made["curl"]
    assert NOTICE in ran.err
    assert command("deploy", "azureml-v1", "keys", "churn").out == "key-one\nkey-two\n"
    assert json.loads(command("deploy", "azureml-v1", "keys", "churn", "--json").out)["keys"] == ["key-one", "key-two"]
    assert command("deploy", "azureml-v1", "logs", "churn").out.startswith("booting\n")
    assert json.loads(command("deploy", "azureml-v1", "logs", "churn", "--json").out)["logs"].startswith("booting\n")
    status = json.loads(command("deploy", "azureml-v1", "status", "churn", "--json").out)
    assert (status["target"], status["healthy"]) == ("azureml-v1", True)
    assert json.loads(command("deploy", "azureml-v1", "list", "--json").out) == [status]
    deleted = command("deploy", "azureml-v1", "delete", "churn", "--json")
    assert json.loads(deleted.out) == {"name": "churn", "deleted": True}
    assert command("deploy", "azureml-v1", "status", "churn").exit_code == 15


def test_a_workspace_that_is_there_is_taken(
    v1: V1, workspace: Workspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The SDK wants names of 3 characters and more.
    path = f"{WORKSPACE.removesuffix('w')}models"
    workspace.kept[path.lower()] = {**workspace.at(""), "id": path, "name": "models"}
    monkeypatch.chdir(tmp_path)
    place = ("--subscription", "s", "--resource-group", "g", "--workspace", "models", "--location", "westeurope")
    ran = command("deploy", "azureml-v1", "workspace", *place)
    assert ran.exit_code == 0, ran.err
    assert ran.out == f"{tmp_path / '.azureml' / 'config.json'} names the workspace models.\n"
    assert AzuremlWorkspace.find(start=tmp_path) == AzuremlWorkspace("s", "g", "models")


def test_a_workspace_by_its_config(tmp_path: Path, ours: AzuremlWorkspace, v1: V1) -> None:
    """What we write is what Azure's own SDK reads."""
    from azureml.core import Workspace as RealWorkspace
    from azureml.core.authentication import TokenAuthentication

    (tmp_path / "config.json").write_text(json.dumps(ours.to_config()))
    auth = TokenAuthentication(lambda _: LoggedIn().get_token().token)
    found = RealWorkspace.from_config(str(tmp_path), auth=auth)
    assert (found.name, found.location) == ("w", "westeurope")
    assert found.get_details()["id"] == WORKSPACE
