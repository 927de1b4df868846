"""The routes of `/v2` in /openapi.json: what a request of one row looks like, and what is answered.

JSON Schema cannot say that data must be as many as the shape says. So the request is described for one row, exactly:
what the schema allows is taken, what it forbids is refused. More rows, binary data, compression and the other numeric
datatypes are told in words.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from scorewright.service.protocols import oip
from scorewright.service.v2_route import PREFIX, model_paths

if TYPE_CHECKING:
    from scorewright.bundle import Bundle, Signature, TensorSpec

Schema = dict[str, Any]

_TYPES = {"BYTES": "string", "BOOL": "boolean", "INT": "integer", "UINT": "integer", "FP": "number"}
_DESCRIPTION = (
    "Described for one row and data in JSON. The first size of each shape may be larger; the other numeric datatypes, "
    "binary data (Inference-Header-Content-Length), gzip and deflate are taken, too. Without outputs, those of "
    "parameters.method are answered, or else of the default method."
)


def of_server() -> dict[str, Schema]:
    """The paths that every service has."""
    return {
        PREFIX: _get("v2_server", "What the server is", {"name": _STRING, "version": _STRING, "extensions": _STRINGS}),
        f"{PREFIX}/health/live": _get("v2_live", "Whether the front answers", {"live": {"const": True}}),
        f"{PREFIX}/health/ready": _get(
            "v2_ready", "Whether requests are scored", {"ready": {"const": True}}, ready=True
        ),
    }


def of_bundle(bundle: Bundle, rows: Schema) -> dict[str, Schema]:
    """The paths of a bundle's model; `rows` is what its own description has as the schema of /score's rows."""
    manifest = bundle.manifest
    metadata = oip.model_metadata(manifest)
    infer = _infer(manifest.signature, metadata, rows)
    described: Schema = {name: {"const": value} for name, value in metadata.items()}
    paths: dict[str, Schema] = {}
    for path, suffix in zip(model_paths(manifest.name, manifest.version), ("", "_version"), strict=True):
        paths[path] = _get(f"v2_model{suffix}", "The model's inputs and outputs", described)
        paths[f"{path}/ready"] = _get(
            f"v2_model_ready{suffix}",
            "Whether the model's requests are scored",
            {"name": {"const": manifest.name}, "ready": {"const": True}},
            ready=True,
        )
        paths[f"{path}/infer"] = {"post": {"operationId": f"v2_infer{suffix}", **infer}}
    return paths


_STRING: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_STRINGS: Schema = {"type": "array", "items": _STRING}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "required": list(required or properties), "properties": properties}


def _json(schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(description: str) -> Schema:
    return _json(_object({"error": _STRING}), description)


def _get(operation: str, summary: str, properties: Schema, *, ready: bool = False) -> Schema:
    responses = {"200": _json(_object(properties), "The answer.")}
    if ready:
        responses["503"] = _error("Starting, stopping, or no scorer is alive.")
    return {"get": {"operationId": operation, "summary": summary, "tags": ["v2"], "responses": responses}}


def _infer(signature: Signature, metadata: Schema, rows: Schema) -> Schema:
    answered = {
        "model_name": {"const": metadata["name"]},
        "model_version": {"const": metadata["versions"][0]},
        "id": _STRING,
        "outputs": {"type": "array", "items": _object(_answered(), "name", "datatype", "shape", "data")},
    }
    scored = _json(_object(answered, "model_name", "model_version", "outputs"), "The model's answers.")
    scored["content"]["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    return {
        "summary": "Score rows in the Open Inference Protocol",
        "description": _DESCRIPTION,
        "tags": ["v2"],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _request(signature, metadata, rows)}},
        },
        "responses": {
            "200": scored,
            "400": _error("A request that cannot be read, or that the model cannot take; the message says where."),
        },
    }


def _answered() -> Schema:
    sizes: Schema = {"type": "array", "items": {"type": "integer"}}
    return {"name": _STRING, "datatype": _STRING, "shape": sizes, "data": {"type": "array"}}


def _request(signature: Signature, metadata: Schema, rows: Schema) -> Schema:
    inputs = [
        _input(spec, described["datatype"], _value(signature, place, described["datatype"], rows))
        for place, (spec, described) in enumerate(zip(signature.inputs, metadata["inputs"], strict=True))
    ]
    sizes = {"minItems": len(inputs), "maxItems": len(inputs)}
    listed = {"items": inputs[0]} if len(inputs) == 1 else {"prefixItems": inputs}
    names = [output["name"] for output in metadata["outputs"]]
    output = _object({"name": {"enum": names}, "parameters": _parameters({"binary_data": _FLAG})}, "name")
    properties = {
        "id": {"type": ["string", "null"]},
        "inputs": {"type": "array", **sizes, **listed},
        "outputs": {"type": ["array", "null"], "items": output},
        "parameters": _parameters({"binary_data_output": _FLAG}),
    }
    return _object(properties, "inputs")


def _parameters(properties: Schema) -> Schema:
    return {"type": ["object", "null"], "properties": properties}


def _input(spec: TensorSpec, datatype: str, value: Schema) -> Schema:
    """An input of one row, in each shape it may have, its data flat or nested."""
    sizes = [size or 1 for size in spec.shape[1:]]
    shapes = [[1, *sizes], [1, 1]] if not sizes else [[1, *sizes]]
    forms = []
    for shape in shapes:
        nested = value
        for size in reversed(shape):
            nested = _list(nested, size)
        flat = _list(value, prod(shape))
        data = flat if len(shape) == 1 else {"anyOf": [flat, nested]}
        item = {"name": {"const": spec.name}, "datatype": {"const": datatype}, "shape": {"const": shape}, "data": data}
        forms.append(_object(item))
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _list(item: Schema, size: int) -> Schema:
    return {"type": "array", "items": item, "minItems": size, "maxItems": size}


def _value(signature: Signature, place: int, datatype: str, rows: Schema) -> Schema:
    """One value of an input, as /score takes it, of the input's datatype."""
    value = rows["anyOf"][0] if "anyOf" in rows else {}
    spec = signature.inputs[place]
    if signature.layout == "columns" and value:
        value = value["prefixItems"][place]
    elif value and "properties" in value:
        value = value["properties"][spec.name]
    while "items" in value:
        value = value["items"]
    if "enum" in value:
        return value
    family = datatype.rstrip("0123456789")
    if family in ("INT", "UINT"):
        bits = int(datatype.removeprefix(family)) - (family == "INT")
        value = {"minimum": -(2**bits) if family == "INT" else 0, "maximum": 2**bits - 1} | value
    return value | {"type": [_TYPES[family], "null"] if spec.missing else _TYPES[family]}
