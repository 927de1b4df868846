"""Blue and green on one cluster, and how the requests are divided between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scorewright.deploy import aks_traffic
from scorewright.errors import DeployError, UsageError
from tests.deploy.on_cluster import apply, target

if TYPE_CHECKING:
    from tests.command import Command
    from tests.deploy.standin.kubernetes import Kubernetes


def test_blue_then_green_then_the_requests_are_divided(cluster: Kubernetes, command: Command) -> None:
    blue, green = (target(overlay="blue-green", slot=slot) for slot in ("blue", "green"))
    said: list[str] = []
    apply(blue, said)
    assert said[:2] == ["making the namespace ml", "making the route; all requests go to blue"]

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
    ran = command("deploy", "aks", "traffic", "churn", "blue=80", "green=20", "-n", "ml", "--json")
    assert json.loads(ran.out) == {"blue": 80, "green": 20}
    ran = command("deploy", "aks", "traffic", "churn", "-n", "ml", "--json")
    assert json.loads(ran.out) == {"blue": 80, "green": 20}
    blue.traffic("churn", {"blue": 90, "green": 10})
    apply(blue, env={"LEVEL": "x"})
    assert weights() == {"blue": 90, "green": 10}
    rules = cluster.one("httproutes", "churn")["spec"]["rules"]
    assert [rule["matches"][0]["headers"][0]["value"] for rule in rules[:-1]] == ["blue", "green"]
    assert "churn-blue: 1 of 1 pods are new, 1 ready, 90 % of the requests; churn-green: " in blue.status("churn").state


def test_traffic_needs_something_to_divide(cluster: Kubernetes) -> None:
    apply()
    with pytest.raises(DeployError, match="has no route that divides requests"):
        target().traffic("churn", {"blue": 100, "green": 0})
    with pytest.raises(DeployError, match="has no route that divides requests"):
        target().traffic("churn")


def test_a_slot_that_is_not_named_gets_none(cluster: Kubernetes) -> None:
    for slot in ("blue", "green"):
        apply(target(overlay="blue-green", slot=slot))
    assert target().traffic("churn", {"green": 100}) == {"blue": 0, "green": 100}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"blue": 90}, "The shares are 90 together"),
        ({"blue": 90, "green": 20}, "The shares are 110 together"),
        ({"blue": 110, "green": -10}, "must be 100"),
        ({"red": 100}, "There is no slot red: blue and green"),
    ],
)
def test_shares_that_cannot_be_meant_are_refused(cluster: Kubernetes, weights: dict[str, int], message: str) -> None:
    for slot in ("blue", "green"):
        apply(target(overlay="blue-green", slot=slot))
    with pytest.raises(UsageError, match=message):
        target().traffic("churn", weights)
    assert target().traffic("churn") == {"blue": 100, "green": 0}
