"""/swagger.json: which document is found, and what it says of a run() and of a bundle."""

from __future__ import annotations

import datetime
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema
from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import validate

from scorewright.bundle import Method, Signature, TensorSpec
from scorewright.errors import RequestError
from scorewright.score.generator import generate
from scorewright.service.protocols.swagger import VERSIONS, Schemas, Service, documents, of_run
from scorewright.service.protocols.swagger_signature import of_signature
from tests.keras_models import MODELS
from tests.score import small_models

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scorewright.bundle import Bundle

ANYTHING = {"type": "object", "example": {}}
UNDECORATED = dict.fromkeys(VERSIONS, Schemas(ANYTHING, ANYTHING))
CHURN = Service("churn", "7")


def document(schemas: Mapping[str, Schemas | None], version: str, service: Service = CHURN) -> Any:
    return json.loads(documents(service, schemas, {}).find(version))


# --- which document


@pytest.mark.parametrize(
    ("asked", "key", "value"),
    [
        (None, "swagger", "2.0"),
        ("2", "swagger", "2.0"),
        ("2.0", "swagger", "2.0"),
        ("3", "openapi", "3.0.3"),
        ("3.0", "openapi", "3.0.3"),
        ("3.1", "openapi", "3.1.0"),
    ],
)
def test_a_version_is_found_by_its_names(asked: str | None, key: str, value: str) -> None:
    assert json.loads(documents(CHURN, UNDECORATED, {}).find(asked))[key] == value


@pytest.mark.parametrize("asked", ["", "1", "4", "x", "3.0.3", " 2", "é"])
def test_an_unknown_version_is_not_found(asked: str) -> None:
    with pytest.raises(RequestError) as error:
        documents(CHURN, UNDECORATED, {}).find(asked)
    assert error.value.status == 404
    assert error.value.message == f"Swagger version [{asked}] is not valid. Supported versions: [2, 3, 3.1]."


@pytest.mark.parametrize(("asked", "named"), [(None, "2"), ("2", "2"), ("2.0", "2.0")])
def test_a_version_that_cannot_describe_the_script_is_not_found(asked: str | None, named: str) -> None:
    with pytest.raises(RequestError) as error:
        documents(CHURN, UNDECORATED | {"2": None}, {}).find(asked)
    assert error.value.status == 404
    assert error.value.message == (
        f"Swagger version [{named}] is not supported for the scoring script. Supported swagger versions: [3, 3.1]."
    )


def test_a_file_of_the_users_is_served_as_it_is() -> None:
    theirs = {"swagger": "2.0", "x-mine": "ü \ud800"}
    found = documents(CHURN, UNDECORATED | {"2": None}, {"2": theirs, "3.1": [1]})
    assert json.loads(found.find("2.0")) == theirs
    assert json.loads(found.find("3.1")) == [1]
    assert json.loads(found.find("3"))["info"]["title"] == "churn"


def test_an_empty_file_of_the_users_counts_as_none() -> None:
    assert json.loads(documents(CHURN, UNDECORATED, {"2": {}}).find(None))["swagger"] == "2.0"


# --- what every document says


@pytest.mark.parametrize(
    ("prefix", "paths"),
    [
        ("", ["/", "/score", "/swagger.json"]),
        ("/", ["/", "/score", "/swagger.json"]),
        ("api/v1", ["/api/v1/", "/api/v1/score", "/api/v1/swagger.json"]),
        ("/api/v1/", ["/api/v1/", "/api/v1/score", "/api/v1/swagger.json"]),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_path_prefix_stands_before_every_path(version: str, prefix: str, paths: list[str]) -> None:
    assert list(document(UNDECORATED, version, Service("churn", "7", prefix))["paths"]) == paths


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_is_valid_and_names_the_service(version: str) -> None:
    found = document(UNDECORATED, version, Service('the "best" {model}', "7", "in/it"))
    validate(found)
    assert (found["info"]["title"], found["info"]["version"]) == ('the "best" {model}', "7")
    assert operations(found) == ["ServiceHealthCheck", "RunMLService", "GetSwaggerSpec"]


def operations(found: Any) -> list[str]:
    return [operation["operationId"] for path in found["paths"].values() for operation in path.values()]


def test_each_version_refers_to_the_schemas_in_its_own_place() -> None:
    described = Schemas({"type": "array", "items": {}, "example": [1]}, {"type": "string", "example": "a"})
    schemas = dict.fromkeys(VERSIONS, described)
    two, three, latest = (document(schemas, version) for version in VERSIONS)
    error = {"type": "object", "properties": {"message": {"type": "string"}}}
    whole = {"ServiceInput": described.input, "ServiceOutput": described.output, "ErrorResponse": error}
    assert two["definitions"] == three["components"]["schemas"] == latest["components"]["schemas"] == whole
    post = two["paths"]["/score"]["post"]
    assert post["parameters"][0]["schema"] == {"$ref": "#/definitions/ServiceInput"}
    assert post["responses"]["200"]["schema"] == {"$ref": "#/definitions/ServiceOutput"}
    post = three["paths"]["/score"]["post"]
    assert post["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/ServiceInput"}}
    }
    assert post["responses"]["default"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}
    }
    assert latest == three | {"openapi": "3.1.0"}


