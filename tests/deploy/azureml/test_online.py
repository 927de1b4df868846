"""An online endpoint at the stand-in: the calls of the real SDK, and what becomes of every refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.deploy.azureml_plan import MARK, Kubernetes
from scorewright.deploy.azureml_target import Azureml
from scorewright.deploy.azureml_traffic import Traffic
from scorewright.deploy.azureml_waiting import Waiting
from scorewright.deploy.preflight import BUNDLE_LABEL
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import DeployError, RequestError, UsageError
from tests.deploy.standin.answer import CONFLICT, FORBIDDEN, QUOTA, THROTTLED, arm_error
from tests.deploy.standin.azureml import WORKSPACE
from tests.deploy.standin.login import LoggedIn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from tests.command import Command
    from tests.deploy.standin.answer import Answer
    from tests.deploy.standin.azureml import Blobs, Workspace
    from tests.deploy.standin.registry import Registry
    from tests.deploy.standin.server import StandIn

QUICK = Waiting(poll=0.01)
IMAGE = "acme.azurecr.io/churn:3"
PULLERS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities"


@pytest.fixture
def target(workspace: Workspace, ours: AzuremlWorkspace) -> Azureml:
    return Azureml(ours, waiting=QUICK, credential=LoggedIn())


def apply(target: Azureml, image: str = IMAGE, **given: Any) -> Any:
    return target.apply(target.plan(DeploySettings.of(image, **given)))


def changes(standin: StandIn) -> list[str]:
    """What was put, posted or deleted below the workspace, in order."""
    place = f"{WORKSPACE}/"
    return [
        f"{call.method} {call.path.removeprefix(place)}"
        for call in standin.calls
        if call.method not in ("GET", "HEAD") and call.path.startswith(place)
    ]


def test_it_is_sent_answers_and_is_deleted(target: Azureml, workspace: Workspace, standin: StandIn) -> None:
    said: list[str] = []
    plan = target.plan(DeploySettings.of(IMAGE, env={"LEVEL": "1"}, request_timeout_ms=30_000))
    deployed = target.apply(plan, said.append)
    name, version = plan.environment
    assert changes(standin) == [
        f"PUT environments/{name}/versions/{version}",
        "PUT onlineEndpoints/churn",
        "PUT onlineEndpoints/churn/deployments/blue",
        "PUT onlineEndpoints/churn",
    ]
    properties = workspace.at("onlineEndpoints/churn/deployments/blue")["properties"]
    assert properties["environmentId"] == f"{WORKSPACE}/environments/{name}/versions/{version}"
    assert properties["environmentVariables"] == {"SCORING_TIMEOUT_MS": "30000", "LEVEL": "1"}
    assert properties["requestSettings"] == {"maxConcurrentRequestsPerInstance": 100, "requestTimeout": "PT30S"}
    assert properties["instanceType"] == "Standard_DS3_v2"
    assert workspace.at("onlineEndpoints/churn")["properties"]["traffic"] == {"blue": 100}
    assert "making the endpoint churn" in said
    assert "deploying churn/blue" in said

    assert deployed.scoring_uri == f"{standin.url}/score"
    assert deployed.get_keys() == ("key-one", "key-two")
    assert deployed.run([[1, 2]]) == {"predict": [1], "slot": ""}
    assert deployed.run({"data": [1]}, slot="blue")["slot"] == "blue"
    status = deployed.status()
    assert (status.healthy, status.image, status.state, status.detail) == (True, IMAGE, "blue 100 % Succeeded", "")
    assert target.deployments() == [status]
    assert deployed.logs(10) == workspace.log

    deployed.delete()
    assert [path for path in workspace.paths() if "onlineendpoints" in path] == []
    assert target.deployments() == []


def test_applied_again_nothing_is_doubled(target: Azureml, workspace: Workspace, standin: StandIn) -> None:
    apply(target)
    paths, done = workspace.paths(), len(changes(standin))
    apply(target)
    assert workspace.paths() == paths
    assert [line.split("/")[-2:] for line in changes(standin)[done:]] == [
        ["versions", paths[0].rsplit("/", 1)[-1]],
        ["deployments", "blue"],
    ]


def test_an_endpoint_that_is_to_be_private_is_shut_off_and_keeps_its_traffic(
    target: Azureml, workspace: Workspace
) -> None:
    apply(target)
    apply(replace(target, private=True))
    properties = workspace.at("onlineEndpoints/churn")["properties"]
    assert (properties["publicNetworkAccess"].lower(), properties["traffic"]) == ("disabled", {"blue": 100})
    said: list[str] = []
    target.apply(target.plan(DeploySettings.of(IMAGE)), said.append)
    assert "churn stays reached from the workspace's network alone" in said
    assert workspace.at("onlineEndpoints/churn")["properties"]["publicNetworkAccess"].lower() == "disabled"


def test_an_endpoint_keeps_the_identity_that_it_was_made_with(target: Azureml, workspace: Workspace) -> None:
    one, other = (f"{PULLERS}/{name}" for name in ("one", "other"))
    apply(replace(target, identity=one))
    assert list(workspace.at("onlineEndpoints/churn")["identity"]["userAssignedIdentities"]) == [one]
    apply(replace(target, identity=one.upper()))
    apply(target)
    with pytest.raises(DeployError, match=r"churn is there with .*/one, and Azure ML cannot give it another") as caught:
        apply(replace(target, identity=other))
    assert "Leave --identity away" in caught.value.hint
    target.delete("churn")
    apply(target)
    with pytest.raises(DeployError, match="churn is there with an identity of its own"):
        apply(replace(target, identity=other))


def test_who_reaches_a_cluster_is_not_ours_to_say(ours: AzuremlWorkspace) -> None:
    with pytest.raises(UsageError, match="on Kubernetes it is the cluster that decides"):
        Azureml(ours, Kubernetes("k8s"), private=True).plan(DeploySettings.of(IMAGE))


def test_the_model_is_uploaded_once(
    workspace: Workspace, ours: AzuremlWorkspace, standin: StandIn, blobs: Blobs, hand_made: Bundle
) -> None:
    target = Azureml(ours, waiting=QUICK, model=hand_made, credential=LoggedIn())
    apply(target)
    assert list(blobs.kept.values()) == [b"no real model\n"]
    sent = workspace.at("models/Iris.Tree/versions/3")["properties"]
    assert sent["properties"]["scorewright.bundle.sha256"] == hand_made.digest
    assert workspace.at("onlineEndpoints/churn/deployments/blue")["properties"]["model"].endswith(
        "/models/Iris.Tree/versions/3"
    )
    apply(target)
    assert sum("PUT models" in line for line in changes(standin)) == 1


def test_a_version_is_one_model_for_ever(workspace: Workspace, ours: AzuremlWorkspace, hand_made: Bundle) -> None:
    target = Azureml(ours, waiting=QUICK, model=hand_made, credential=LoggedIn())
    apply(target)
    workspace.at("models/Iris.Tree/versions/3")["properties"]["properties"] = {}
    with pytest.raises(DeployError, match=r"another model Iris.Tree:3 already"):
        apply(target)


def test_traffic_and_copies(target: Azureml, workspace: Workspace, ours: AzuremlWorkspace) -> None:
    apply(target)
    apply(Azureml(ours, slot="green", waiting=QUICK, credential=LoggedIn()), "acme.azurecr.io/churn:4")
    endpoint = workspace.at("onlineEndpoints/churn")
    assert endpoint["properties"]["traffic"] == {"blue": 100}

    target.divide("churn", Traffic.parse([], "green=10"))
    properties = workspace.at("onlineEndpoints/churn")["properties"]
    assert (properties["traffic"], properties["mirrorTraffic"]) == ({"blue": 100}, {"green": 10})
    assert "green is sent copies of 10 %" in target.status("churn").state

    target.divide("churn", Traffic.parse(["blue=90", "green=10"]))
    properties = workspace.at("onlineEndpoints/churn")["properties"]
    assert (properties["traffic"], properties["mirrorTraffic"]) == ({"blue": 90, "green": 10}, {})
    status = target.status("churn")
    assert status.state == "blue 90 % Succeeded; green 10 % Succeeded"
    assert status.image == "acme.azurecr.io/churn:3, acme.azurecr.io/churn:4"
    apply(target)
    assert workspace.at("onlineEndpoints/churn")["properties"]["traffic"] == {"blue": 90, "green": 10}

    green = Azureml(ours, slot="green", waiting=QUICK, credential=LoggedIn())
    with pytest.raises(DeployError, match="green answers 10 % of the requests to churn"):
        green.delete_slot("churn")
    target.divide("churn", Traffic.parse(["blue=100"]))
    green.delete_slot("churn")
    assert target.status("churn").state == "blue 100 % Succeeded"


def test_traffic_to_nobody(target: Azureml) -> None:
    apply(target)
    with pytest.raises(UsageError, match="churn has no deployment green; it has blue"):
        target.divide("churn", Traffic.parse(["blue=90", "green=10"]))
    with pytest.raises(DeployError, match="Nothing is deployed as other in the workspace w"):
        target.divide("other", Traffic.parse(["blue=100"]))


def test_on_kubernetes(workspace: Workspace, ours: AzuremlWorkspace) -> None:
    workspace.keep("/computes/aks", {"location": "westeurope", "properties": {"computeType": "Kubernetes"}})
    target = Azureml(ours, Kubernetes("aks"), waiting=QUICK, credential=LoggedIn())
    apply(target, cpu=0.5, memory="1g", autoscale={"min": 1, "max": 3})
    assert workspace.at("onlineEndpoints/churn")["properties"]["compute"] == f"{WORKSPACE}/computes/aks"
    properties = workspace.at("onlineEndpoints/churn/deployments/blue")["properties"]
    assert properties["endpointComputeType"] == "Kubernetes"
    amount = {"cpu": "0.5", "memory": "1024Mi"}
    assert properties["containerResourceRequirements"] == {
        "containerResourceRequests": amount,
        "containerResourceLimits": amount,
    }
    assert properties["scaleSettings"]["maxInstances"] == 3
    with pytest.raises(UsageError, match="on Kubernetes, where Azure ML copies no requests"):
        target.divide("churn", Traffic.parse([], "blue=10"))


def test_an_endpoint_of_somebody_elses_is_left_alone(target: Azureml, workspace: Workspace) -> None:
    apply(target)
    workspace.at("onlineEndpoints/churn")["tags"] = {}
    with pytest.raises(DeployError, match="was not deployed by scorewright"):
        apply(target)
    with pytest.raises(DeployError, match="Nothing is deployed as churn"):
        target.delete("churn")
    assert target.deployments() == []


def test_an_endpoint_does_not_become_another(target: Azureml, ours: AzuremlWorkspace) -> None:
    apply(target)
    with pytest.raises(DeployError, match="Azure ML cannot make another of it"):
        apply(Azureml(ours, auth_mode="aad_token", waiting=QUICK, credential=LoggedIn()))


@pytest.mark.parametrize("answer", [THROTTLED, CONFLICT])
def test_what_has_to_wait_is_sent_again(target: Azureml, standin: StandIn, answer: Answer) -> None:
    standin.fail("PUT", "deployments/blue", answer)
    apply(target)
    assert sum(line.endswith("PUT onlineEndpoints/churn/deployments/blue") for line in changes(standin)) == 2


@pytest.mark.parametrize(
    ("path", "answer", "said", "hint"),
    [
        (
            "onlineEndpoints/churn$",
            FORBIDDEN,
            r"endpoint churn: Azure refuses \(AuthorizationFailed\)",
            "Ask for the role",
        ),
        (
            "onlineEndpoints/churn$",
            arm_error(400, "UserError", "Endpoint name churn is taken in westeurope."),
            "is taken in westeurope",
            "",
        ),
        ("deployments/blue", QUOTA, r"churn/blue: Azure refuses \(QuotaExceeded\)", "have the quota raised"),
        ("environments/", FORBIDDEN, r"environment: Azure refuses \(AuthorizationFailed\)", "Ask for the role"),
    ],
)
def test_refusals_are_told_in_words(
    target: Azureml, standin: StandIn, path: str, answer: Answer, said: str, hint: str
) -> None:
    standin.fail("PUT", path, answer)
    with pytest.raises(DeployError, match=said) as caught:
        apply(target)
    assert hint in caught.value.hint
    apply(target)


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("ImageBuildFailure", "Unable to pull acme.azurecr.io/churn:3: unauthorized", "AcrPull"),
        ("ResourceNotReady", "User container has crashed or terminated", "log"),
        ("OutOfQuota", "Not enough quota available for Standard_DS3_v2 in subscription s", "quota"),
        ("OutOfCapacity", "No capacity for Standard_DS3_v2 in westeurope", "--instance-type"),
    ],
)
def test_a_deployment_that_fails_shows_its_last_lines(
    target: Azureml, workspace: Workspace, code: str, message: str, hint: str
) -> None:
    workspace.failing["deployments/blue"] = {"code": code, "message": message}
    with pytest.raises(DeployError) as caught:
        apply(target)
    assert f"Azure refuses ({code}): {message}" in caught.value.message
    assert "The last lines of the container:\n  booting\n" in caught.value.message
    assert "  ImportError: no module named churn" in caught.value.message
    assert hint in caught.value.hint
    # Mended, it is sent again and takes the place of what failed.
    workspace.failing.clear()
    assert apply(target).status().healthy


def test_an_interrupted_apply_is_gone_on_with(target: Azureml, workspace: Workspace, standin: StandIn) -> None:
    def interrupt(line: str) -> None:
        if line.startswith("deploying churn/blue: "):
            raise KeyboardInterrupt

    plan = target.plan(DeploySettings.of(IMAGE))
    with pytest.raises(KeyboardInterrupt):
        target.apply(plan, interrupt)
    left = workspace.at("onlineEndpoints/churn/deployments/blue")["properties"]
    left["provisioningState"] = "Updating"

    def settle(line: str) -> None:
        if line == "churn/blue is still updating":
            left["provisioningState"] = "Succeeded"

    target.apply(plan, settle)
    assert target.status("churn").healthy
    assert [path for path in workspace.paths() if path.startswith("online")] == [
        "onlineendpoints/churn",
        "onlineendpoints/churn/deployments/blue",
    ]


def test_what_takes_too_long_is_left_to_azure(workspace: Workspace, ours: AzuremlWorkspace) -> None:
    workspace.polls = 10**9
    with pytest.raises(DeployError, match=r"Azure is not done after 0\.05 s, and goes on by itself") as caught:
        apply(Azureml(ours, waiting=Waiting(longest=0.05, poll=0.01), credential=LoggedIn()))
    assert "Run the same command again" in caught.value.hint


def test_a_key_that_is_not_taken(target: Azureml, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = apply(target)
    monkeypatch.setattr(Azureml, "keys", lambda *_: ("wrong",))
    with pytest.raises(RequestError, match="Please provide a valid key") as caught:
        deployed.run([[1]])
    assert caught.value.status == 401


def test_the_commands(
    target: Azureml, workspace: Workspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"subscription_id": "s", "resource_group": "g", "workspace_name": "w"})
    )
    monkeypatch.chdir(tmp_path)
    apply(target)
    ask: Callable[..., Any] = lambda *words: command("deploy", "azureml", *words)  # noqa: E731
    status = json.loads(ask("status", "churn", "--json").out)
    assert (status["target"], status["healthy"]) == ("azureml", True)
    assert json.loads(ask("list", "--json").out) == [status]
    assert ask("logs", "churn", "--tail", "5").out.startswith("booting\n")
    assert json.loads(ask("logs", "churn", "--json").out)["logs"].startswith("booting\n")
    assert ask("keys", "churn").out == "key-one\nkey-two\n"
    assert json.loads(ask("keys", "churn", "--json").out) == {"name": "churn", "keys": ["key-one", "key-two"]}
    (tmp_path / "request.json").write_text('{"data": [[1]]}')
    assert json.loads(ask("run", "churn", "request.json", "--slot", "blue").out) == {"predict": [1], "slot": "blue"}
    assert ask("traffic", "churn", "blue=100").out == "churn: blue 100 %\n"
    shown = json.loads(ask("traffic", "churn", "--json").out)
    assert shown == {"shares": {"blue": 100}, "mirror": {}}
    ran = ask("traffic", "churn", "blue=90", "green=10")
    assert (ran.exit_code, "no deployment green" in ran.err) == (2, True)
    assert json.loads(ask("delete", "churn", "--json").out) == {"name": "churn", "deleted": True}
    ran = ask("status", "churn")
    assert (ran.exit_code, ran.out) == (15, "")
    assert "Nothing is deployed as churn" in ran.err


def test_the_command_sends_the_image_that_the_registry_has(
    workspace: Workspace, registry: Registry, hand_made: Bundle, command: Command
) -> None:
    place = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")
    ran = command("deploy", "azureml", IMAGE, *place, "--unchecked")
    assert (ran.exit_code, workspace.paths()) == (15, [])
    assert "There is no image acme.azurecr.io/churn:3" in ran.err
    digest = registry.push("churn", "3", {BUNDLE_LABEL: "another"})
    ran = command("deploy", "azureml", IMAGE, *place, "--unchecked", "--json")
    assert ran.exit_code == 0, ran.err
    assert json.loads(ran.out)["name"] == "churn"
    assert "key-one" not in ran.out + ran.err
    (environment,) = (path for path in workspace.paths() if path.startswith("environments/"))
    assert workspace.at(environment)["properties"]["image"] == f"acme.azurecr.io/churn@{digest}"


def test_the_mark_is_on_all_that_is_made(target: Azureml, workspace: Workspace) -> None:
    apply(target, tags={"team": "churn"})
    for path in ("onlineEndpoints/churn", "onlineEndpoints/churn/deployments/blue"):
        assert workspace.at(path)["tags"] == {MARK: "churn", "team": "churn"}
