"""OpenAPI 3.1 for one model: what its /score takes and answers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorewright.bundle import Signature, TensorSpec

Schema = dict[str, Any]

MOST_IN_A_URL = 200
"""How many values a row may have for GET to be described: servers bound a URL to some 60 KB."""

_TYPES: dict[str, Schema] = {
    "string": {"type": "string"},
    # No format: date-time would have a time zone, which most models do not take.
    "datetime": {"type": "string"},
    "bool": {"type": "boolean"},
    "category": {"type": ["string", "number", "boolean"]},
}
_LARGEST = {"float16": 65504.0, "float32": 3.4028234663852886e38}


def document(
    name: str,
    version: str,
    kind: str,
    signature: Signature,
    request: object,
    response: object,
    *,
    largest: float | None = None,
) -> Schema:
    """The whole document, with the sample as its example; `largest` bounds the numbers that the model takes."""
    rows = _Rows(signature, largest).any_of()
    method = {"type": "string", "enum": list(signature.methods), "default": signature.default_method}
    forms = [_form("data", {"$ref": "#/components/schemas/Rows"})]
    if signature.layout != "text":
        alone = {"allOf": [{"$ref": "#/components/schemas/Rows"}, {"type": "array"}]}
        forms.append(_form("input_data", {"anyOf": [_split(signature), alone]}))
    answers = {method: _answers(of.outputs) for method, of in signature.methods.items()}
    schemas = {
        "Request": {"oneOf": forms},
        "Rows": rows,
        "Method": method,
        "Response": {
            "type": "object",
            "properties": answers,
            "description": "One key, the method; one item a row.",
        },
        "Error": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version, "description": f"Scores requests with a {kind}."},
        "paths": {"/score": {"post": _post(request, response)} | _get(signature, response)},
        "components": {"schemas": schemas},
    }


def _content(schema: str, example: object = None) -> Schema:
    body: Schema = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"application/json": body if example is None else body | {"example": example}}


def _responses(response: object) -> Schema:
    return {
        "200": {"description": "The model's answers.", "content": _content("Response", response)},
        "400": {
            "description": "A request the model cannot take; the message says where and why.",
            "content": _content("Error"),
        },
    }


def _post(request: object, response: object) -> Schema:
    return {
        "operationId": "score",
        "summary": "Score rows with the model",
        "requestBody": {"required": True, "content": _content("Request", request)},
        "responses": _responses(response),
    }


def _get(signature: Signature, response: object) -> Schema:
    """Azure's server takes the query's parameters, each parsed as JSON, as the request's object.

    An image does not fit into a URL: where a row has many values, only POST is described.
    """
    if sum(prod(size or 1 for size in spec.shape[1:]) for spec in signature.inputs) > MOST_IN_A_URL:
        return {}
    return {
        "get": {
            "operationId": "score_get",
            "summary": "Score rows given in the query, each parameter as JSON",
            "parameters": [
                {"name": "data", "in": "query", "required": True, "content": _content("Rows")},
                {"name": "method", "in": "query", "required": False, "content": _content("Method")},
            ],
            "responses": _responses(response),
        }
    }


def _form(key: str, rows: Schema) -> Schema:
    return {
        "type": "object",
        "required": [key],
        "properties": {key: rows, "method": {"$ref": "#/components/schemas/Method"}},
        "additionalProperties": False,
    }


def _split(signature: Signature) -> Schema:
    """A DataFrame in MLflow's form: its columns in any order."""
    names = signature.features
    if signature.layout == "columns" and signature.dataframe:
        names = tuple(column.name for column in signature.inputs)
    columns: Schema = {"type": ["array", "null"]}
    if names:
        columns |= {"items": {"enum": list(names)}, "uniqueItems": True, "minItems": len(names), "maxItems": len(names)}
    elif signature.layout == "tensors":
        columns = {}
    else:
        width = signature.inputs[0].shape[1] if signature.layout == "array" else len(signature.inputs)
        # A model that was fitted without names makes nothing of them.
        columns |= {"minItems": width, "maxItems": width}
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"columns": columns, "index": {}, "data": {"$ref": "#/components/schemas/Rows"}},
        "additionalProperties": False,
    }


