"""Pods that do not get ready: why, in words, as soon as it is known."""

from __future__ import annotations

from typing import Any

import pytest

from scorewright.deploy.aks_rollout import hopeless, progress, reason
from scorewright.errors import DeployError
from tests.deploy.on_cluster import apply, target
from tests.deploy.standin.kubernetes import Kubernetes, Pods


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "ready": False, "restartCount": 0}


def ended(code: int, why: str = "Error", restarts: int = 1) -> dict[str, Any]:
    return {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": code, "reason": why}},
        "ready": False,
        "restartCount": restarts,
    }


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
