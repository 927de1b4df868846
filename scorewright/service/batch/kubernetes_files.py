"""A Dask cluster on Kubernetes, for dask-kubernetes' operator to make, and who may talk to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from scorewright.errors import UsageError

RUNNER_LABEL = "scorewright.dev/batch-runner"
"""Pods with this label and the cluster's name may send jobs to its scheduler."""

_NAME = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_QUANTITIES = {"cpu": re.compile(r"[0-9]+m|[0-9]+(?:\.[0-9]+)?"), "memory": re.compile(r"[0-9]+(?:[KMGT]i?)?")}
_LONGEST = 40
_USER = 10001
_COMM, _DASHBOARD, _WORKER_HTTP = 8786, 8787, 8788


@dataclass(frozen=True)
class DaskCluster:
    """A cluster as it is asked for. `cpu` and `memory` are a worker's, in Kubernetes' units."""

    image: str
    """It has scorewright[batch,abfs] and what the model needs."""
    name: str = "scorewright-batch"
    namespace: str = "default"
    workers: int = 2
    cpu: str = "1"
    memory: str = "2Gi"
    idle_timeout: int = 0
    """Seconds without work after which the operator deletes the cluster; 0 for never."""
    service_account: str | None = None
    """A workload identity that may read the input and write the output."""
    secret: str | None = None
    """A Secret whose entries become environment variables, such as AZURE_STORAGE_CONNECTION_STRING."""


def kubernetes_files(asked: DaskCluster) -> bytes:
    """The manifests, as one YAML file. Raises UsageError for what Kubernetes would not take."""
    _check(asked)
    return b"---\n".join(_to_yaml(manifest) for manifest in (_cluster(asked), *_policies(asked)))


def _check(asked: DaskCluster) -> None:
    names = {"name": asked.name, "namespace": asked.namespace}
    names |= {"service account": asked.service_account or "a", "secret": asked.secret or "a"}
    for what, name in names.items():
        longest = _LONGEST if what == "name" else 63  # the operator appends to the cluster's
        if not _NAME.fullmatch(name) or len(name) > longest:
            raise UsageError(
                f"{name!r} is no {what} in Kubernetes.",
                hint=f"At most {longest} small letters, digits and hyphens, a letter first and no hyphen last.",
            )
    for what, quantity in (("cpu", asked.cpu), ("memory", asked.memory)):
        if not _QUANTITIES[what].fullmatch(quantity):
            raise UsageError(f"{quantity!r} is no amount of {what} in Kubernetes.", hint="Write 500m, 2, 512Mi or 2Gi.")
    if asked.workers < 1 or asked.idle_timeout < 0 or not asked.image.strip():
        raise UsageError("A cluster has an image, at least one worker, and an idle time of 0 s or more.")


def _cluster(asked: DaskCluster) -> dict[str, Any]:
    worker = _container(asked, "worker", {"cpu": asked.cpu, "memory": asked.memory})
    worker["command"] = ["dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--no-nanny"]
    worker["command"] += ["--nthreads", str(_whole_cpus(asked.cpu))]
    worker["command"] += ["--memory-limit", "0", "--death-timeout", "60"]
    worker["command"] += ["--dashboard-address", f":{_WORKER_HTTP}"]
    worker["ports"] = [{"name": "http", "containerPort": _WORKER_HTTP}]
    worker["livenessProbe"] = _probe("http", initialDelaySeconds=30, periodSeconds=20, failureThreshold=6)
    scheduler = _container(asked, "scheduler", {"cpu": "500m", "memory": "1Gi"})
    scheduler["command"] = ["dask", "scheduler", "--port", str(_COMM), "--dashboard-address", f":{_DASHBOARD}"]
    scheduler["ports"] = [{"name": "tcp-comm", "containerPort": _COMM}, {"name": "http", "containerPort": _DASHBOARD}]
    scheduler["readinessProbe"] = _probe("http", periodSeconds=5)
    scheduler["livenessProbe"] = _probe("http", initialDelaySeconds=15, periodSeconds=20, failureThreshold=6)
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": asked.name, "namespace": asked.namespace},
        "spec": {
            "idleTimeout": asked.idle_timeout,
            "scheduler": {
                "spec": _pod(asked, scheduler),
                "service": {
                    "type": "ClusterIP",
                    "selector": {"dask.org/cluster-name": asked.name, "dask.org/component": "scheduler"},
                    "ports": [
                        {"name": "tcp-comm", "protocol": "TCP", "port": _COMM, "targetPort": "tcp-comm"},
                        {"name": "http-dashboard", "protocol": "TCP", "port": _DASHBOARD, "targetPort": "http"},
                    ],
                },
            },
            "worker": {
                "replicas": asked.workers,
                "metadata": {"labels": _identity(asked)},
                "spec": _pod(asked, worker),
            },
        },
    }


def _container(asked: DaskCluster, name: str, resources: dict[str, str]) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": asked.image,
        "env": [{"name": "HOME", "value": "/tmp"}, {"name": "DASK_TEMPORARY_DIRECTORY", "value": "/tmp"}],  # noqa: S108
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    if asked.secret and name == "worker":
        container["envFrom"] = [{"secretRef": {"name": asked.secret}}]
    return container


def _pod(asked: DaskCluster, container: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    if asked.service_account and container["name"] == "worker":
        pod = {"serviceAccountName": asked.service_account, **pod}
    return pod


def _probe(port: str, **given: int) -> dict[str, Any]:
    return {"httpGet": {"path": "/health", "port": port}, **given}


def _whole_cpus(cpu: str) -> int:
    """How many mini-batches a worker is sent at a time; how many processes score them, --max-concurrency says."""
    return max(int(cpu.removesuffix("m")) // 1000 if cpu.endswith("m") else int(float(cpu)), 1)


def _identity(asked: DaskCluster) -> dict[str, str]:
    return {"azure.workload.identity/use": "true"} if asked.service_account else {}


def _policies(asked: DaskCluster) -> list[dict[str, Any]]:
    """Whoever reaches a Dask scheduler or worker has code of his run there: let in each other, and who is labelled."""
    own = {"podSelector": {"matchLabels": {"dask.org/cluster-name": asked.name}}}
    runner = {"podSelector": {"matchLabels": {RUNNER_LABEL: asked.name}}}
    workers = {"dask.org/cluster-name": asked.name, "dask.org/component": "worker"}
    scheduler = {"dask.org/cluster-name": asked.name, "dask.org/component": "scheduler"}
    return [
        _policy(asked, "scheduler", scheduler, [{"from": [own, runner]}]),
        _policy(asked, "workers", workers, [{"from": [own]}]),
    ]


def _policy(asked: DaskCluster, name: str, pods: dict[str, str], ingress: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{asked.name}-{name}", "namespace": asked.namespace},
        "spec": {"podSelector": {"matchLabels": pods}, "policyTypes": ["Ingress"], "ingress": ingress},
    }


def _to_yaml(content: dict[str, Any]) -> bytes:
    """YAML with the keys in their order."""
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120, encoding="utf-8")