# --- what decorators say


def test_a_run_without_decorators_takes_and_returns_anything() -> None:
    assert of_run(lambda raw_data: raw_data) == UNDECORATED


def test_the_library_is_not_imported_for_a_script_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "inference_schema"]:
        monkeypatch.delitem(sys.modules, name)
    assert of_run(lambda raw_data: raw_data) == UNDECORATED
    assert "inference_schema" not in sys.modules


def decorated(run: Callable[..., Any], *decorators: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in reversed(decorators):
        run = decorate(run)
    return run


def test_decorators_say_what_run_takes_and_returns() -> None:
    def run_of_two(data: Any, count: int) -> Any: ...

    run = decorated(
        run_of_two,
        input_schema("data", NumpyParameterType(np.array([[1.5, 2]]))),
        input_schema("count", StandardPythonParameterType(3)),
        output_schema(StandardPythonParameterType({"good": True})),
    )
    rows = {"type": "array", "items": {"type": "number", "format": "double"}}
    taken = {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": rows, "format": "numpy.ndarray"},
            "count": {"type": "integer", "format": "int64"},
        },
        "example": {"data": [[1.5, 2.0]], "count": 3},
    }
    returned = {
        "type": "object",
        "required": ["good"],
        "properties": {"good": {"type": "boolean"}},
        "example": {"good": True},
    }
    assert of_run(run) == dict.fromkeys(VERSIONS, Schemas(taken, returned))


def test_a_list_of_several_types_is_not_for_swagger_2() -> None:
    def run_of_mixed(data: Any) -> Any: ...

    run = decorated(run_of_mixed, input_schema("data", StandardPythonParameterType([1, "a"])))
    taken = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {"type": "string"}}},
        "example": {"data": [1, "a"]},
    }
    described = Schemas(taken, {"type": "object"})
    assert of_run(run) == {"2": None, "3": described, "3.1": described}


def test_a_run_with_an_output_alone_takes_any_object() -> None:
    def run_of_output(raw_data: Any) -> Any: ...

    run = decorated(run_of_output, output_schema(StandardPythonParameterType("yes")))
    described = Schemas({"type": "object"}, {"type": "string", "example": "yes"})
    assert of_run(run) == dict.fromkeys(VERSIONS, described)


class Odd(AbstractParameterType):  # type: ignore[misc]
    """A parameter type of the user's own, whose example is not JSON."""

    def deserialize_input(self, input_data: Any) -> Any:
        return input_data

    def input_to_swagger(self) -> dict[str, Any]:
        return {"type": "object", "example": self.sample_input}


def test_examples_that_are_not_json_become_it() -> None:
    example = {
        "array": np.array([[1, 2]]),
        "number": np.float32(0.5),
        "numbers": (1, float("nan"), float("inf"), float("-inf")),
        "day": datetime.date(2026, 11, 5),
        "bytes": b"ab",
        ("a", 1): None,
        2: True,
    }

    def run_of_odd(data: Any) -> Any: ...

    described = of_run(decorated(run_of_odd, input_schema("data", Odd(example))))["3"]
    assert described is not None
    sent = json.loads(json.dumps(described.input, allow_nan=False))
    assert sent["example"]["data"] == {
        "array": [[1, 2]],
        "number": 0.5,
        "numbers": [1, None, "Infinity", "-Infinity"],
        "day": "2026-11-05",
        "bytes": "b'ab'",
        "('a', 1)": None,
        "2": True,
    }


# --- what a bundle says


