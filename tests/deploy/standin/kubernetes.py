"""A Kubernetes API server as far as kubectl needs one: discovery, server-side apply, patches, lists, logs, deletion.

What controllers would do is said by the test: `fates` gives the status of a Deployment and its pods.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tests.deploy.standin.answer import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.standin.answer import Call

KINDS = {
    "v1": {
        "namespaces": "Namespace",
        "pods": "Pod",
        "services": "Service",
        "serviceaccounts": "ServiceAccount",
        "configmaps": "ConfigMap",
        "secrets": "Secret",
    },
    "apps/v1": {"deployments": "Deployment"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "apiextensions.k8s.io/v1": {"customresourcedefinitions": "CustomResourceDefinition"},
    "gateway.networking.k8s.io/v1": {"httproutes": "HTTPRoute", "gateways": "Gateway"},
}
_PLACE = re.compile(
    r"/(?:api|apis)/(?P<group>(?:[a-z0-9.]+/)?v\d)(?:/namespaces/(?P<space>[^/]+))?"
    r"/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)
_NAMESPACE = re.compile(r"/api/(?P<group>v1)/(?P<kind>namespaces)(?:/(?P<name>[^/]+))?(?P<space>)(?P<sub>)")

READY = {"state": {"running": {}}, "ready": True, "restartCount": 0}


@dataclass
class Pods:
    """What becomes of a Deployment: the state of its pods' container, and what they have logged."""

    container: dict[str, Any] = field(default_factory=lambda: READY)
    log: str = ""
    conditions: list[dict[str, Any]] = field(default_factory=list)
    """Of each pod."""
    refused: str = ""
    """Why no pod can be made."""


