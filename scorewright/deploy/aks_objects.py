"""The Kubernetes objects that run a service, each as its manifest has it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scorewright.deploy.settings import KEYS_PATH, SERVICE_PORT, TOKEN_ISSUER

if TYPE_CHECKING:
    from scorewright.deploy.aks_place import AksPlace
    from scorewright.deploy.settings import DeploySettings

NAME_LABEL = "app.kubernetes.io/name"
MANAGER_LABEL = "app.kubernetes.io/managed-by"
SLOT_LABEL = "scorewright.io/slot"
OURS = "scorewright"
"""What MANAGER_LABEL says of everything made here; the rest is never touched."""

PIN_HEADER = "azureml-model-deployment"
"""The header by which a request names its deployment, past the weights; Azure ML's own."""

SERVICE_USER = 10001
CPU, MEMORY = 1.0, 1536 * 2**20
SERVICE_AT = 80
LEAVE_SECONDS = 5
"""How long a pod still takes requests after it has been told to end: until no gateway sends it any."""
DRAIN_TIMEOUT, DRAIN_SECONDS = "SCOREWRIGHT_DRAIN_TIMEOUT", 25
"""The service's setting for how long it answers after it has been told to end, and its default."""
QUEUE_METRIC = "scorewright_queue_requests"
METRICS_PATH = "/metrics"

KEYS_MOUNT = "/etc/scorewright/keys"
KEYS_VOLUME = "keys"

Object = dict[str, Any]


def keys_name(name: str, slot: str = "") -> str:
    """The Secret that holds a deployment's keys; `slot` is what blue and green have after their names."""
    return f"{name}-keys{slot}"


def namespace(place: AksPlace) -> Object:
    """Where pods may do nothing that the restricted standard forbids."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace, "labels": labels}}


def service_account(name: str) -> Object:
    """Who the pods are: somebody who may ask the cluster nothing."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name},
        "automountServiceAccountToken": False,
    }


def deployment(settings: DeploySettings) -> Object:
    """The pods. It has no number of replicas: an overlay or an autoscaler sets it."""
    name, probes = settings.name, settings.probes
    tries = math.ceil(probes.start / probes.period)
    keys = int(bool(settings.keys))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": probes.start + 120,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": {NAME_LABEL: name}},
            "template": {
                "metadata": {"labels": {NAME_LABEL: name}, "annotations": _scraped()},
                "spec": {
                    "serviceAccountName": name,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": _grace(settings),
                    "nodeSelector": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": SERVICE_USER,
                        "runAsGroup": SERVICE_USER,
                        "fsGroup": SERVICE_USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "topologySpreadConstraints": [
                        _spread(name, "topology.kubernetes.io/zone"),
                        _spread(name, "kubernetes.io/hostname"),
                    ],
                    "containers": [
                        {
                            "name": "service",
                            "image": str(settings.image),
                            "ports": [{"name": "http", "containerPort": SERVICE_PORT}],
                            "envFrom": _variables(settings),
                            **({"env": own} if (own := _own_variables(settings)) else {}),
                            "resources": _resources(settings),
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "startupProbe": _probe("/", probes.period, probes.timeout, tries),
                            "readinessProbe": _probe("/", probes.period, probes.timeout, probes.failures),
                            "livenessProbe": _probe("/livez", probes.period, probes.timeout, probes.failures),
                            "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(LEAVE_SECONDS)]}}},
                            "volumeMounts": [
                                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the pod's own
                                *([{"name": KEYS_VOLUME, "mountPath": KEYS_MOUNT, "readOnly": True}] * keys),
                            ],
                        }
                    ],
                    "volumes": [
                        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                        *(
                            [{"name": KEYS_VOLUME, "secret": {"secretName": keys_name(name), "defaultMode": 0o440}}]
                            * keys
                        ),
                    ],
                },
            },
        },
    }