def described(bundle: Bundle) -> dict[str, Schemas]:
    """The schemas of each version, in valid documents, that take the sample and the answer to it."""
    request, response = bundle.json("sample_request.json"), bundle.json("expected_response.json")
    found = {}
    for version, schemas in of_signature(bundle.manifest.signature, request, response).items():
        assert schemas is not None
        validate(document({version: schemas}, version))
        assert (schemas.input["example"], schemas.output["example"]) == (request, response)
        assert takes(version, schemas.input, request)
        assert takes(version, schemas.output, response)
        found[version] = schemas
    return found


def takes(version: str, schema: Any, value: object) -> bool:
    if version == "2":
        schema = json.loads(json.dumps(schema).replace('"x-nullable"', '"nullable"'))
    validator = OAS31Validator(schema) if version == "3.1" else OAS30Validator(schema)
    return bool(validator.is_valid(value))


def taken(schemas: dict[str, Schemas], request: object) -> list[str]:
    """The versions in which a request is described."""
    return [version for version, of in schemas.items() if takes(version, of.input, request)]


def bundle_of(build: Callable[[], tuple[Any, Any]], folder: Path) -> Bundle:
    model, sample = build()
    return generate(model, sample, name="small", out=folder / "small")


ALTERNATIVES = ["3", "3.1"]
"""The versions that can describe several forms of a request."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Schemas]:
    return described(bundle_of(small_models.tree_with_names, tmp_path_factory.mktemp("tree")))


def test_rows_of_named_numbers(tree: dict[str, Schemas]) -> None:
    value = {"type": "number", "format": "double", "x-nullable": True}
    row = {"type": "array", "items": value, "minItems": 3, "maxItems": 3, "description": "In this order: a, b, ü."}
    data = tree["2"].input["properties"]["data"]
    assert data == {"type": "array", "items": row, "minItems": 1}
    method = {
        "type": "string",
        "enum": ["predict", "predict_proba", "predict_log_proba"],
        "default": "predict_proba",
    }
    assert [of.input["properties"]["method"] for of in tree.values()] == [method] * 3
    by_name = {"a": 1, "b": None, "ü": 0.5}
    for alternative in (
        {"data": [1, 2, 3]},
        {"data": by_name},
        {"data": [by_name, [1, 2, 3]], "method": "predict"},
        {"input_data": [[1, 2, None]]},
        {"input_data": {"columns": ["ü", "a", "b"], "index": [0], "data": [[1, 2, 3]]}},
        {"input_data": {"columns": None, "data": [[1, 2, 3]]}},
    ):
        assert taken(tree, alternative) == ALTERNATIVES
    wrong: dict[str, Any]
    for wrong in (
        {"data": [[1, 2]]},
        {"data": [[1, 2, "3"]]},
        {"data": [{"a": 1, "b": 2}]},
        {"data": []},
        {"data": [[1, 2, 3]], "method": "transform"},
        {"data": [[1, 2, 3]], "input_data": [[1, 2, 3]]},
        {"input_data": {"columns": ["a", "b", "c"], "data": [[1, 2, 3]]}},
        {},
    ):
        assert taken(tree, wrong) == []
    assert tree["2"].output["properties"]["predict"] == {
        "type": "array",
        "items": {"type": "integer", "format": "int64"},
    }


def test_answers_that_are_not_finite(tree: dict[str, Schemas]) -> None:
    number = {"type": "number", "format": "double"}
    infinite = {"type": "string", "enum": ["Infinity", "-Infinity"]}
    answers = {
        "2": number | {"x-nullable": True},
        "3": {"anyOf": [number | {"nullable": True}, infinite]},
        "3.1": {"anyOf": [number | {"type": ["number", "null"]}, infinite]},
    }
    for version, answer in answers.items():
        row = {"type": "array", "items": answer, "minItems": 2, "maxItems": 2}
        assert tree[version].output["properties"]["predict_log_proba"] == {"type": "array", "items": row}


def test_rows_of_numbers_without_names(tmp_path: Path) -> None:
    schemas = described(bundle_of(small_models.line_without_names, tmp_path))
    value = {"type": "number", "format": "double"}
    row = {"type": "array", "items": value, "minItems": 2, "maxItems": 2}
    rows = {"type": "array", "items": row, "minItems": 1}
    assert schemas["2"].input["properties"]["data"] == rows
    assert (
        schemas["3"].input["properties"]["data"] == schemas["3.1"].input["properties"]["data"] == {"anyOf": [rows, row]}
    )
    assert taken(schemas, {"input_data": {"columns": [0, 1], "data": [[1, 2]]}}) == ALTERNATIVES
    assert taken(schemas, {"data": [[1, None]]}) == []


def test_a_table_of_every_type(tmp_path: Path) -> None:
    schemas = described(bundle_of(small_models.table_of_everything, tmp_path))
    rows = schemas["2"].input["properties"]["data"]
    zone = "A date in ISO 8601, with a time zone if the example's has one."
    columns = {
        "age": {"type": "number", "format": "double", "x-nullable": True},
        "city": {"type": "string", "enum": ["Bonn", "Köln"]},
        "street": {"type": "string", "x-nullable": True},
        "since": {"type": "string", "description": zone, "x-nullable": True},
        "member": {"type": "boolean"},
        "size": {"type": "string", "description": "Trained with L, M, S.", "x-nullable": True},
        "rooms": {"type": "number", "format": "double", "enum": [1, 2, 3]},
    }
    record = {"type": "object", "required": list(columns), "properties": columns, "additionalProperties": False}
    assert rows == {"type": "array", "items": record, "minItems": 1}
    three = schemas["3"].input["properties"]["data"]["anyOf"][1]["properties"]
    assert three["street"] == {"type": "string", "nullable": True}
    latest = schemas["3.1"].input["properties"]["data"]["anyOf"]
    assert latest[1]["properties"]["street"] == {"type": ["string", "null"]}
    assert latest[2]["prefixItems"] == list(latest[1]["properties"].values())
    values = [31, "Bonn", None, "2020-01-01", True, "XL", 2]
    names = list(columns)
    assert taken(schemas, {"data": [values]}) == ALTERNATIVES
    assert taken(schemas, {"data": [dict(zip(names, values, strict=True))]}) == list(VERSIONS)
    assert taken(schemas, {"input_data": {"columns": names[::-1], "data": [values[::-1]]}}) == ALTERNATIVES
    # Only the latest can say which type stands where.
    assert taken(schemas, {"data": [values[::-1]]}) == ["3"]
    assert taken(schemas, {"data": [dict(zip(names, [*values[:6], 4], strict=True))]}) == []


def test_texts(tmp_path: Path) -> None:
    schemas = described(bundle_of(small_models.words, tmp_path))
    text = {"type": "string"}
    assert schemas["2"].input["properties"]["data"] == {"type": "array", "items": text, "minItems": 1}
    assert taken(schemas, {"data": "good"}) == ALTERNATIVES
    assert taken(schemas, {"data": [1]}) == []


def made(inputs: list[TensorSpec], outputs: list[TensorSpec], layout: Any, **more: Any) -> dict[str, Schemas]:
    """The schemas of a signature that no bundle here has, in valid documents."""
    signature = Signature(
        layout=layout,
        inputs=tuple(inputs),
        methods={"predict": Method(outputs=tuple(outputs))},
        default_method="predict",
        **more,
    )
    found = {}
    for version, schemas in of_signature(signature, {}, {}).items():
        assert schemas is not None
        validate(document({version: schemas}, version))
        found[version] = schemas
    return found


def tensor(dtype: str, *shape: int | None, name: str = "data", **more: Any) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=(None, *shape), **more)


@pytest.mark.parametrize(
    ("dtype", "schema"),
    [
        ("float64", {"type": "number", "format": "double"}),
        ("float32", {"type": "number", "format": "float"}),
        ("float16", {"type": "number", "format": "float"}),
        ("bfloat16", {"type": "number"}),
        ("int64", {"type": "integer", "format": "int64"}),
        ("int32", {"type": "integer", "format": "int32"}),
        ("int8", {"type": "integer", "minimum": -128, "maximum": 127}),
        ("uint8", {"type": "integer", "minimum": 0, "maximum": 255}),
        ("uint64", {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}),
        ("bool", {"type": "boolean"}),
        ("string", {"type": "string"}),
    ],
)
def test_every_dtype_has_a_type(dtype: str, schema: dict[str, Any]) -> None:
    row = {"type": "array", "items": schema, "minItems": 4, "maxItems": 4}
    schemas = made([tensor(dtype, 4)], [tensor("int64")], "tensors")
    assert schemas["2"].input["properties"]["data"] == {"type": "array", "items": row, "minItems": 1}


def test_tensors_have_their_shape() -> None:
    schemas = made([tensor("float32", None, 2, name="steps")], [tensor("float32", None)], "tensors")
    number = {"type": "number", "format": "float"}
    step = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    rows = {"type": "array", "items": {"type": "array", "items": step}, "minItems": 1}
    assert schemas["2"].input["properties"]["data"] == rows
    for data in ([[1, 2]], {"steps": [[[1, 2]]]}, {"steps": [[1, 2]]}):
        assert taken(schemas, {"data": data}) == ALTERNATIVES
    assert taken(schemas, {"data": [[[1, 2, 3]]]}) == []


def test_several_tensors_are_given_by_name() -> None:
    ids, flag = tensor("int32", 2, name="ids"), tensor("bool", 1, name="flag")
    outputs = [tensor("float32", 1, name="price"), tensor("string", name="kind")]
    schemas = made([ids, flag], outputs, "tensors")
    assert taken(schemas, {"data": {"ids": [[1, 2]], "flag": [[True]]}}) == list(VERSIONS)
    for data in ({"ids": [1, 2], "flag": [True]}, [{"ids": [1, 2], "flag": [True]}]):
        assert taken(schemas, {"data": data}) == ALTERNATIVES
    assert taken(schemas, {"data": {"ids": [[1, 2]]}}) == []
    assert takes("2", schemas["2"].output, {"predict": {"price": [[0.5]], "kind": ["a"]}})
    assert not takes("2", schemas["2"].output, {"predict": {"price": [0.5], "kind": ["a"]}})
    assert not takes("3", schemas["3"].output, {})


def test_one_tensor_with_features_takes_records() -> None:
    schemas = made([tensor("float32", 2, name="rows")], [tensor("int64")], "tensors", features=("a", "b"))
    assert taken(schemas, {"data": [{"a": 1, "b": 2}]}) == ALTERNATIVES
    assert taken(schemas, {"data": [[1, 2]]}) == list(VERSIONS)


def test_columns_without_names_are_rows() -> None:
    columns = [tensor("float64", name="x0"), tensor("string", name="x1", categories=("a", "b"), missing=True)]
    schemas = made(columns, [tensor("category")], "columns")
    for version in VERSIONS:
        rows = schemas[version].input["properties"]["data"]
        assert takes(version, rows, [[1, None]])
        assert not takes(version, rows, [[1]])
        for answer in ("a", 1.5, True):
            assert takes(version, schemas[version].output, {"predict": [answer]})
    two, three, latest = (schemas[version].input["properties"]["data"] for version in VERSIONS)
    assert two["items"] == {"type": "array", "items": {}, "minItems": 2, "maxItems": 2}
    enum = {"type": "string", "enum": ["a", "b", None], "nullable": True}
    assert three["anyOf"][1]["items"]["anyOf"] == [{"type": "number", "format": "double"}, enum]
    assert latest["anyOf"][1]["prefixItems"][1] == {"type": ["string", "null"], "enum": ["a", "b", None]}
    assert takes("3", schemas["3"].output, {"predict": [None]})


@pytest.mark.parametrize(
    ("categories", "schema"),
    [
        (("a", "b"), {"type": "string", "description": "Trained with a, b."}),
        ((True,), {"type": "boolean", "description": "Trained with True."}),
        (tuple(range(11)), {"type": "number", "description": "Trained with 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..."}),
        ((), {}),
    ],
)
def test_a_category_is_of_the_type_it_was_trained_with(categories: tuple[Any, ...], schema: dict[str, Any]) -> None:
    schemas = made(
        [tensor("category", name="size", categories=categories)], [tensor("int64")], "columns", dataframe=True
    )
    assert schemas["2"].input["properties"]["data"]["items"]["properties"] == {"size": schema}


def test_an_answer_of_several_outputs_is_a_list_a_row() -> None:
    outputs = [tensor("float64", 2, name="predict_0"), tensor("float64", 3, name="predict_1")]
    schemas = made([tensor("float64", 1)], outputs, "array")
    for version in VERSIONS:
        assert takes(version, schemas[version].output, {"predict": [[[0.5, 0.5], [0.2, 0.3, 0.5]]]})
        assert not takes(version, schemas[version].output, {"predict": [[[0.5, 0.5]]]})


@pytest.mark.keras
@pytest.mark.parametrize("name", ["tabular", "several", "texts"])
def test_a_network(name: str, tmp_path: Path) -> None:
    bundle = generate(MODELS[name](), None, name="net", out=tmp_path / "net")
    assert list(described(bundle)) == list(VERSIONS)