class Kubernetes:
    """One cluster. `gateway` says whether it has the Gateway API."""

    def __init__(self, *, gateway: bool = True) -> None:
        self.kinds = {group: kinds for group, kinds in KINDS.items() if gateway or "gateway" not in group}
        self.kept: dict[tuple[str, str, str], dict[str, Any]] = {}
        """By kind, namespace and name."""
        self.pods = Pods()
        self.address = "203.0.113.7"
        self._lock = threading.Lock()

    def names(self, kind: str) -> list[str]:
        """The names of what is there of a kind."""
        return sorted(name for kept, _, name in self.kept if kept == kind)

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The object of that kind and name, in whichever namespace."""
        return next(found for (kept, _, called), found in self.kept.items() if (kept, called) == (kind, name))

    def answer(self, call: Call) -> Answer | None:
        if (known := self._discovery(call.path)) is not None:
            return known
        if not call.path.startswith(("/api/", "/apis/", "/openapi/")):
            return None
        place = _NAMESPACE.fullmatch(call.path) or _PLACE.fullmatch(call.path)
        if place is None or place["kind"] not in self.kinds.get(place["group"], {}):
            return _status(404, "NotFound", f"the server could not find the requested resource: {call.path}")
        with self._lock:
            return self._object(call, place)

    def _object(self, call: Call, place: re.Match[str]) -> Answer:
        key = (place["kind"], place["space"] or "", place["name"] or "")
        if place["sub"] == "log":
            return Answer(200, self.pods.log.encode(), {"Content-Type": "text/plain"})
        if call.method == "PATCH":
            return self._patch(call, key)
        if call.method == "GET" and not place["name"]:
            return self._list(call, place)
        if key not in self.kept:
            return _status(404, "NotFound", f'{place["kind"]} "{place["name"]}" not found')
        if call.method == "DELETE":
            del self.kept[key]
            return _status(200, "", "")
        return Answer(200, self.kept[key])

    def _patch(self, call: Call, key: tuple[str, str, str]) -> Answer:
        before = self.kept.get(key)
        if "json-patch" in call.headers["content-type"]:
            if before is None:
                return _status(404, "NotFound", f'{key[0]} "{key[2]}" not found')
            for change in call.body:
                _replace(before, change["path"].strip("/").split("/"), change["value"])
            return Answer(200, before)
        found = yaml.safe_load(call.raw)
        generation = (before or {"metadata": {"generation": 0}})["metadata"]["generation"] + 1
        found["metadata"] |= {"generation": generation, "uid": f"u-{'-'.join(key)}", "resourceVersion": "1"}
        if key[0] == "gateways":
            found["status"] = {"addresses": [{"value": self.address}]}
        if key[0] == "deployments":
            found["spec"].setdefault("replicas", (before or {"spec": {"replicas": 1}})["spec"]["replicas"])
            self._control(found)
        self.kept[key] = found
        return Answer(200 if before else 201, found)

    def _control(self, deployment: dict[str, Any]) -> None:
        """What the controllers make of a Deployment."""
        wanted = deployment["spec"]["replicas"]
        status: dict[str, Any] = {"observedGeneration": deployment["metadata"]["generation"]}
        if self.pods.refused:
            condition = {"type": "ReplicaFailure", "status": "True", "message": self.pods.refused}
            deployment["status"] = {**status, "conditions": [condition]}
            return
        ready = wanted if self.pods.container.get("ready") else 0
        deployment["status"] = {**status, "replicas": wanted, "updatedReplicas": wanted, "availableReplicas": ready}
        space, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        for number in range(wanted):
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{name}-{number}",
                    "namespace": space,
                    "labels": deployment["spec"]["template"]["metadata"]["labels"],
                },
                "spec": {"containers": [{"name": "service"}]},
                "status": {
                    "phase": "Running",
                    "conditions": self.pods.conditions,
                    "containerStatuses": [] if self.pods.conditions else [{"name": "service", **self.pods.container}],
                },
            }
            self.kept["pods", space, f"{name}-{number}"] = pod

    def _list(self, call: Call, place: re.Match[str]) -> Answer:
        wanted = dict(one.split("=") for one in call.query.get("labelSelector", "").split(",") if one)
        items = [
            found
            for (kind, space, _), found in self.kept.items()
            if kind == place["kind"]
            and space == (place["space"] or space)
            and wanted.items() <= found["metadata"].get("labels", {}).items()
        ]
        kind = self.kinds[place["group"]][place["kind"]]
        return Answer(200, {"apiVersion": place["group"], "kind": f"{kind}List", "metadata": {}, "items": items})

    def _discovery(self, path: str) -> Answer | None:
        groups = [group for group in self.kinds if "/" in group]
        if path == "/api":
            return Answer(200, {"kind": "APIVersions", "versions": ["v1"]})
        if path == "/apis":
            listed = [
                {
                    "name": group.split("/")[0],
                    "versions": [{"groupVersion": group, "version": group.split("/")[1]}],
                    "preferredVersion": {"groupVersion": group, "version": group.split("/")[1]},
                }
                for group in groups
            ]
            return Answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
        group = re.sub("^/apis?/", "", path)
        if group in self.kinds:
            verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
            resources = [
                {
                    "name": name,
                    "singularName": kind.lower(),
                    "namespaced": name not in ("namespaces", "customresourcedefinitions"),
                    "kind": kind,
                    "verbs": verbs,
                }
                for name, kind in self.kinds[group].items()
            ]
            return Answer(
                200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": resources}
            )
        if path.startswith("/openapi/v3"):
            return Answer(200, self._openapi(path.removeprefix("/openapi/v3").strip("/")))
        if path == "/version":
            return Answer(200, {"major": "1", "minor": "32", "gitVersion": "v1.32.0"})
        return None

    def _openapi(self, path: str) -> dict[str, Any]:
        """What kubectl asks before an apply: whether the server itself refuses fields that it does not know."""
        groups = {f"apis/{group}" if "/" in group else f"api/{group}": group for group in self.kinds}
        if path not in groups:
            return {"paths": {one: {"serverRelativeURL": f"/openapi/v3/{one}"} for one in groups}}
        group, _, version = groups[path].rpartition("/")
        patches = {
            f"/{path}/{name}": {
                "patch": {
                    "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                    "responses": {},
                    "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
                }
            }
            for name, kind in self.kinds[groups[path]].items()
        }
        return {"openapi": "3.0.0", "info": {"title": "stand-in", "version": "1"}, "paths": patches}


def kubeconfig(file: Path, url: str) -> Path:
    """A kubeconfig whose context `standin` leads to `url`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "standin", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "somebody", "user": {"token": "stand-in-token"}}],
        "contexts": [{"name": "standin", "context": {"cluster": "standin", "user": "somebody"}}],
        "current-context": "standin",
    }
    file.write_text(json.dumps(config), "utf-8")
    return file


def _status(status: int, reason: str, message: str) -> Answer:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure" if reason else "Success"}
    return Answer(status, {**body, "reason": reason, "message": message, "code": status})


def refusal(status: int, reason: str, message: str) -> Answer:
    """A refusal as the API server words it."""
    return _status(status, reason, message)


def _replace(value: Any, path: list[str], new: Any) -> None:
    for word in path[:-1]:
        value = value[int(word)] if isinstance(value, list) else value[word]
    value[path[-1]] = new
