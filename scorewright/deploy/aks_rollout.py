"""Pods on their way to being ready, in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from scorewright.deploy.exit_code import HOPELESS, OUT_OF_MEMORY, cause_of, indented
from scorewright.deploy.settings import without_secrets
from scorewright.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorewright.deploy.kubectl import Kubectl
    from scorewright.deploy.target import Report

LOG_TAIL = 25

_WAITING = {
    "ImagePullBackOff": "its image cannot be pulled",
    "ErrImagePull": "its image cannot be pulled",
    "InvalidImageName": "its image's name is none",
    "CreateContainerConfigError": "it cannot be set up",
    "CreateContainerError": "it cannot be made",
    "RunContainerError": "it cannot be started",
}
"""What a waiting container will not get over by itself."""

PULL_HINT = "Is it pushed, and may the cluster pull it? az aks update --attach-acr REGISTRY (docs/deploy-aks.md)"
STILL = "What ran before still answers. The new pods are left to be looked at."


def wait_until_ready(
    kubectl: Kubectl, name: str, *, timeout: float, wait: float, secrets: Mapping[str, str], report: Report
) -> None:
    """Wait until all pods of a Deployment are those that were applied, and ready.

    Raises DeployError with the failing pod's reason and last lines as soon as it cannot get ready, or if it is not
    within `timeout` seconds.
    """
    began = time.monotonic()
    while True:
        found = kubectl.get("deployment", name)
        if found is None:
            raise DeployError(f"The deployment {name} has gone while it was waited for.")
        if (problem := _refused(found)) is not None:
            raise DeployError(f"{name}: the cluster makes no pod: {problem}", hint=_quota_hint(problem))
        done, text = progress(found)
        if done:
            report(f"{name}: {text}; ready after {time.monotonic() - began:.1f} s")
            return
        pods = _pods(kubectl, found)
        if bad := next((pod for pod in pods if hopeless(pod)), None):
            raise _failed(kubectl, name, bad, f"pod {_name(bad)}: {reason(bad)}", secrets)
        waited_for = next((f" ({reason(pod)})" for pod in pods if reason(pod)), "")
        if time.monotonic() - began > timeout:
            worst = next((pod for pod in pods if reason(pod)), None)
            raise _failed(kubectl, name, worst, f"not ready within {timeout:g} s: {text}{waited_for}", secrets)
        report(f"{name}: {text}{waited_for}")
        time.sleep(wait)


def progress(deployment: dict[str, Any]) -> tuple[bool, str]:
    """Whether a rollout is over, and how far it is."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    done = seen and updated == wanted and total == wanted and available == wanted
    return done, f"{updated if seen else 0} of {wanted} pods are new, {available} ready"


def reason(pod: dict[str, Any]) -> str:
    """Why a pod is not ready, in words; empty if it is, or nothing is known."""
    status = pod.get("status", {})
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"no node can take it: {condition.get('message', '')}"
    for container in status.get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _WAITING:
            return f"{_WAITING[waiting['reason']]}: {waiting.get('message', waiting['reason'])}"
        if ended := _ended(container):
            killed = " (killed for want of memory)" if ended.get("reason") == "OOMKilled" else ""
            times = container.get("restartCount", 0)
            return f"it ended with exit code {ended['exitCode']}{killed}, and was started again {times} times"
        if not container.get("ready", False):
            return "it is not ready yet"
    return ""


def hopeless(pod: dict[str, Any]) -> bool:
    """Whether a pod cannot get ready without somebody doing something."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        if container.get("state", {}).get("waiting", {}).get("reason") in _WAITING:
            return True
        if (ended := _ended(container)) and ended["exitCode"] in HOPELESS:
            return True
    return False


def _ended(container: dict[str, Any]) -> dict[str, Any] | None:
    """How a container ended the last time, if it did and does not run well since."""
    now, before = container.get("state", {}).get("terminated"), container.get("lastState", {}).get("terminated")
    if container.get("ready", False):
        return None
    found: dict[str, Any] | None = now or before
    return found


def _refused(deployment: dict[str, Any]) -> str | None:
    for condition in deployment.get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message", condition.get("reason", "")))
    return None


def _quota_hint(problem: str) -> str:
    from scorewright.deploy.kubectl import HINTS

    return next((hint for known, hint in HINTS.items() if known in problem), "")


def _pods(kubectl: Kubectl, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods of a deployment, the newest first."""
    labels = deployment["spec"]["selector"]["matchLabels"]
    found = kubectl.labelled("pods", ",".join(f"{key}={value}" for key, value in labels.items()))
    return sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)


def _name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def _failed(
    kubectl: Kubectl, name: str, pod: dict[str, Any] | None, why: str, secrets: Mapping[str, str]
) -> DeployError:
    words = f" Its last lines:\n{indented(_last_words(kubectl, pod, secrets))}\n" if pod is not None else " "
    return DeployError(f"{name}: {why}.{words}{STILL}", hint=_hint(pod) if pod is not None else "")


def _last_words(kubectl: Kubectl, pod: dict[str, Any], secrets: Mapping[str, str]) -> str:
    """The last lines of a pod's log: of the container that ended, if there was one."""
    text = ""
    for flags in ((), ("--previous",)):
        try:
            text = kubectl.run("logs", _name(pod), f"--tail={LOG_TAIL}", *flags) or text
        except DeployError:
            continue
        if text:
            break
    return without_secrets(text, secrets)


def _hint(pod: dict[str, Any]) -> str:
    why = reason(pod)
    if "cannot be pulled" in why:
        return PULL_HINT
    if why.startswith("no node can take it"):
        return "Ask for less with --cpu and --memory, or give the cluster more nodes."
    for container in pod.get("status", {}).get("containerStatuses", []):
        if ended := _ended(container):
            return OUT_OF_MEMORY if ended.get("reason") == "OOMKilled" else cause_of(ended["exitCode"])
    return "Give it longer with --timeout, or see in the lines above what it waits for."
