"""What a notebook deploys with, in one call: to ACI and to a cluster, each by its stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import scorewright
from scorewright.deploy.preflight import BUNDLE_LABEL
from scorewright.deploy.target import Deployment
from scorewright.errors import BundleError, DeployError, UsageError
from tests.deploy.standin.login import LoggedIn, LoggedOut
from tests.deploy.test_aci_apply import ID, groups, puts, service

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from tests.deploy.standin.container_groups import ContainerGroups
    from tests.deploy.standin.kubernetes import Kubernetes
    from tests.deploy.standin.registry import Registry
    from tests.deploy.standin.server import StandIn

__all__ = ["groups", "service"]

IMAGE = "acme.azurecr.io/churn:3"
ACI: dict[str, Any] = {
    "subscription": "s",
    "resource_group": "g",
    "location": "West Europe",
    "dns_label": "acme",
    "identity": ID,
    "credential": LoggedIn(),
}


def test_a_container_group(groups: ContainerGroups, registry: Registry, standin: StandIn) -> None:
    digest = registry.push("churn", "3")
    groups.fate.log = "one\ntwo\n"
    said: list[str] = []
    there = scorewright.deploy.aci(
        IMAGE, **ACI, insecure=True, unchecked=True, cpu=2, secrets={"API_KEY": "hunter2"}, report=said.append
    )
    assert isinstance(there, Deployment)
    (body,) = puts(standin)
    container = body["properties"]["containers"][0]["properties"]
    assert container["image"] == f"acme.azurecr.io/churn@{digest}"
    assert container["resources"]["requests"]["cpu"] == 2
    assert (there.name, there.run([[1]]), there.get_keys()) == ("churn", {"predict": [1]}, ())
    assert there.scoring_uri.endswith(f":{groups.fate.port}/score")
    assert there.logs(1) == "two\n" or "two" in there.logs()
    assert there.status().healthy
    assert said[0] == f"looking for {IMAGE}"
    assert said[-1].startswith("healthy after")
    assert "hunter2" not in "".join(said)
    there.delete()
    with pytest.raises(DeployError, match="Nothing is deployed as churn"):
        there.status()


def test_one_that_asks_for_a_key_needs_nothing_insecure(groups: ContainerGroups, registry: Registry) -> None:
    registry.push("churn", "3")
    key = "hunter2-" * 4
    there = scorewright.deploy.aci(
        IMAGE, **ACI, unchecked=True, auth="key", secrets={"FIRST": key}, auth_keys=("FIRST",)
    )
    assert there.get_keys() == (key,)
    assert there.run([[1]]) == {"predict": [1]}


def test_the_subscription_is_the_shells_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    where = {key: value for key, value in ACI.items() if key != "subscription"}
    with pytest.raises(UsageError, match="--subscription is not given"):
        scorewright.deploy.aci(IMAGE, **where)
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "s")
    with pytest.raises(UsageError, match="anyone could ask it without a key"):
        scorewright.deploy.aci(IMAGE, **where)


def test_a_cluster(cluster: Kubernetes, registry: Registry) -> None:
    digest = registry.push("churn", "3")
    said: list[str] = []
    there = scorewright.deploy.aks(
        IMAGE,
        namespace="ml",
        overlay="blue-green",
        slot="green",
        public=True,
        insecure=True,
        unchecked=True,
        credential=LoggedIn(),
        replicas=2,
        report=said.append,
    )
    assert isinstance(there, Deployment)
    deployment = cluster.one("deployments", "churn-green")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert (container["image"], deployment["spec"]["replicas"]) == (f"acme.azurecr.io/churn@{digest}", 2)
    assert (there.scoring_uri, there.get_keys()) == ("http://203.0.113.7/score", ())
    assert there.status().healthy
    assert said[:2] == [f"looking for {IMAGE}", "making the namespace ml"]
    there.delete()
    assert cluster.names("deployments") == []


def test_a_bundle_is_checked_before_anything_is_sent(
    registry: Registry, cluster: Kubernetes, standin: StandIn, hand_made: Bundle, tmp_path: Path
) -> None:
    registry.push("churn", "3", {BUNDLE_LABEL: hand_made.digest})
    for bundle in (hand_made, hand_made.root, str(hand_made.root)):
        with pytest.raises(BundleError):
            scorewright.deploy.aks(IMAGE, namespace="ml", bundle=bundle, credential=LoggedIn())
    with pytest.raises(BundleError):
        scorewright.deploy.aci(IMAGE, **ACI, insecure=True, bundle=hand_made)
    with pytest.raises(UsageError, match="Which bundle is in the image"):
        scorewright.deploy.aks(IMAGE, namespace="ml", credential=LoggedIn())
    assert puts(standin) == []
    assert cluster.kept == {}


def test_nobody_is_logged_in(registry: Registry, groups: ContainerGroups) -> None:
    registry.push("churn", "3")
    with pytest.raises(DeployError, match="not logged in to Azure"):
        scorewright.deploy.aci(IMAGE, **{**ACI, "credential": LoggedOut()}, insecure=True, unchecked=True)


def test_what_does_not_fit_asks_nobody(standin: StandIn) -> None:
    with pytest.raises(UsageError, match="replicas"):
        scorewright.deploy.aci(IMAGE, **ACI, replicas=2)
    with pytest.raises(UsageError, match="overlay dev has no gateway"):
        scorewright.deploy.aks(IMAGE, namespace="ml", overlay="dev", public=True)
    with pytest.raises(UsageError, match="--cpuu"):
        scorewright.deploy.aks(IMAGE, namespace="ml", cpuu=2)
    assert standin.calls == []
