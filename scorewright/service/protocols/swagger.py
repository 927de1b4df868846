"""/swagger.json: the service as Swagger 2, OpenAPI 3.0 and OpenAPI 3.1 describe it. Pure.

Contract: azureml-inference-server-http 1.5.1, server/swagger.py and its templates: which versions may be asked for,
the structure of each document, what is said of a run() without decorators, and the words of both refusals.
Better than the contract: examples that JSON cannot carry are converted, where that server answers 500.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from scorewright.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Schema = dict[str, Any]

VERSIONS = ("2", "3", "3.1")

_NAMES = {"2": "2", "2.0": "2", "3": "3", "3.0": "3", "3.1": "3.1"}
_JSON = "application/json"


class Schemas(NamedTuple):
    """What run() takes and returns, in one version's words; each with its "example"."""

    input: Schema
    output: Schema


@dataclass(frozen=True)
class Service:
    """What a document calls the service, and the path that its clients see before the service's own."""

    name: str
    version: str
    path_prefix: str = ""


class SwaggerDocuments:
    """The documents, by the versions that this service can be described in."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self._documents = documents

    def find(self, asked: str | None) -> bytes:
        """The document of the version that a client asks for; of version 2 if it names none.

        Raises RequestError 404 if there is no such version, or none of this script.
        """
        version = _NAMES.get("2" if asked is None else asked)
        supported = ", ".join(sorted(self._documents))
        if version is None:
            raise RequestError(404, f"Swagger version [{asked}] is not valid. Supported versions: [{supported}].")
        if version not in self._documents:
            raise RequestError(
                404,
                f"Swagger version [{'2' if asked is None else asked}] is not supported for the scoring script."
                f" Supported swagger versions: [{supported}].",
            )
        return self._documents[version]


def documents(service: Service, schemas: Mapping[str, Schemas | None], files: Mapping[str, object]) -> SwaggerDocuments:
    """A document of each version that has schemas; a file of the user's stands in its place, unless it is empty."""
    made: dict[str, object] = {
        version: _swagger2(service, described) if version == "2" else _openapi3(service, described, version)
        for version, described in schemas.items()
        if described is not None
    }
    made |= {version: document for version, document in files.items() if document}
    return SwaggerDocuments({version: json.dumps(document).encode() for version, document in made.items()})


def of_run(run: Callable[..., Any]) -> dict[str, Schemas | None]:
    """What the decorators of inference-schema say of run(), as JSON carries it; None for versions they rule out.

    The library is never imported: a script that is decorated has done so.
    """
    library = sys.modules.get("inference_schema.schema_util")
    if library is None or not library.is_schema_decorated(run):
        anything = {"type": "object", "example": {}}
        return dict.fromkeys(VERSIONS, Schemas(anything, anything))
    supported = {_NAMES.get(name) for name in library.get_supported_versions(run)}
    described = Schemas(_plain(library.get_input_schema(run)), _plain(library.get_output_schema(run)))
    return {version: described if version in supported else None for version in VERSIONS}


def _plain(value: Any) -> Any:
    """A value as JSON carries it: arrays as lists, NaN as null, infinities and everything else as text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        simple = (str, int, float, type(None))
        return {key if isinstance(key, simple) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else json.dumps(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_ALIVE = "Whether the service can score."
_SCORE = "Score a request."
_REQUEST = "What run() is given."
_ANSWER = "What run() returned."
_DESCRIBE = "This description."
_FAILED = "The request was not scored; the message says why."
_TOKEN = "Bearer, a space, and a key or token of the endpoint."  # noqa: S105 - it is what a client reads

_BEARER = {"type": "apiKey", "name": "Authorization", "in": "header", "description": _TOKEN}
_VERSION = {"type": "integer", "enum": [2, 3]}
_TEXT = {"type": "string"}
_ERROR = {"type": "object", "properties": {"message": _TEXT}}


def _swagger2(service: Service, schemas: Schemas) -> Schema:
    def answers(description: str, schema: Schema, **more: Schema) -> Schema:
        failed = {"description": _FAILED, "schema": {"$ref": "#/definitions/ErrorResponse"}}
        return {"200": {"description": description, "schema": schema, **more}, "default": failed}

    return {
        "swagger": "2.0",
        "info": _info(service),
        "schemes": ["https"],
        "consumes": [_JSON],
        "produces": [_JSON],
        "securityDefinitions": {"Bearer": _BEARER},
        "paths": _paths(
            service,
            health={"responses": answers(_ALIVE, _TEXT, examples={_JSON: "Healthy"})},
            score={
                "parameters": [
                    {
                        "name": "serviceInputPayload",
                        "in": "body",
                        "description": _REQUEST,
                        "schema": {"$ref": "#/definitions/ServiceInput"},
                    }
                ],
                "responses": answers(_ANSWER, {"$ref": "#/definitions/ServiceOutput"}),
            },
            swagger={
                "parameters": [{"name": "version", "in": "query", "required": False, **_VERSION}],
                "responses": answers(_DESCRIBE, _TEXT),
            },
        ),
        "definitions": _definitions(schemas),
    }


def _openapi3(service: Service, schemas: Schemas, version: str) -> Schema:
    def content(schema: Schema, media_type: str = _JSON) -> Schema:
        return {"content": {media_type: {"schema": schema}}}

    def answers(description: str, body: Schema) -> Schema:
        failed = {"description": _FAILED, **content({"$ref": "#/components/schemas/ErrorResponse"})}
        return {"200": {"description": description, **body}, "default": failed}

    return {
        "openapi": "3.1.0" if version == "3.1" else "3.0.3",
        "info": _info(service),
        "security": [{"Bearer": []}],
        "paths": _paths(
            service,
            health={"responses": answers(_ALIVE, content(_TEXT | {"example": "Healthy"}, "text/plain"))},
            score={
                "requestBody": {"description": _REQUEST, **content({"$ref": "#/components/schemas/ServiceInput"})},
                "responses": answers(_ANSWER, content({"$ref": "#/components/schemas/ServiceOutput"})),
            },
            swagger={
                "parameters": [{"name": "version", "in": "query", "required": False, "schema": _VERSION}],
                "responses": answers(_DESCRIBE, content(_TEXT, "text/plain")),
            },
        ),
        "components": {"schemas": _definitions(schemas), "securitySchemes": {"Bearer": _BEARER}},
    }


def _info(service: Service) -> Schema:
    return {"title": service.name, "version": service.version, "description": f"What {service.name} takes and answers."}


def _paths(service: Service, *, health: Schema, score: Schema, swagger: Schema) -> Schema:
    inside = service.path_prefix.strip("/")
    prefix = f"/{inside}" if inside else ""
    secured = {"operationId": "RunMLService", "description": _SCORE, "security": [{"Bearer": []}]}
    return {
        f"{prefix}/": {"get": {"operationId": "ServiceHealthCheck", "description": _ALIVE, **health}},
        f"{prefix}/score": {"post": {**secured, **score}},
        f"{prefix}/swagger.json": {"get": {"operationId": "GetSwaggerSpec", "description": _DESCRIBE, **swagger}},
    }


def _definitions(schemas: Schemas) -> Schema:
    return {"ServiceInput": schemas.input, "ServiceOutput": schemas.output, "ErrorResponse": _ERROR}
