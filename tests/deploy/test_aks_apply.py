"""The tree applied by the real kubectl to an API server that stands in for a cluster; what goes wrong, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.deploy import aks_traffic
from scorewright.deploy.aks import Aks
from scorewright.deploy.aks_place import AksPlace
from scorewright.deploy.aks_rollout import hopeless, progress, reason
from scorewright.deploy.kubectl import Kubectl
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import DeployError, UsageError
from tests.deploy.standin.answer import Answer
from tests.deploy.standin.kubernetes import Kubernetes, Pods, kubeconfig, refusal
from tests.kubectl import require_kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command
    from tests.deploy.standin.registry import Registry
    from tests.deploy.standin.server import StandIn

IMAGE = "acme.azurecr.io/churn@sha256:" + "0" * 64


@pytest.fixture
def cluster(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubernetes:
    """A cluster with the Gateway API, where all pods get ready; kubectl's current context leads there."""
    require_kubectl()
    found = Kubernetes()
    standin.services.append(found)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "kubeconfig", standin.url)))
    monkeypatch.setenv("KUBECACHEDIR", str(tmp_path / "kubecache"))
    return found


def target(**place: Any) -> Aks:
    return Aks(AksPlace("ml", **place), poll_seconds=0.01)


def apply(where: Aks | None = None, said: list[str] | None = None, **given: Any) -> Any:
    there = where or target(overlay="dev")
    todo = there.plan(DeploySettings.of(IMAGE, **{"probes": {"start": 1}, **given}))
    return there.apply(todo, (said if said is not None else []).append)


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "ready": False, "restartCount": 0}


def ended(code: int, why: str = "Error", restarts: int = 1) -> dict[str, Any]:
    return {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": code, "reason": why}},
        "ready": False,
        "restartCount": restarts,
    }


def test_it_is_applied_looked_after_and_deleted(cluster: Kubernetes, standin: StandIn) -> None:
    said: list[str] = []
    there = target(public=True)
    deployed = apply(there, said, secrets={"API_KEY": "hunter2"}, env={"LEVEL": "x"})
    assert deployed.scoring_uri == "http://203.0.113.7/score"
    assert said[0] == "applying overlays/prod"
    assert said[-1].startswith("churn: 1 of 1 pods are new, 1 ready; ready after")
    (secret,) = cluster.names("secrets")
    assert cluster.one("secrets", secret)["data"] == {"API_KEY": "aHVudGVyMg=="}
    patches = [call for call in standin.calls if call.method == "PATCH"]
    assert {call.query["fieldManager"] for call in patches} == {"scorewright"}
    assert {call.query["fieldValidation"] for call in patches} == {"Strict"}
    assert {call.query["force"] for call in patches} == {"false"}

    cluster.pods.log = "one\ntwo\n"
    assert "two" in deployed.logs()
    status = deployed.status()
    assert (status.healthy, status.url, status.detail) == (True, "http://203.0.113.7", "")
    assert status.state == "churn: 1 of 1 pods are new, 1 ready"
    assert there.deployments() == [status]
    assert deployed.get_keys() == ()

    deployed.delete()
    assert {kind for kind, _, _ in cluster.kept} == {"namespaces", "pods"}, "pods go by their owners"
    with pytest.raises(DeployError, match="Nothing is deployed as churn in the namespace ml"):
        there.status("churn")


def test_applied_again_it_converges(cluster: Kubernetes) -> None:
    apply()
    before = {kind: cluster.names(kind) for kind in ("deployments", "services", "serviceaccounts")}
    apply(cpu=2)
    assert {kind: cluster.names(kind) for kind in before} == before
    (container,) = cluster.one("deployments", "churn")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["cpu"] == "2000m"


def test_without_a_gateway_a_port_is_forwarded(cluster: Kubernetes) -> None:
    deployed = apply()
    assert deployed.scoring_uri == ""
    assert deployed.curl(None).startswith("kubectl port-forward --namespace ml service/churn 8080:80 &\ncurl ")
    with pytest.raises(DeployError, match="churn has no address outside the cluster"):
        deployed.run([[1]])


def test_a_cluster_without_the_gateway_api_will_do_for_dev(cluster: Kubernetes, standin: StandIn) -> None:
    standin.services[-1] = plain = Kubernetes(gateway=False)
    there = target(overlay="dev")
    assert apply(there).status().healthy
    there.delete("churn")
    assert plain.names("deployments") == []
    with pytest.raises(DeployError, match="The cluster has no Gateway API") as caught:
        apply(target())
    assert "--enable-gateway-api" in caught.value.hint