def service(name: str) -> Object:
    """The pods under one name inside the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "type": "ClusterIP",
            "selector": {NAME_LABEL: name},
            "ports": [{"name": "http", "port": SERVICE_AT, "targetPort": "http"}],
        },
    }


def network_policy(settings: DeploySettings, place: AksPlace) -> Object:
    """Who may ask the pods: the namespace itself, the gateway's and Prometheus'.

    They may ask nobody but for names; if they check tokens, also by HTTPS for the issuer's keys.
    """
    name = settings.name
    asked = [("UDP", 53), ("TCP", 53), *([("TCP", 443)] if TOKEN_ISSUER in settings.env else [])]
    others = dict.fromkeys(space for space in (place.gateway_parts[0], place.metrics_namespace) if space)
    peers: list[Object] = [{"podSelector": {}}]
    peers += [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}} for space in others]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {
            "podSelector": {"matchLabels": {NAME_LABEL: name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers, "ports": [{"protocol": "TCP", "port": "http"}]}],
            "egress": [{"ports": [{"protocol": protocol, "port": port} for protocol, port in asked]}],
        },
    }


def autoscaler(name: str, least: int, most: int, percent: int, queue: int | None) -> Object:
    """As many pods as the load asks for."""
    target = {"type": "Utilization", "averageUtilization": percent}
    metrics: list[Object] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if queue is not None:
        value = {"type": "AverageValue", "averageValue": str(queue)}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": QUEUE_METRIC}, "target": value}})
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": metrics,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def disruption_budget(name: str) -> Object:
    """How many pods a node that is emptied may take at once."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {NAME_LABEL: name}}},
    }


def gateway(name: str, place: AksPlace) -> Object:
    """The address before the service."""
    listener: Object = {"name": "http", "port": 80, "protocol": "HTTP"}
    if place.tls_secret:
        certificate = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": place.tls_secret}]}
        listener = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": certificate}
    if place.hostname:
        listener["hostname"] = place.hostname
    listener["allowedRoutes"] = {"namespaces": {"from": "Same"}}
    inside = {"annotations": {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {
            "gatewayClassName": place.gateway_class,
            **({} if place.public else {"infrastructure": inside}),
            "listeners": [listener],
        },
    }


def route(name: str, place: AksPlace, weights: dict[str, int]) -> Object:
    """Which requests go where: by header to the deployment that it names, the others by weight.

    `weights` are by slot; without slots the whole goes to the one service.
    """
    space, parent = place.gateway_parts
    reference = {"name": parent, **({"namespace": space} if space else {})} if place.gateway else {"name": name}
    rules: list[Object] = [
        {
            "matches": [{"headers": [{"name": PIN_HEADER, "value": slot}]}],
            "backendRefs": [{"name": f"{name}-{slot}", "port": SERVICE_AT}],
        }
        for slot in weights
    ]
    shares = [{"name": f"{name}-{slot}", "port": SERVICE_AT, "weight": weight} for slot, weight in weights.items()]
    rules.append({"backendRefs": shares or [{"name": name, "port": SERVICE_AT}]})
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [reference],
            **({"hostnames": [place.hostname]} if place.hostname else {}),
            "rules": rules,
        },
    }


def _grace(settings: DeploySettings) -> int:
    """Seconds until a pod that was told to end is killed: what it has accepted is to be answered before."""
    return LEAVE_SECONDS + _drain(settings) + 5


def _drain(settings: DeploySettings) -> int:
    """Seconds in which a service that was told to end is to answer what it has accepted."""
    asked = settings.env.get(DRAIN_TIMEOUT, "")
    # 0 is no limit, which the pod's own end is anyway.
    if asked.isdecimal() and int(asked):
        return int(asked)
    return max(DRAIN_SECONDS, math.ceil((settings.request_timeout_ms or 0) / 1000))


def _own_variables(settings: DeploySettings) -> list[Object]:
    """Variables that come from how it is deployed here."""
    told = {KEYS_PATH: KEYS_MOUNT} if settings.keys else {}
    if (drain := _drain(settings)) != DRAIN_SECONDS and DRAIN_TIMEOUT not in settings.env:
        told[DRAIN_TIMEOUT] = str(drain)
    return [{"name": name, "value": value} for name, value in told.items()]


def _variables(settings: DeploySettings) -> list[Object]:
    found: list[Object] = []
    if settings.service_variables():
        found.append({"configMapRef": {"name": settings.name}})
    if settings.variables_hidden:
        found.append({"secretRef": {"name": settings.name}})
    return found


def _resources(settings: DeploySettings) -> Object:
    asked = {
        "cpu": f"{round((settings.cpu or CPU) * 1000)}m",
        "memory": f"{math.ceil((settings.memory or MEMORY) / 2**20)}Mi",
    }
    return {"requests": asked, "limits": dict(asked)}


def _scraped() -> Object:
    """What a Prometheus that looks for annotations wants to know of a pod."""
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(SERVICE_PORT),
        "prometheus.io/path": METRICS_PATH,
    }


def _probe(path: str, period: int, timeout: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _spread(name: str, over: str) -> Object:
    return {
        "maxSkew": 1,
        "topologyKey": over,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {NAME_LABEL: name}},
    }
