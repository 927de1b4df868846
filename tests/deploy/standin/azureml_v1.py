"""What azureml-core (SDK v1) asks besides Azure Resource Manager: discovery, artifacts, models, services."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.deploy.standin.answer import Answer, Call, arm_error
from tests.deploy.standin.azureml import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "https://westeurope.api.azureml.ms"
STORE = "https://store.blob.core.windows.net/files"
SERVICES = ("api", "history", "modelmanagement", "experimentation", "pipelines", "hyperdrive", "catalog", "studio")


class V1:
    """The workspace w as SDK v1 sees it; what it needs of the resource manager, `Workspace` answers."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.models: list[dict[str, Any]] = []
        self.services: dict[str, dict[str, Any]] = {}
        self.environments: dict[str, Any] = {}
        self.computes: dict[str, Any] = {}
        self.log = "booting\nImportError: no module named churn"
        self.state = "Healthy"
        """What becomes of a service that is sent."""
        self._assets: dict[str, dict[str, Any]] = {}
        self._operations: dict[str, str] = {}
        self._known: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", r"/subscriptions", self._subscriptions),
            ("GET", r"/subscriptions/s/providers/[^/]+", self._provider),
            ("GET", r"/subscriptions/s/resource[gG]roups/g", self._group),
            ("HEAD", r"/subscriptions/s/resource[gG]roups/g", self._group),
            ("GET", r"/discovery", self._discovery),
            ("GET", r"/rp/workspaces/.*/computes/(?P<name>[^/]+)", self._compute),
            ("POST", r"/artifact/.*/batch/metadata/(?P<container>.*)", self._artifacts),
            ("POST", r"/modelmanagement/.*/assets", self._asset),
            ("GET", r"/modelmanagement/.*/models", self._list_models),
            ("POST", r"/modelmanagement/.*/models", self._register),
            ("PUT", r"/environment/.*/environments/(?P<name>[^/]+)", self._put_environment),
            ("GET", r"/environment/.*/environments/(?P<name>[^/]+)(/versions/[^/]+)?", self._get_environment),
            ("GET", r"/modelmanagement/.*/services", self._list_services),
            ("POST", r"/modelmanagement/.*/services", self._send),
            ("GET", r"/modelmanagement/.*/services/(?P<name>[^/]+)", self._get_service),
            ("PATCH", r"/modelmanagement/.*/services/(?P<name>[^/]+)", self._update),
            ("DELETE", r"/modelmanagement/.*/services/(?P<name>[^/]+)", self._delete),
            ("POST", r"/modelmanagement/.*/services/[^/]+/listkeys", self._keys),
            ("GET", r"/modelmanagement/.*/services/[^/]+/logs", self._logs),
            ("GET", r"/modelmanagement/.*/operations/(?P<number>[^/]+)", self._operation),
        ]

    def answer(self, call: Call) -> Answer | None:
        for method, pattern, do in self._known:
            if call.method == method and (found := re.fullmatch(pattern, call.path)):
                return do(call, **found.groupdict())
        return None

    def _subscriptions(self, _: Call) -> Answer:
        one = {"subscriptionId": "s", "displayName": "stand-in", "state": "Enabled", "tenantId": "t"}
        return Answer(200, {"value": [one]})

    def _provider(self, call: Call) -> Answer:
        kinds = [{"resourceType": "workspaces", "locations": ["West Europe"]}]
        found = {"namespace": call.path.rsplit("/", 1)[-1], "registrationState": "Registered", "resourceTypes": kinds}
        return Answer(200, found)

    def _group(self, call: Call) -> Answer:
        if call.method == "HEAD":
            return Answer(204)
        return Answer(200, {"id": call.path, "name": "g", "location": "westeurope", "properties": {}})

    def _discovery(self, _: Call) -> Answer:
        return Answer(200, dict.fromkeys(SERVICES, HOST))

    def _compute(self, _: Call, name: str) -> Answer:
        found = self.computes.get(name)
        return Answer(200, found) if found else arm_error(404, "ComputeNotFound", f"There is no compute {name}.")

    def _artifacts(self, call: Call, container: str) -> Answer:
        names = [one["path"] for one in call.body["paths"]]
        artifacts = {name: {"artifactId": f"{container}/{name}", "path": name} for name in names}
        content = {name: {"path": name, "contentUri": f"{STORE}/{name}?sig=c2VjcmV0"} for name in names}
        return Answer(200, {"artifacts": artifacts, "artifactContentInformation": content})

    def _asset(self, call: Call) -> Answer:
        asset = {**call.body, "id": f"asset-{len(self._assets) + 1}"}
        self._assets[asset["id"]] = asset
        return Answer(200, asset)

    def _list_models(self, call: Call) -> Answer:
        wanted = [tag.split("=", 1) for tag in filter(None, call.query.get("tags", "").split(","))]
        found = [
            one
            for one in self.models
            if one["name"] == call.query.get("name", one["name"])
            and all(one["kvTags"].get(name) == value for name, value in wanted)
        ]
        return Answer(200, {"value": found})

    def _register(self, call: Call) -> Answer:
        version = 1 + sum(one["name"] == call.body["name"] for one in self.models)
        model = {**call.body, "version": version, "id": f"{call.body['name']}:{version}", "createdTime": _NOW}
        self.models.append(model)
        return Answer(200, model)

    def _put_environment(self, call: Call, name: str) -> Answer:
        self.environments[name] = {**call.body, "name": name, "version": "1"}
        return Answer(200, self.environments[name])

    def _get_environment(self, _: Call, name: str) -> Answer:
        found = self.environments.get(name)
        return Answer(200, found) if found else arm_error(404, "NotFound", f"There is no environment {name}.")

    def _list_services(self, _: Call) -> Answer:
        return Answer(200, {"value": list(self.services.values())})

    def _send(self, call: Call) -> Answer:
        name = call.body["name"]
        self.services[name] = self._filled(call.body)
        if versions := call.body.get("versions"):
            first = {"isDefault": True, "type": "Control"}
            filled = {one: {**self._filled(sent), "computeType": "AKS", **first} for one, sent in versions.items()}
            self.services[name]["versions"] = filled
        return self._begun(name)

    def _filled(self, sent: dict[str, Any]) -> dict[str, Any]:
        """What was sent, with what the service adds."""
        flags = dict.fromkeys(("authEnabled", "sslEnabled", "appInsightsEnabled", "aadAuthEnabled"), False)
        more = {
            "createdTime": _NOW,
            "imageId": "1",
            "location": "westeurope",
            "state": "Transitioning",
            "scoringUri": f"{self._url}/score",
            "dataCollection": {"eventHubEnabled": False, "storageEnabled": False},
        }
        return {**dict.fromkeys(_UNSAID), **flags, **sent, **more}

    def _get_service(self, _: Call, name: str) -> Answer:
        found = self.services.get(name)
        return Answer(200, found) if found else arm_error(404, "ServiceNotFound", f"There is no service {name}.")

    def _update(self, call: Call, name: str) -> Answer:
        for change in call.body:
            *folders, key = change["path"].removeprefix("/").split("/")
            place = self.services[name]
            for folder in folders:
                if place.get(folder) is None:
                    if folders[0] == "versions":
                        return arm_error(404, "NotFound", f"There is no {change['path']}.")
                    place[folder] = {}
                place = place[folder]
            if change["op"] == "remove":
                del place[key]
            elif folders == ["versions"]:
                place[key] = {**self._filled(change["value"]), "computeType": "AKS"}
            else:
                place[key] = change["value"]
        return self._begun(name)

    def _delete(self, _: Call, name: str) -> Answer:
        del self.services[name]
        return Answer(200)

    def _keys(self, _: Call) -> Answer:
        return Answer(200, KEYS)

    def _logs(self, _: Call) -> Answer:
        return Answer(200, {"content": self.log})

    def _begun(self, name: str) -> Answer:
        number = f"op-{len(self._operations) + 1}"
        self._operations[number] = name
        return Answer(202, None, {"Operation-Location": f"{HOST}/operations/{number}"})

    def _operation(self, _: Call, number: str) -> Answer:
        service = self.services[self._operations[number]]
        service["state"] = self.state
        if self.state == "Transitioning":
            return Answer(200, {"state": "Running", "error": None, "operationType": "Service"})
        done = self.state == "Healthy"
        why = None if done else {"code": "AciDeploymentFailed", "message": "The container crashed.", "details": []}
        service["error"] = why
        return Answer(200, {"state": "Succeeded" if done else "Failed", "error": why, "operationType": "Service"})


_UNSAID = ("cname", "publicIp", "sslCertificate", "sslKey", "description", "properties", "createdBy")
_NOW = "2026-11-21T12:00:00+00:00"