def test_blue_then_green_then_the_requests_are_divided(cluster: Kubernetes, command: Command) -> None:
    blue, green = (target(overlay="blue-green", slot=slot) for slot in ("blue", "green"))
    said: list[str] = []
    apply(blue, said)
    assert said[0] == "making the route; all requests go to blue"

    def weights() -> dict[str, int]:
        return aks_traffic.of_route(cluster.one("httproutes", "churn"), "churn")

    assert weights() == {"blue": 100, "green": 0}
    with pytest.raises(DeployError, match="green has no ready pod, and would get 10 % of the requests"):
        blue.traffic("churn", {"blue": 90, "green": 10})

    apply(green)
    assert weights() == {"blue": 100, "green": 0}, "an apply divides nothing"
    ran = command("deploy", "aks", "traffic", "churn", "blue=90", "green=10", "-n", "ml")
    assert ran.out == "churn: blue 90 %, green 10 %\n"
    assert weights() == {"blue": 90, "green": 10}
    apply(blue, env={"LEVEL": "x"})
    assert weights() == {"blue": 90, "green": 10}
    rules = cluster.one("httproutes", "churn")["spec"]["rules"]
    assert [rule["matches"][0]["headers"][0]["value"] for rule in rules[:-1]] == ["blue", "green"]
    assert "churn-blue: 1 of 1 pods are new, 1 ready, 90 % of the requests; churn-green: " in blue.status("churn").state


def test_traffic_needs_something_to_divide(cluster: Kubernetes) -> None:
    apply()
    with pytest.raises(DeployError, match="has no route that divides requests"):
        target().traffic("churn", {"blue": 100, "green": 0})


def test_what_is_someone_elses_is_never_touched(cluster: Kubernetes) -> None:
    apply()
    cluster.one("services", "churn")["metadata"]["labels"] = {}
    with pytest.raises(DeployError, match="A Service churn is there that was not deployed by scorewright"):
        apply()


@pytest.mark.parametrize(
    ("container", "message", "hint"),
    [
        (waiting("ImagePullBackOff", "401 Unauthorized"), "its image cannot be pulled: 401 Unauthorized", "attach-acr"),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), "it cannot be set up: secret", ""),
        (ended(3), "it ended with exit code 3, and was started again 1 times", "scorewright check"),
        (ended(7), "it ended with exit code 7", "other library versions"),
    ],
)
def test_a_pod_without_hope_is_told_at_once(
    cluster: Kubernetes, container: dict[str, Any], message: str, hint: str
) -> None:
    cluster.pods = Pods(container, log="RuntimeError: no weights, key is hunter2\n")
    with pytest.raises(DeployError, match=f"churn: pod churn-0: {message}") as caught:
        apply(probes={"start": 600}, secrets={"API_KEY": "hunter2"})
    assert hint in caught.value.hint
    assert "  RuntimeError: no weights, key is ***" in caught.value.message
    assert "What ran before still answers" in caught.value.message