class _Rows:
    """The forms of one row, and of several."""

    def __init__(self, signature: Signature, largest: float | None) -> None:
        self._signature = signature
        self._largest = largest

    def any_of(self) -> Schema:
        """One row, a list of rows, or what else holds several."""
        row, rows = self._forms()
        many = {"type": "array", "minItems": 1, "items": row[0] if len(row) == 1 else {"anyOf": row}}
        return {"anyOf": [*row, many, *rows]}

    def _forms(self) -> tuple[list[Schema], list[Schema]]:
        signature = self._signature
        if signature.layout == "text":
            return [{"type": "string"}], []
        if signature.layout == "tensors":
            return self._tensors()
        if signature.layout == "array":
            (data,) = signature.inputs
            width = data.shape[1] or 0
            value = self._value(data)
            row = {"type": "array", "items": value, "minItems": width, "maxItems": width}
            return [row, *_records(dict.fromkeys(signature.features or (), value))], []
        values = {column.name: self._value(column) for column in signature.inputs}
        row = {"type": "array", "prefixItems": list(values.values()), "minItems": len(values), "maxItems": len(values)}
        return [row, *(_records(values) if signature.dataframe else [])], []

    def _tensors(self) -> tuple[list[Schema], list[Schema]]:
        inputs = self._signature.inputs
        one = {tensor.name: self._nested(tensor, tensor.shape[1:]) for tensor in inputs}
        several = {tensor.name: self._nested(tensor, tensor.shape) for tensor in inputs}
        if len(inputs) > 1:
            return _records(one), _records(several)
        by_name = _records(dict.fromkeys(self._signature.features or (), self._value(inputs[0])))
        return [one[inputs[0].name], *by_name], [*_records(one), *_records(several)]

    def _value(self, tensor: TensorSpec) -> Schema:
        if tensor.categories is not None and tensor.dtype != "category":
            return {"enum": [*tensor.categories, *([None] if tensor.missing else [])]}
        schema = dict(_TYPES.get(tensor.dtype, {}))
        if not schema:
            schema = _integer(tensor.dtype) if tensor.dtype.startswith(("int", "uint")) else {"type": "number"}
        largest = self._largest or _LARGEST.get(tensor.dtype)
        if schema["type"] == "number" and largest:
            schema |= {"minimum": -largest, "maximum": largest}
        if tensor.missing:
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            schema["type"] = [*kinds, "null"]
        return schema

    def _nested(self, tensor: TensorSpec, shape: tuple[int | None, ...]) -> Schema:
        return _lists(self._value(tensor), shape)


def _integer(dtype: str) -> Schema:
    bits = int(dtype.lstrip("uint"))
    low, high = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return {"type": "integer", "minimum": low, "maximum": high}


def _records(values: dict[str, Schema]) -> list[Schema]:
    """An object with a value for each name; nothing where there are no names."""
    if not values:
        return []
    return [{"type": "object", "required": list(values), "properties": values, "additionalProperties": False}]


def _lists(value: Schema, shape: tuple[int | None, ...]) -> Schema:
    for size in reversed(shape):
        value = {"type": "array", "items": value, "minItems": size or 1} | ({"maxItems": size} if size else {})
    return value


def _answers(outputs: tuple[TensorSpec, ...]) -> Schema:
    if len(outputs) == 1:
        return _lists(_answer(outputs[0]), outputs[0].shape)
    if outputs[0].name.endswith("_0"):
        each = {"type": "array", "minItems": len(outputs), "maxItems": len(outputs)}
        return {"type": "array", "items": each}
    return {
        "type": "object",
        "properties": {output.name: _lists(_answer(output), output.shape) for output in outputs},
    }


def _answer(output: TensorSpec) -> Schema:
    """NaN is answered as null, an infinity as a string: a float may be any of the three."""
    if output.dtype.startswith("float"):
        return {"type": ["number", "string", "null"]}
    return _TYPES.get(output.dtype, {"type": "integer"})
