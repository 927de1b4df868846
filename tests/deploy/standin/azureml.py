"""An Azure ML workspace: what azure-ai-ml asks of Azure Resource Manager, and a storage account to upload to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tests.deploy.standin.answer import Answer, Call, arm_error
from tests.deploy.standin.resources import Resources

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
KEYS = {"primaryKey": "key-one", "secondaryKey": "key-two"}

Failure = dict[str, str]
"""An ARM error's code and message."""


class Workspace(Resources):
    """The workspace w in the group g of the subscription s."""

    namespace = "Microsoft.MachineLearningServices"
    taken_back = ("keys",)

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.log = "booting\nTraceback (most recent call last):\nImportError: no module named churn"
        self.failing: dict[str, Failure] = {}
        """Why making a resource fails, by the end of its path."""
        self.keep("", {"location": "westeurope", "kind": "Default", "properties": {"workspaceId": "1-2"}})
        store = {
            "datastoreType": "AzureBlob",
            "accountName": "store",
            "containerName": "files",
            "endpoint": "core.windows.net",
            "protocol": "https",
            "isDefault": True,
            "credentials": {"credentialsType": "Sas"},
        }
        self.keep("/datastores/workspaceblobstore", {"properties": store})

    def at(self, path: str) -> dict[str, Any]:
        """The resource at `path` below the workspace, as it was sent."""
        return self.kept[f"{WORKSPACE}/{path}".lower().rstrip("/")]

    def paths(self) -> list[str]:
        """All resources below the workspace but its datastore, by path."""
        below = (key.removeprefix(WORKSPACE.lower() + "/") for key in self.kept)
        return sorted(key for key in below if not key.startswith(("/", "datastores")))

    def made(self, path: str, resource: dict[str, Any]) -> None:
        kind = path.split("/")[-2]
        if kind in ("onlineendpoints", "batchendpoints"):
            resource["properties"]["scoringUri"] = self._url + ("/score" if kind[0] == "o" else "/jobs")

    def refused(self, path: str, resource: dict[str, Any]) -> dict[str, Any] | None:
        return next((why for end, why in self.failing.items() if path.endswith(end)), None)

    def action(self, call: Call) -> Answer | None:
        word = call.path.rsplit("/", 1)[-1].lower()
        if call.method != "POST":
            return None
        if word == "listkeys":
            return Answer(200, KEYS)
        if word == "listsecrets":
            return Answer(200, {"secretsType": "Sas", "sasToken": _SAS})
        if word == "startpendingupload":
            place = "https://store.blob.core.windows.net/files"
            consumption = {"blobUri": place, "credential": {"credentialType": "SAS", "sasUri": f"{place}?{_SAS}"}}
            return Answer(200, {"pendingUploadId": "1", "blobReferenceForConsumption": consumption})
        if word == "getlogs":
            return Answer(200, {"content": self.log})
        return None

    def answer(self, call: Call) -> Answer | None:
        answer = super().answer(call)
        if answer is None or "Retry-After" not in answer.headers:
            return answer
        # The SDK's own patience is 5 s, and it takes 0 for no answer.
        headers = {key: value for key, value in answer.headers.items() if key != "Retry-After"}
        return replace(answer, headers={**headers, "retry-after-ms": "5"})

    def _put(self, call: Call) -> Answer:
        path = call.path.lower()
        if "/versions/" not in path:
            answer = super()._put(call)
            if "/deployments/" in path:
                self.kept[path]["properties"].setdefault("scaleSettings", {"scaleType": "Default"})
            return answer
        before = self.kept.get(path)
        if before and call.body["properties"].get("modelUri") != before["properties"].get("modelUri"):
            return arm_error(409, "UserError", "The asset exists, and its path cannot be changed.")
        given = {"flavors": {}, **call.body["properties"], "provisioningState": "Succeeded"}
        self.kept[path] = {"id": call.path, "name": call.path.rsplit("/", 1)[-1], **_SYSTEM, "properties": given}
        return Answer(200 if before else 201, self.kept[path])

    def keep(self, path: str, resource: dict[str, Any]) -> None:
        """Have a resource that nobody made."""
        whole = WORKSPACE + path
        self.kept[whole.lower()] = {"id": whole, "name": whole.rsplit("/", 1)[-1], **resource}


class Blobs:
    """The storage account `store`: blobs are put, looked at and marked; enough for the SDK's uploads."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        """By container/name."""
        self.metadata: dict[str, dict[str, str]] = {}

    def answer(self, call: Call) -> Answer | None:
        if not call.headers["host"].endswith(".blob.core.windows.net"):
            return None
        name = urlsplit(call.path).path.lstrip("/")
        if call.query.get("comp") == "list":
            return Answer(200, b'<?xml version="1.0"?><EnumerationResults><Blobs/></EnumerationResults>')
        given = {key: value for key, value in call.headers.items() if key.startswith("x-ms-meta-")}
        if call.method == "PUT" and call.query.get("comp") == "metadata":
            self.metadata[name] = given
            return Answer(200, None, _HEAD)
        if call.method == "PUT":
            self.kept[name] = call.raw
            self.metadata[name] = given
            return Answer(201, None, _HEAD)
        if call.method in ("GET", "HEAD") and name in self.kept:
            return Answer(200, self.kept[name], {**_HEAD, **self.metadata[name]})
        return replace(arm_error(404, "BlobNotFound", "The specified blob does not exist."), headers=_MISSING)


class Scoring:
    """What is behind an endpoint: answers who has the key, and says which deployment was asked."""

    def answer(self, call: Call) -> Answer | None:
        if call.path != "/score":
            return None
        if call.headers.get("authorization") != f"Bearer {KEYS['primaryKey']}":
            return Answer(401, {"message": "Please provide a valid key."})
        return Answer(200, {"predict": [1], "slot": call.headers.get("azureml-model-deployment", "")})


_SAS = "sv=2024-01-01&sig=c2VjcmV0"
_SYSTEM = {"systemData": {"createdBy": "someone@acme.example", "createdAt": "2026-11-21T12:00:00Z"}}
_HEAD = {"ETag": '"1"', "Last-Modified": "Sat, 21 Nov 2026 12:00:00 GMT", "x-ms-blob-type": "BlockBlob"}
_MISSING = {"x-ms-error-code": "BlobNotFound"}
