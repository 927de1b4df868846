"""The tree applied by the real kubectl to an API server that stands in for a cluster; what is refused, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scorewright.deploy.kubectl import Kubectl
from scorewright.errors import DeployError
from tests.deploy.on_cluster import apply, target
from tests.deploy.standin.answer import Answer
from tests.deploy.standin.kubernetes import Kubernetes, kubeconfig, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command
    from tests.deploy.standin.registry import Registry
    from tests.deploy.standin.server import StandIn


def test_it_is_applied_looked_after_and_deleted(cluster: Kubernetes, standin: StandIn) -> None:
    said: list[str] = []
    there = target(public=True)
    deployed = apply(there, said, secrets={"API_KEY": "hunter2"}, env={"LEVEL": "x"})
    assert deployed.scoring_uri == "http://203.0.113.7/score"
    assert said[:2] == ["making the namespace ml", "applying overlays/prod"]
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


def test_the_keys_are_told_to_who_may_read_the_secret(cluster: Kubernetes, command: Command) -> None:
    keys = {"ONE": "one-0123456789abcdef", "TWO": "two-0123456789abcdef"}
    deployed = apply(auth="key", auth_keys=tuple(keys), secrets=keys)
    assert deployed.get_keys() == tuple(keys.values())
    assert target().get("churn").get_keys() == tuple(keys.values())
    assert command("deploy", "aks", "keys", "churn", "--namespace", "ml").out.split() == [*keys.values()]
    assert '"Authorization: Bearer $(scorewright deploy aks keys churn --namespace ml' in deployed.curl(None)


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


def test_who_may_only_write_in_a_namespace_deploys_where_it_is_there(cluster: Kubernetes, standin: StandIn) -> None:
    cluster.kept["namespaces", "", "ml"] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "ml", "labels": {"team": "others"}},
    }
    forbidden = refusal(403, "Forbidden", 'namespaces "ml" is forbidden: User "me" cannot patch resource')
    standin.fail("PATCH", "/api/v1/namespaces/ml$", forbidden)
    said: list[str] = []
    assert apply(target(), said).status().healthy
    assert apply(target(overlay="blue-green")).status().healthy
    assert "making the namespace ml" not in said
    assert cluster.one("namespaces", "ml")["metadata"]["labels"] == {"team": "others"}


def test_who_may_not_read_routes_has_dev_all_the_same(cluster: Kubernetes, standin: StandIn) -> None:
    said = 'httproutes.gateway.networking.k8s.io "churn" is forbidden: User "me" cannot get resource "httproutes"'
    standin.fail("GET", "/httproutes/churn$", refusal(403, "Forbidden", said), times=5)
    there = target(overlay="dev")
    deployed = apply(there)
    assert (deployed.scoring_uri, there.get("churn").scoring_uri, deployed.status().healthy) == ("", "", True)
    there.delete("churn")
    assert cluster.names("deployments") == []


def test_a_route_that_may_not_be_read_is_not_taken_for_none(cluster: Kubernetes, standin: StandIn) -> None:
    there = target()
    apply(there)
    said = 'httproutes.gateway.networking.k8s.io "churn" is forbidden: User "me" cannot get resource "httproutes"'
    standin.fail("GET", "/httproutes/churn$", refusal(403, "Forbidden", said), times=2)
    for ask in (there.status, there.delete):
        with pytest.raises(DeployError, match="is forbidden"):
            ask("churn")
    assert cluster.names("deployments") == ["churn"]


def test_dev_in_the_place_of_prod_still_has_its_route_and_loses_it_with_the_rest(cluster: Kubernetes) -> None:
    apply(target(public=True))
    there = target(overlay="dev")
    assert apply(there).status().url == "http://203.0.113.7"
    there.delete("churn")
    assert [*cluster.names("httproutes"), *cluster.names("gateways")] == []


def test_a_namespace_that_is_missing_is_made(cluster: Kubernetes) -> None:
    said: list[str] = []
    apply(said=said)
    assert said[0] == "making the namespace ml"
    assert cluster.one("namespaces", "ml")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_is_someone_elses_is_never_touched(cluster: Kubernetes) -> None:
    apply()
    cluster.one("services", "churn")["metadata"]["labels"] = {}
    with pytest.raises(DeployError, match="A Service churn is there that was not deployed by scorewright"):
        apply()


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
    logs = command("deploy", "aks", "logs", "churn", "-n", "ml", "--tail", 1, "--json")
    assert json.loads(logs.out) == {"name": "churn", "logs": ""}
    deleted = command("deploy", "aks", "delete", "churn", "-n", "ml", "--json")
    assert json.loads(deleted.out) == {"name": "churn", "deleted": True}
    gone = command("deploy", "aks", "status", "churn", "-n", "ml")
    assert gone.exit_code == 15
