"""/openapi.json: this service's own routes, and `/score` as the bundle describes it."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from scorewright.errors import BundleError
from scorewright.service import v2_openapi
from scorewright.service.gate import OPEN
from scorewright.service.target import OPENAPI

if TYPE_CHECKING:
    from fastapi import FastAPI

    from scorewright.bundle import Bundle
    from scorewright.service.target import Target


def merged(app: FastAPI, target: Target, *, guarded: bool = False) -> bytes:
    """One OpenAPI 3.1 document of the app's routes and the bundle's; `guarded` if they ask for a key or token.

    Raises BundleError if the bundle's is none.
    """
    document = get_openapi(title=target.name, version=target.version, routes=app.routes)
    described = _UNKNOWN if target.bundle is None else _of_bundle(target.bundle, target.documents.get(OPENAPI))
    # What is served is to be described anew by the next document, too.
    described = copy.deepcopy(described)
    document["openapi"] = described.get("openapi", document["openapi"])
    document["info"] |= described.get("info", {})
    document["paths"] = {"/score": described["paths"]["/score"], **document["paths"], **v2_openapi.of_server()}
    if target.bundle is not None:
        rows = described.get("components", {}).get("schemas", {}).get("Rows", {})
        document["paths"] |= v2_openapi.of_bundle(target.bundle, rows)
    for section, content in described.get("components", {}).items():
        document.setdefault("components", {}).setdefault(section, {}).update(content)
    if guarded:
        _guard(document)
    return json.dumps(document, ensure_ascii=False).encode()


def _guard(document: dict[str, Any]) -> None:
    bearer = {"type": "http", "scheme": "bearer", "description": "A key of the service, or a token for it."}
    document.setdefault("components", {})["securitySchemes"] = {"bearer": bearer}
    document["security"] = [{"bearer": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in OPEN:
                operation["security"] = []
            else:
                operation["responses"]["401"] = {"description": "No key or token, or none that is good."}


def _of_bundle(bundle: Bundle, described: Any) -> dict[str, Any]:
    if described is None:
        return _UNKNOWN
    if not isinstance(described, dict) or "/score" not in described.get("paths", {}):
        raise BundleError(f"{bundle.path(OPENAPI)} does not describe the path /score.")
    return described


_UNDESCRIBED = {
    "post": {
        "summary": "Score",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {"200": {"description": "What run() returned.", "content": {"application/json": {"schema": {}}}}},
    }
}
_UNKNOWN: dict[str, Any] = {"paths": {"/score": _UNDESCRIBED}}
