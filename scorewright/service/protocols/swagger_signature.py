"""What a bundle's signature says, in the words of Swagger 2, OpenAPI 3.0 and OpenAPI 3.1. Pure.

Swagger 2 has no alternatives, no null and no lists of several types: it describes rows in the sample's form alone,
null as `x-nullable`. The others name the alternatives too. A value that must be one of some is an enum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.service.protocols.swagger import VERSIONS, Schema, Schemas

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorewright.bundle import Method, Signature, TensorSpec

SHOWN_CATEGORIES = 10
"""How many of the categories that a column was trained with are named, where others are taken too."""

_TYPES: dict[str, Schema] = {
    "float64": {"type": "number", "format": "double"},
    "float32": {"type": "number", "format": "float"},
    "float16": {"type": "number", "format": "float"},
    "int64": {"type": "integer", "format": "int64"},
    "int32": {"type": "integer", "format": "int32"},
    "bool": {"type": "boolean"},
    "string": {"type": "string"},
    # No format: date-time would have a time zone, which most models do not take.
    "datetime": {"type": "string", "description": "A date in ISO 8601, with a time zone if the example's has one."},
}


def of_signature(signature: Signature, request: object, response: object) -> dict[str, Schemas | None]:
    """The schemas of each version for a bundle; `request` and `response` are its sample and the answer to it."""
    return {version: _Words(version).schemas(signature, request, response) for version in VERSIONS}


class _Words:
    """Schemas in one version's words."""

    def __init__(self, version: str) -> None:
        self._version = version

    def schemas(self, signature: Signature, request: object, response: object) -> Schemas:
        answers = {name: self._answers(signature, method) for name, method in signature.methods.items()}
        output = {
            "type": "object",
            "description": "The answers of the method asked for, one a row."
            ' NaN is null, infinities are "Infinity" and "-Infinity".',
            "properties": answers,
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "example": response,
        }
        return Schemas(self._request(signature) | {"example": request}, output)

    def _request(self, signature: Signature) -> Schema:
        rows = self._rows(signature)
        properties = {
            "data": self._any_of(rows),
            "method": {"type": "string", "enum": list(signature.methods), "default": signature.default_method},
        }
        described: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if self._version == "2":
            words = "Rows in the form of the example; /openapi.json describes the others."
            return described | {"description": words, "required": ["data"]}
        if signature.layout == "text":
            return described | {"required": ["data"]}
        properties["input_data"] = self._input_data(signature, rows)
        return described | {"oneOf": [{"required": ["data"]}, {"required": ["input_data"]}]}

    def _input_data(self, signature: Signature, rows: list[Schema]) -> Schema:
        """Rows, or a DataFrame as MLflow splits it: with its columns in any order."""
        columns: Schema = {}
        if names := _names(signature):
            items = {"type": "string", "enum": list(names)}
            columns = self._nullable({"type": "array", "items": items, "uniqueItems": True, **_sized(len(names))})
        data = self._any_of(rows)
        if signature.layout == "columns":
            values = [self._value(column) for column in signature.inputs]
            data = _many({"type": "array", "items": self._any_of(_distinct(values)), **_sized(len(values))})
        split = {
            "type": "object",
            "required": ["data"],
            "properties": {"columns": columns, "index": {}, "data": data},
            "additionalProperties": False,
        }
        return self._any_of([split, *(form for form in rows if form["type"] == "array")])

    def _rows(self, signature: Signature) -> list[Schema]:
        """The forms of `data`, that of the sample first."""
        inputs, names = signature.inputs, _names(signature)
        if signature.layout == "tensors":
            return self._tensors(inputs, names)
        if signature.layout == "text":
            return [_many(_TYPES["string"]), _TYPES["string"]]
        if signature.layout == "array":
            value = self._value(inputs[0])
            row = _lists(value, inputs[0].shape[1:])
            values = dict.fromkeys(names, value)
        else:
            values = {column.name: self._value(column) for column in inputs}
            row = self._positional(list(values.values()))
        if not names:
            return [_many(row), row]
        row |= {"description": f"In this order: {', '.join(names)}."}
        forms = [_record(values), row] if signature.layout == "columns" else [row, _record(values)]
        return [_many(self._any_of(forms)), *forms]

    def _tensors(self, inputs: tuple[TensorSpec, ...], names: tuple[str, ...]) -> list[Schema]:
        one = {tensor.name: _lists(self._value(tensor), tensor.shape[1:]) for tensor in inputs}
        several = {name: _many(row) for name, row in one.items()}
        if len(inputs) > 1:
            return [_record(several), _many(_record(one)), _record(one)]
        (row,) = one.values()
        forms = [row, _record(dict.fromkeys(names, self._value(inputs[0])))] if names else [row]
        return [_many(self._any_of(forms)), *forms, _record(several), _record(one)]

    def _value(self, tensor: TensorSpec) -> Schema:
        known = tensor.categories
        if tensor.dtype == "category":
            schema = self._category(known or ())
        else:
            schema = _type(tensor.dtype) | ({"enum": list(known)} if known else {})
        return self._nullable(schema) if tensor.missing else schema

    def _category(self, known: tuple[object, ...]) -> Schema:
        """Not an enum: the model takes other values of the same type as not seen in training."""
        if not known:
            return self._scalar()
        kind = {str: "string", bool: "boolean"}.get(type(known[0]), "number")
        shown = ", ".join(map(str, known[:SHOWN_CATEGORIES]))
        end = ", ..." if len(known) > SHOWN_CATEGORIES else "."
        return {"type": kind, "description": f"Trained with {shown}{end}"}

    def _answers(self, signature: Signature, method: Method) -> Schema:
        outputs = method.outputs
        if len(outputs) == 1:
            return _lists(self._answer(outputs[0]), outputs[0].shape)
        if signature.layout == "tensors":
            return _record({output.name: _lists(self._answer(output), output.shape) for output in outputs})
        row = self._positional([_lists(self._answer(output), output.shape[1:]) for output in outputs])
        return {"type": "array", "items": row}

    def _answer(self, output: TensorSpec) -> Schema:
        if output.dtype == "category":
            return self._nullable(self._scalar())
        schema = _type(output.dtype)
        if output.dtype.startswith("float"):
            return self._any_of([self._nullable(schema), {"type": "string", "enum": ["Infinity", "-Infinity"]}])
        return self._nullable(schema) if output.dtype == "datetime" else schema

    def _any_of(self, forms: list[Schema]) -> Schema:
        return forms[0] if self._version == "2" or len(forms) == 1 else {"anyOf": forms}

    def _nullable(self, schema: Schema) -> Schema:
        if self._version == "2":
            return schema | {"x-nullable": True}
        if "anyOf" in schema:
            return {"anyOf": [self._nullable(schema["anyOf"][0]), *schema["anyOf"][1:]]}
        nullable = {"type": [schema["type"], "null"]} if self._version == "3.1" else {"nullable": True}
        return schema | nullable | ({"enum": [*schema["enum"], None]} if "enum" in schema else {})

    def _scalar(self) -> Schema:
        if self._version == "2":
            return {}
        return self._any_of([{"type": "string"}, {"type": "number"}, {"type": "boolean"}])

    def _positional(self, values: list[Schema]) -> Schema:
        """A list with a type for each place, as far as that can be said."""
        distinct = _distinct(values)
        if len(distinct) == 1:
            return {"type": "array", "items": distinct[0], **_sized(len(values))}
        if self._version == "3.1":
            return {"type": "array", "prefixItems": values, **_sized(len(values))}
        items = {} if self._version == "2" else self._any_of(distinct)
        return {"type": "array", "items": items, **_sized(len(values))}


def _names(signature: Signature) -> tuple[str, ...]:
    """The names under which a record gives its values; none where position alone counts."""
    if signature.layout == "columns" and signature.dataframe:
        return tuple(column.name for column in signature.inputs)
    return signature.features or ()


def _distinct(values: list[Schema]) -> list[Schema]:
    found: list[Schema] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _type(dtype: str) -> Schema:
    if dtype in _TYPES:
        return _TYPES[dtype]
    if not dtype.startswith(("int", "uint")):
        return {"type": "number"}
    bits = int(dtype.lstrip("uint"))
    low, high = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return {"type": "integer", "minimum": low, "maximum": high}


def _sized(size: int) -> Schema:
    return {"minItems": size, "maxItems": size}


def _many(row: Schema) -> Schema:
    return {"type": "array", "items": row, "minItems": 1}


def _record(values: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": list(values), "properties": values, "additionalProperties": False}


def _lists(value: Schema, shape: Iterable[int | None]) -> Schema:
    for size in reversed(tuple(shape)):
        value = {"type": "array", "items": value, **({} if size is None else _sized(size))}
    return value
