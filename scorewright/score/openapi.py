"""OpenAPI 3.1 for one model: what its /score takes and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorewright.bundle import Signature, TensorSpec

_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
    "bool": {"type": "boolean"},
    "category": {},
}


def document(
    name: str, version: str, kind: str, signature: Signature, request: object, response: object
) -> dict[str, Any]:
    """The whole document, with the sample as its example."""
    row, rows = _data(signature)
    any_row: dict[str, Any] = {"anyOf": [*row, {"type": "array", "minItems": 1, "items": {"anyOf": row}}, *rows]}
    properties = {"data": any_row, "method": _method(signature)}
    forms: list[dict[str, Any]] = [
        {"type": "object", "required": ["data"], "properties": properties, "additionalProperties": False}
    ]
    if signature.layout != "text":
        forms.append(_split_form(signature))
    schemas = {
        "Request": {"oneOf": forms},
        "Response": {
            "type": "object",
            "properties": {method: _answers(of.outputs) for method, of in signature.methods.items()},
            "description": "One key, the method; one item a row.",
        },
        "Error": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version, "description": f"Scores requests with a {kind}."},
        "paths": {"/score": {"post": _operation(request, response)}},
        "components": {"schemas": schemas},
    }


def _operation(request: object, response: object) -> dict[str, Any]:
    def content(schema: str, example: object) -> dict[str, Any]:
        body: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
        return {"application/json": body if example is None else body | {"example": example}}

    return {
        "operationId": "score",
        "summary": "Score rows with the model",
        "requestBody": {"required": True, "content": content("Request", request)},
        "responses": {
            "200": {"description": "The model's answers.", "content": content("Response", response)},
            "400": {
                "description": "A request the model cannot take; the message says where and why.",
                "content": content("Error", None),
            },
        },
    }


def _method(signature: Signature) -> dict[str, Any]:
    return {"type": "string", "enum": list(signature.methods), "default": signature.default_method}


def _data(signature: Signature) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The forms of one row, and further forms of several."""
    if signature.layout == "text":
        return [{"type": "string"}], []
    if signature.layout == "tensors":
        return _tensors(signature)
    if signature.layout == "array":
        data = signature.inputs[0]
        width = data.shape[1]
        names = signature.features
        values = [_value(data)] * (width or 0)
        row: dict[str, Any] = {"type": "array", "items": _value(data), "minItems": width, "maxItems": width}
    else:
        values = [_value(column) for column in signature.inputs]
        names = tuple(column.name for column in signature.inputs) if signature.dataframe else None
        row = {"type": "array", "prefixItems": values, "minItems": len(values), "maxItems": len(values)}
    forms = [row]
    if names:
        forms.append(
            {
                "type": "object",
                "required": list(names),
                "properties": dict(zip(names, values, strict=True)),
                "additionalProperties": False,
            }
        )
    return forms, []


def _tensors(signature: Signature) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    def of_rows(rows: bool) -> dict[str, Any]:
        properties = {
            tensor.name: _nested(tensor, tensor.shape[1:]) if not rows else _nested(tensor, tensor.shape)
            for tensor in signature.inputs
        }
        return {
            "type": "object",
            "required": list(properties),
            "properties": properties,
            "additionalProperties": False,
        }

    if len(signature.inputs) > 1:
        return [of_rows(False)], [of_rows(True)]
    tensor = signature.inputs[0]
    forms = [_nested(tensor, tensor.shape[1:])]
    if signature.features:
        value = _value(tensor)
        names = list(signature.features)
        forms.append({"type": "object", "required": names, "properties": dict.fromkeys(names, value)})
    return forms, [of_rows(False), of_rows(True)]


def _split_form(signature: Signature) -> dict[str, Any]:
    split = {
        "type": "object",
        "required": ["data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": ["string", "integer"]}},
            "index": {"type": "array"},
            "data": {"type": ["array", "object"]},
        },
    }
    return {
        "type": "object",
        "required": ["input_data"],
        "properties": {"input_data": {"anyOf": [split, {"type": "array"}]}, "method": _method(signature)},
        "additionalProperties": False,
    }


def _value(tensor: TensorSpec) -> dict[str, Any]:
    if tensor.categories is not None and tensor.dtype != "category":
        values = [*tensor.categories, *([None] if tensor.missing else [])]
        return {"enum": values}
    schema = dict(
        _TYPES.get(tensor.dtype, {"type": "integer" if tensor.dtype.startswith(("int", "uint")) else "number"})
    )
    if tensor.missing and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema


def _nested(tensor: TensorSpec, shape: tuple[int | None, ...]) -> dict[str, Any]:
    schema = _value(tensor)
    for size in reversed(shape):
        schema = {"type": "array", "items": schema}
        if size is not None:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _answers(outputs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    if len(outputs) == 1:
        return _nested(_answer(outputs[0]), outputs[0].shape)
    properties = {output.name: _nested(_answer(output), output.shape) for output in outputs}
    if outputs[0].name.endswith("_0"):
        return {"type": "array", "items": {"type": "array", "minItems": len(outputs), "maxItems": len(outputs)}}
    return {"type": "object", "properties": properties}


def _answer(output: TensorSpec) -> TensorSpec:
    """NaN is answered as null, an infinity as a string: a float may be any of the three."""
    return output.model_copy(update={"dtype": "category"}) if output.dtype.startswith("float") else output