@pytest.mark.parametrize(
    ("pods", "message", "hint"),
    [
        (Pods({"state": {"running": {}}, "ready": False}, log="loading\n"), "it is not ready yet", "--timeout"),
        (Pods(ended(137, "OOMKilled", 4)), r"killed for want of memory\), and was started again 4 times", "--memory"),
        (
            Pods(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: Insufficient cpu."}]),
            "no node can take it: 0/3 nodes: Insufficient cpu",
            "more nodes",
        ),
    ],
)
def test_what_is_not_ready_in_time_is_told_why(cluster: Kubernetes, pods: Pods, message: str, hint: str) -> None:
    cluster.pods = pods
    if pods.conditions:
        pods.container = {"ready": False}
    with pytest.raises(DeployError, match=f"not ready within 1 s: 1 of 1 pods are new, 0 ready .*{message}") as caught:
        apply()
    assert hint in caught.value.hint
    assert pods.log.strip() in caught.value.message
    assert target(overlay="dev").status("churn").detail.startswith("pod churn-0: ")


def test_a_quota_that_forbids_the_pods_is_told(cluster: Kubernetes) -> None:
    cluster.pods = Pods(refused='pods "churn-1" is forbidden: exceeded quota: compute, requested: cpu=1')
    with pytest.raises(DeployError, match=r"the cluster makes no pod: .*exceeded quota") as caught:
        apply()
    assert "quota" in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (refusal(401, "Unauthorized", "Unauthorized"), "Unauthorized|logged in", "az login"),
        (
            refusal(403, "Forbidden", 'namespaces "ml" is forbidden: User "me" cannot patch resource'),
            'namespaces "ml" is forbidden',
            "RBAC Writer",
        ),
        (
            refusal(409, "Conflict", 'Apply failed with 1 conflict: conflict with "helm": .spec.replicas'),
            "Apply failed with 1 conflict",
            "force-conflicts",
        ),
        (Answer(500, b"etcd is away"), "etcd is away|unable to handle|InternalError|error", ""),
    ],
)
def test_what_the_cluster_refuses_is_told_in_words(
    cluster: Kubernetes, standin: StandIn, answer: Answer, message: str, hint: str
) -> None:
    standin.fail("PATCH", "/api/v1/namespaces/ml$", answer)
    with pytest.raises(DeployError, match=f"kubectl apply: .*({message})") as caught:
        apply(secrets={"API_KEY": "hunter2"})
    assert hint in caught.value.hint
    assert "hunter2" not in caught.value.message
    assert apply().name == "churn", "applied again, it goes on"


def test_a_cluster_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1")))
    with pytest.raises(DeployError, match="kubectl get") as caught:
        apply()
    assert "get-contexts" in caught.value.hint


def test_a_context_that_there_is_not(cluster: Kubernetes) -> None:
    with pytest.raises(DeployError, match='context "nowhere" does not exist') as caught:
        apply(target(overlay="dev", context="nowhere"))
    assert "get-contexts" in caught.value.hint


def test_no_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeployError, match="There is no kubectl on the PATH") as caught:
        Kubectl("ml").run("version")
    assert "az aks install-cli" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "weights"),
    [(["blue=90", "green=10"], {"blue": 90, "green": 10}), (["green=100"], {"blue": 0, "green": 100})],
)
def test_shares_are_percentages(words: list[str], weights: dict[str, int]) -> None:
    assert aks_traffic.parse(words) == weights


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["blue=90"], "sum to 90, not to 100"),
        (["blue=90", "green=20"], "sum to 110"),
        (["red=100"], "'red=100' is no share"),
        (["blue"], "'blue' is no share"),
        (["blue=-5"], "is no share"),
    ],
)
def test_shares_that_cannot_be_meant_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        aks_traffic.parse(words)


def test_a_rollout_that_the_cluster_has_not_seen_yet_is_not_over() -> None:
    status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    found = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}
    assert progress(found) == (False, "0 of 2 pods are new, 2 ready")
    status["observedGeneration"] = 2
    assert progress(found) == (True, "2 of 2 pods are new, 2 ready")
    status["replicas"] = 3
    assert progress(found)[0] is False, "one of the old is still there"


def test_a_pod_that_got_over_it_is_well() -> None:
    pod = {"status": {"containerStatuses": [{**ended(3), "state": {"running": {}}, "ready": True}]}}
    assert (reason(pod), hopeless(pod)) == ("", False)


def test_the_whole_way_by_commands(cluster: Kubernetes, registry: Registry, command: Command) -> None:
    digest = registry.push("churn", "3")
    words = ("deploy", "aks", "acme.azurecr.io/churn:3", "-n", "ml", "--public")
    refused = command(*words, "--unchecked")
    assert refused.exit_code == 2
    assert "anyone could ask it without a key" in refused.err
    assert cluster.kept == {}

    ran = command(*words, "--insecure", "--unchecked", "--json")
    assert ran.exit_code == 0, ran.err
    assert json.loads(ran.out)["scoring_uri"] == "http://203.0.113.7/score"
    (container,) = cluster.one("deployments", "churn")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"acme.azurecr.io/churn@{digest}"
    assert "1 of 1 pods are new" in command("deploy", "aks", "list", "-n", "ml").out
    assert command("deploy", "aks", "logs", "churn", "-n", "ml", "--tail", 1).exit_code == 0
    assert command("deploy", "aks", "delete", "churn", "-n", "ml").out == "churn is deleted.\n"
    gone = command("deploy", "aks", "status", "churn", "-n", "ml")
    assert gone.exit_code == 15
