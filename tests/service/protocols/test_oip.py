"""The Open Inference Protocol: metadata, requests read, answers written, and every refusal with its place."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from scorewright.bundle import Manifest, Method, ModelInfo, SampleInfo, Signature, TensorSpec
from scorewright.errors import RequestError
from scorewright.service.protocols import oip
from scorewright.service.protocols.oip_inference import Inference, decode, encode
from scorewright.service.protocols.oip_tensors import NUMPY

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = [name for name in NUMPY if name not in ("BOOL", "BYTES")]


def spec(name: str, dtype: str, *shape: int | None, **rest: Any) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=(None, *shape), **rest)


def method(*outputs: TensorSpec) -> Method:
    return Method(outputs=outputs)


PREDICT = method(spec("predict", "int64"))
PROBA = method(spec("predict_proba", "float64", 2))
TREE = Signature(
    layout="array",
    inputs=(spec("data", "float64", 2),),
    methods={"predict": PREDICT, "predict_proba": PROBA},
    default_method="predict_proba",
)
TABLE = Signature(
    layout="columns",
    inputs=(
        spec("age", "float64", missing=True),
        spec("city", "string"),
        spec("member", "bool"),
        spec("zone", "category", categories=(1, 2)),
        spec("size", "category", categories=("S", "M")),
        spec("open", "category", categories=(True, False)),
        spec("rate", "category", categories=(1, 2.5)),
        spec("since", "datetime"),
        spec("other", "category"),
    ),
    methods={"predict": method(spec("predict", "string"))},
    default_method="predict",
    classes=("no", "yes"),
)
TEXT = Signature(
    layout="text", inputs=(spec("data", "string"),), methods={"predict": PREDICT}, default_method="predict"
)
NETWORK = Signature(
    layout="tensors",
    inputs=(spec("numbers", "float32", 3), spec("ids", "int32", 2)),
    methods={"predict": method(spec("price", "float32", 1), spec("kind", "float32", 3))},
    default_method="predict",
)
SEQUENCE = Signature(
    layout="tensors",
    inputs=(spec("steps", "float32", None, 2),),
    methods={"predict": method(spec("predict", "float32", 1))},
    default_method="predict",
)
TEXTS_IN = Signature(
    layout="tensors",
    inputs=(spec("text", "string", 1), spec("flag", "bool", 1)),
    methods={"predict": method(spec("predict", "float16"))},
    default_method="predict",
)
TWO = Signature(
    layout="array",
    inputs=(spec("data", "float64", 2),),
    methods={
        "predict": method(spec("predict", "category", 2)),
        "predict_proba": method(spec("predict_proba_0", "float64", 2), spec("predict_proba_1", "float64", 3)),
    },
    default_method="predict_proba",
    classes=((0, 1), (0, 1, 2)),
)


def one(name: str, datatype: str, shape: list[Any], data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def rows(data: Any, shape: list[Any] | None = None, datatype: str = "FP64", **rest: Any) -> dict[str, Any]:
    return {"inputs": [one("data", datatype, shape or [1, 2], data)], **rest}


def read(signature: Signature, request: Any, *binary: bytes) -> Inference:
    """Decode a request, and the binary data behind it, if any."""
    head = json.dumps(request).encode()
    if not binary:
        return decode(signature, head, None)
    return decode(signature, memoryview(head + b"".join(binary)), len(head))


def written(inference: Inference, *results: Any) -> tuple[dict[str, Any], dict[bytes, bytes], bytes]:
    """The JSON of an answer, its headers, and the bytes behind the JSON."""
    headers, body = encode(inference, results, name="m", version="7")
    told = dict(headers)
    end = int(told.get(oip.LENGTH_HEADER, len(body)))
    return json.loads(body[:end]), told, body[end:]


def refused(signature: Signature, request: Any, *binary: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        read(signature, request, *binary)
    assert caught.value.status == 400
    return caught.value.message


def prefixed(*texts: str) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def manifest(signature: Signature, **changes: Any) -> Manifest:
    given: dict[str, Any] = {
        "name": "m",
        "version": "7",
        "generator": "tests",
        "framework": "scikit-learn",
        "runtime": "native",
        "model": ModelInfo(path="model/model.joblib", format="joblib", kind="Model"),
        "versions": {},
        "signature": signature,
        "sample": SampleInfo(source="made", rows=1),
        "files": {},
    }
    return Manifest(**(given | changes))


# Metadata


def test_the_servers_metadata() -> None:
    assert oip.server_metadata("1.2") == {"name": "scorewright", "version": "1.2", "extensions": ["binary_tensor_data"]}


def test_the_metadata_of_rows() -> None:
    assert oip.model_metadata(manifest(TREE)) == {
        "name": "m",
        "versions": ["7"],
        "platform": "sklearn_joblib",
        "inputs": [{"name": "data", "datatype": "FP64", "shape": [-1, 2]}],
        "outputs": [
            {"name": "predict", "datatype": "INT64", "shape": [-1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
        ],
    }


def test_the_metadata_of_a_table() -> None:
    described = oip.model_metadata(manifest(TABLE))
    assert [(item["name"], item["datatype"], item["shape"]) for item in described["inputs"]] == [
        ("age", "FP64", [-1]),
        ("city", "BYTES", [-1]),
        ("member", "BOOL", [-1]),
        ("zone", "INT64", [-1]),
        ("size", "BYTES", [-1]),
        ("open", "BOOL", [-1]),
        ("rate", "FP64", [-1]),
        ("since", "BYTES", [-1]),
        ("other", "BYTES", [-1]),
    ]
    assert described["outputs"] == [{"name": "predict", "datatype": "BYTES", "shape": [-1]}]


def test_the_metadata_of_a_network() -> None:
    model = ModelInfo(path="model/saved_model", format="savedmodel", kind="SavedModel")
    described = oip.model_metadata(manifest(SEQUENCE, framework="keras", model=model))
    assert described["platform"] == "tensorflow_savedmodel"
    assert described["inputs"] == [{"name": "steps", "datatype": "FP32", "shape": [-1, -1, 2]}]
    model = ModelInfo(path="model/model.onnx", format="onnx", kind="Sequential")
    assert oip.model_metadata(manifest(SEQUENCE, framework="keras", model=model))["platform"] == "onnxruntime_onnx"


def test_the_classes_tell_the_type_of_objects_that_predict_answers() -> None:
    outputs = oip.model_metadata(manifest(TWO))["outputs"]
    assert [(item["name"], item["datatype"]) for item in outputs] == [
        ("predict", "INT64"),
        ("predict_proba_0", "FP64"),
        ("predict_proba_1", "FP64"),
    ]


def test_what_the_front_uses_needs_no_numpy() -> None:
    code = "import sys; from scorewright.service.protocols import coding, oip; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


def test_errors_have_one_shape() -> None:
    assert oip.error_body('a "b"') == b'{"error": "a \\"b\\""}'


@pytest.mark.parametrize("text", ["", "-1", "1.5", "0x10", "²", "9" * 19, "a"])
def test_what_is_no_length_is_refused(text: str) -> None:
    assert oip.header_length("0120") == 120
    with pytest.raises(
        RequestError, match=r"Inference-Header-Content-Length is .*, it must be a number of bytes"
    ) as caught:
        oip.header_length(text)
    assert caught.value.status == 400


# Requests: what run() is given


@pytest.mark.parametrize("data", [[1, 2.5, 3, 4], [[1, 2.5], [3, 4]]], ids=["flat", "nested"])
def test_rows(data: Any) -> None:
    inference = read(TREE, rows(data, [2, 2]))
    assert inference.texts == ['{"data":[[1.0,2.5],[3.0,4.0]],"method":"predict_proba"}']


def test_rows_of_whole_numbers_stay_whole() -> None:
    assert read(TREE, rows([1, 2**53 + 1], datatype="INT64")).texts == [
        '{"data":[[1,9007199254740993]],"method":"predict_proba"}'
    ]


def test_a_float32_is_the_double_it_is() -> None:
    text = '{"data":[[0.10000000149011612,0.5]],"method":"predict_proba"}'
    assert read(TREE, rows([0.1, 0.5], datatype="FP32")).texts == [text]
    item = {"name": "data", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    assert read(TREE, {"inputs": [item]}, np.array([0.1, 0.5], "f4").tobytes()).texts == [text]


@pytest.mark.parametrize("kind", ["FP64", "INT64", "UINT8"])
def test_null_is_null(kind: str) -> None:
    (text,) = read(TREE, rows([1, None], datatype=kind)).texts
    assert json.loads(text)["data"] == [[1, None]]


def test_what_json_has_not_but_tritonclient_writes() -> None:
    assert read(TREE, rows([math.nan, 1])).texts == ['{"data":[[null,1.0]],"method":"predict_proba"}']
    (text,) = read(TREE, rows([math.inf, -math.inf, math.nan, 1], [2, 2])).texts
    assert text == '{"data":[[Infinity, -Infinity], [null, 1.0]],"method":"predict_proba"}'


def test_columns_of_every_type() -> None:
    request = {
        "inputs": [
            one("since", "BYTES", [2, 1], [["2020-01-01"], ["2021-01-01"]]),
            one("age", "FP32", [2], [1.5, None]),
            one("city", "BYTES", [2], ["Köln", "null"]),
            one("member", "BOOL", [2], [True, None]),
            one("zone", "UINT8", [2], [1, None]),
            one("size", "BYTES", [2, 1], ["S", None]),
            one("open", "BOOL", [2], [True, False]),
            one("rate", "FP64", [2], [1, 2.5]),
            one("other", "BYTES", [2], ["", "x"]),
        ]
    }
    (text,) = read(TABLE, request).texts
    assert json.loads(text) == {
        "input_data": {
            "columns": ["age", "city", "member", "zone", "size", "open", "rate", "since", "other"],
            "data": [
                [1.5, "Köln", True, 1, "S", True, 1.0, "2020-01-01", ""],
                [None, "null", None, None, None, False, 2.5, "2021-01-01", "x"],
            ],
        },
        "method": "predict",
    }


def test_an_infinity_in_a_column() -> None:
    table = TABLE.model_copy(update={"inputs": TABLE.inputs[:2]})
    request = {"inputs": [one("age", "FP64", [2], [math.inf, math.nan]), one("city", "BYTES", [2], ["a", "b"])]}
    assert read(table, request).texts == [
        '{"input_data":{"columns": ["age", "city"], "data": [[Infinity, "a"], [null, "b"]]},"method":"predict"}'
    ]


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_texts(shape: list[int]) -> None:
    assert read(TEXT, rows(["gut", 'sehr "gut"'], shape, "BYTES")).texts == [
        '{"data":["gut","sehr \\"gut\\""],"method":"predict"}'
    ]
    item = {"name": "data", "datatype": "BYTES", "shape": shape, "parameters": {"binary_data_size": 12}}
    assert read(TEXT, {"inputs": [item]}, prefixed("gü", "x")).texts == ['{"data":["gü","x"],"method":"predict"}']


def test_named_tensors() -> None:
    request = {"inputs": [one("ids", "INT32", [1, 2], [4, 5]), one("numbers", "FP32", [1, 3], [[1, 2, 3]])]}
    assert read(NETWORK, request).texts == ['{"data":{"numbers":[[1.0,2.0,3.0]],"ids":[[4,5]]},"method":"predict"}']


def test_the_only_tensor_goes_without_its_name() -> None:
    request = {"inputs": [one("steps", "FP32", [1, 3, 2], [1, 2, 3, 4, 5, 6])]}
    assert read(SEQUENCE, request).texts == ['{"data":[[[1.0,2.0],[3.0,4.0],[5.0,6.0]]],"method":"predict"}']


def test_tensors_of_texts_and_truth_values() -> None:
    request = {"inputs": [one("text", "BYTES", [2, 1], ["a", "b"]), one("flag", "BOOL", [2, 1], [[True], [False]])]}
    assert read(TEXTS_IN, request).texts == [
        '{"data":{"text":[["a"],["b"]],"flag":[[true],[false]]},"method":"predict"}'
    ]


def test_binary_data_come_in_the_requests_order() -> None:
    request = {
        "inputs": [
            {"name": "ids", "datatype": "INT8", "shape": [1, 2], "parameters": {"binary_data_size": 2}},
            {"name": "numbers", "datatype": "FP16", "shape": [1, 3], "parameters": {"binary_data_size": 6}},
        ]
    }
    inference = read(NETWORK, request, b"\x01\xff", np.array([1, 2, 0.5], "f2").tobytes())
    assert inference.texts == ['{"data":{"numbers":[[1.0,2.0,0.5]],"ids":[[1,-1]]},"method":"predict"}']


def test_binary_and_json_data_together() -> None:
    request = {
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["a"]},
            {"name": "flag", "datatype": "BOOL", "shape": [1, 1], "parameters": {"binary_data_size": 1}},
        ]
    }
    assert read(TEXTS_IN, request, b"\x01").texts == ['{"data":{"text":[["a"]],"flag":[[true]]},"method":"predict"}']


def test_unknown_keys_and_parameters_are_passed_over() -> None:
    request = rows([1, 2], parameters={"priority": 3, "binary_data_output": False}, model_name="m")
    request["inputs"][0]["parameters"] = {"content_type": "np"}
    assert read(TREE, request) == read(TREE, rows([1, 2]))
    assert read(TREE, rows([1, 2], parameters=None, outputs=None, id=None)) == read(TREE, rows([1, 2]))


# Requests: which outputs


def methods(inference: Inference) -> list[str]:
    return [json.loads(text)["method"] for text in inference.texts]


@pytest.mark.parametrize(
    ("request_", "called", "answered"),
    [
        ({}, ["predict_proba"], ["predict_proba"]),
        ({"outputs": []}, ["predict_proba"], ["predict_proba"]),
        ({"parameters": {"method": "predict"}}, ["predict"], ["predict"]),
        ({"outputs": [{"name": "predict"}]}, ["predict"], ["predict"]),
        ({"outputs": [{"name": "predict"}, {"name": "predict"}]}, ["predict"], ["predict"]),
        (
            {"outputs": [{"name": "predict"}, {"name": "predict_proba"}]},
            ["predict", "predict_proba"],
            ["predict", "predict_proba"],
        ),
        ({"outputs": [{"name": "predict"}], "parameters": {"method": "predict"}}, ["predict"], ["predict"]),
    ],
)
def test_outputs_select_the_methods(request_: dict[str, Any], called: list[str], answered: list[str]) -> None:
    inference = read(TREE, rows([1, 2], **request_))
    assert methods(inference) == called
    assert [output.name for output in inference.outputs] == answered


def test_several_outputs_of_one_method_take_one_call() -> None:
    inference = read(TWO, rows([1, 2], outputs=[{"name": "predict_proba_1"}, {"name": "predict_proba_0"}]))
    assert methods(inference) == ["predict_proba"]
    answer, _, _ = written(inference, {"predict_proba": [[[0.5, 0.5], [1.0, 0.0, 0.0]]]})
    assert answer["outputs"] == [
        {"name": "predict_proba_1", "datatype": "FP64", "shape": [1, 3], "data": [1.0, 0.0, 0.0]},
        {"name": "predict_proba_0", "datatype": "FP64", "shape": [1, 2], "data": [0.5, 0.5]},
    ]


# Answers


def test_an_answer() -> None:
    inference = read(
        TREE, rows([1, 2, 3, 4], [2, 2], id="an id", outputs=[{"name": "predict"}, {"name": "predict_proba"}])
    )
    answer, headers, rest = written(inference, {"predict": [0, 1]}, {"predict_proba": [[0.1, 0.9], [1.0, 0.0]]})
    assert answer == {
        "model_name": "m",
        "model_version": "7",
        "id": "an id",
        "outputs": [
            {"name": "predict", "datatype": "INT64", "shape": [2], "data": [0, 1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [2, 2], "data": [0.1, 0.9, 1.0, 0.0]},
        ],
    }
    assert (headers, rest) == ({b"content-type": b"application/json"}, b"")


def test_an_answer_has_the_id_only_if_the_request_had_one() -> None:
    answer, _, _ = written(read(TREE, rows([1, 2])), {"predict_proba": [[0.1, 0.9]]})
    assert answer.keys() == {"model_name", "model_version", "outputs"}


def test_nan_is_null_and_infinities_are_words() -> None:
    inference = read(TREE, rows([1, 2]))
    answer, _, _ = written(inference, {"predict_proba": [[None, 0.5], ["Infinity", "-Infinity"]]})
    assert answer["outputs"][0]["data"] == [None, 0.5, "Infinity", "-Infinity"]
    answer, _, _ = written(inference, {"predict_proba": [[None, 0.5]]})
    assert answer["outputs"][0]["data"] == [None, 0.5]
    binary = read(TREE, rows([1, 2], parameters={"binary_data_output": True}))
    _, _, rest = written(binary, {"predict_proba": [[None, 0.5], ["Infinity", "-Infinity"]]})
    np.testing.assert_array_equal(np.frombuffer(rest), [math.nan, 0.5, math.inf, -math.inf])


def test_a_binary_answer() -> None:
    asked = [{"name": "predict", "parameters": {"binary_data": True}}, {"name": "predict_proba"}]
    answer, headers, rest = written(
        read(TREE, rows([1, 2], outputs=asked)), {"predict": [3]}, {"predict_proba": [[0.5, 0.5]]}
    )
    assert answer["outputs"] == [
        {"name": "predict", "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 8}},
        {"name": "predict_proba", "datatype": "FP64", "shape": [1, 2], "data": [0.5, 0.5]},
    ]
    assert rest == b"\3\0\0\0\0\0\0\0"
    assert headers[b"content-type"] == b"application/octet-stream"
    assert headers[b"inference-header-content-length"] == b"%d" % len(json.dumps(answer, separators=(",", ":")))


def test_an_output_may_be_json_where_the_others_are_binary() -> None:
    asked = [{"name": "predict", "parameters": {"binary_data": False}}, {"name": "predict_proba"}]
    inference = read(TREE, rows([1, 2], outputs=asked, parameters={"binary_data_output": True}))
    assert [output.binary for output in inference.outputs] == [False, True]


def test_texts_answered() -> None:
    result = {"predict": ["nö", None]}
    table = TEXT.model_copy(update={"methods": {"predict": method(spec("predict", "string"))}})
    answer, _, _ = written(read(table, rows(["a"], [1], "BYTES")), result)
    assert answer["outputs"] == [{"name": "predict", "datatype": "BYTES", "shape": [2], "data": ["nö", None]}]
    binary = read(table, rows(["a"], [1], "BYTES", parameters={"binary_data_output": True}))
    answer, _, rest = written(binary, result)
    assert answer["outputs"][0]["parameters"] == {"binary_data_size": 11}
    assert rest == prefixed("nö", "")


def test_what_is_of_several_types_is_answered_as_texts() -> None:
    mixed = TEXT.model_copy(update={"methods": {"predict": method(spec("predict", "category"))}})
    answer, _, _ = written(read(mixed, rows(["a"], [1], "BYTES")), {"predict": ["a", 1, True, 0.5, None]})
    assert answer["outputs"][0]["data"] == ["a", "1", "true", "0.5", None]


def test_a_float32_answer_is_the_double_that_score_answers() -> None:
    request = {"inputs": [one("steps", "FP32", [1, 1, 2], [1, 2])]}
    answer, _, _ = written(read(SEQUENCE, request), {"predict": [[0.10000000149011612]]})
    assert answer["outputs"][0]["data"] == [0.10000000149011612]
    answer, _, rest = written(
        read(SEQUENCE, request | {"parameters": {"binary_data_output": True}}), {"predict": [[0.10000000149011612]]}
    )
    assert (answer["outputs"][0]["datatype"], rest) == ("FP32", np.array([0.1], "f4").tobytes())


def test_the_outputs_of_a_network_are_answered_by_name() -> None:
    request = {"inputs": [one("ids", "INT32", [1, 2], [4, 5]), one("numbers", "FP32", [1, 3], [1, 2, 3])]}
    answer, _, _ = written(read(NETWORK, request), {"predict": {"kind": [[1.0, 2.0, 3.0]], "price": [[9.0]]}})
    assert [(item["name"], item["shape"], item["data"]) for item in answer["outputs"]] == [
        ("price", [1, 1], [9.0]),
        ("kind", [1, 3], [1.0, 2.0, 3.0]),
    ]


@pytest.mark.parametrize("result", [{"predict": [0.5]}, {"predict": [True]}, {"predict": ["a"]}, {"other": [1]}, None])
def test_what_the_signature_does_not_promise_is_not_sent(result: Any) -> None:
    inference = read(TREE, rows([1, 2], outputs=[{"name": "predict"}]))
    with pytest.raises((KeyError, TypeError, ValueError)):
        encode(inference, [result], name="m", version="7")


# Refusals


def changed(change: Callable[[dict[str, Any]], object], signature: Signature = TREE) -> str:
    request = rows([1, 2])
    change(request)
    return refused(signature, request)


def given_input(**changes: Any) -> str:
    return changed(lambda request: request["inputs"][0].update(changes))


def test_what_is_no_request() -> None:
    for body, message in [
        (b"", "The request is not JSON: Input is a zero-length, empty document: line 1 column 1 (char 0)."),
        (b"[NaN", "The request is not JSON: Expecting ',' delimiter: line 1 column 5 (char 4)."),
        (
            b"\xffNaN",
            "The request is not JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte.",
        ),
        (b"3", "The request is 3, it must be an object."),
        (b"{}", "inputs is missing, it must be a list of objects."),
        (b'{"inputs": {}}', "inputs is an object, it must be a list of objects."),
        (b'{"inputs": [1]}', "inputs[0] is 1, it must be an object."),
        (b'{"inputs": [{}]}', "inputs[0].name is null, it must be a string."),
        (b'{"inputs": []}', "inputs has no 'data'; the model takes data."),
        (b'{"inputs": [{"name": "data"}]}', "inputs[0] has no data, and no parameters.binary_data_size."),
    ]:
        with pytest.raises(RequestError) as caught:
            decode(TREE, body, None)
        assert (caught.value.status, caught.value.message) == (400, message)


@pytest.mark.parametrize(
    "body", [b"[" * 5000, b'{"a":' * 5000, b"[NaN," + b"[" * 100_000], ids=["lists", "objects", "NaN"]
)
def test_depth_bombs(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        decode(TREE, body, None)
    assert caught.value.status == 400


def test_half_a_character_is_refused() -> None:
    for body in (b'{"id": "\\ud800"}', b'{"id": "\\ud800", "a": NaN}'):
        with pytest.raises(RequestError, match=r"The request is not JSON: .*surrogate") as caught:
            decode(TREE, body, None)
        assert caught.value.status == 400


def test_a_length_beyond_the_body() -> None:
    with pytest.raises(RequestError) as caught:
        decode(TREE, b"{}", 3)
    assert caught.value.message == "Inference-Header-Content-Length is 3, but the body has 2 bytes."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "rows"}, 'inputs[0].name is "rows"; the model takes data.'),
        ({"datatype": "BOOL"}, "inputs[0].datatype is BOOL; the input 'data' is FP64."),
        ({"datatype": "BYTES"}, "inputs[0].datatype is BYTES; the input 'data' is FP64."),
        (
            {"datatype": "FLOAT"},
            'inputs[0].datatype is "FLOAT", it must be one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, '
            "INT64, FP16, FP32, FP64, BYTES.",
        ),
        ({"shape": 2}, "inputs[0].shape is 2, it must be a list of whole numbers like [-1, 2]."),
        ({"shape": [1, 2.0]}, "inputs[0].shape[1] is 2.0, it must be a whole number from 1 up."),
        ({"shape": [-1, 2]}, "inputs[0].shape[0] is -1, it must be a whole number from 1 up."),
        ({"shape": [0, 2]}, "inputs[0].shape[0] is 0, it must be a whole number from 1 up."),
        ({"shape": [True, 2]}, "inputs[0].shape[0] is true, it must be a whole number from 1 up."),
        ({"shape": [2**63, 2]}, "inputs[0].shape[0] is 9223372036854775808, it must be a whole number from 1 up."),
        ({"shape": [2]}, "inputs[0].shape is [2]; the input 'data' takes [-1, 2], -1 being any size."),
        ({"shape": [1, 3]}, "inputs[0].shape is [1, 3]; the input 'data' takes [-1, 2], -1 being any size."),
        ({"shape": []}, "inputs[0].shape is []; the input 'data' takes [-1, 2], -1 being any size."),
        (
            {"shape": [1] * 9},
            "inputs[0].shape is [1, 1, 1, 1, 1, 1, 1, 1, …]; the input 'data' takes [-1, 2], -1 being any size.",
        ),
        ({"shape": [2**62, 2]}, "inputs[0].data has 2 values, its shape asks for 9223372036854775808."),
        ({"data": 1}, "inputs[0].data is 1, it must be a list."),
        ({"data": [1]}, "inputs[0].data has 1 values, its shape asks for 2."),
        ({"data": []}, "inputs[0].data has 0 values, its shape asks for 2."),
        ({"data": [[1]]}, "inputs[0].data[0] has 1 values, its shape asks for 2."),
        ({"data": [[1, 2], [3, 4]]}, "inputs[0].data has 2 values, its shape asks for 1."),
        ({"data": [[1, "a" * 50]]}, f'inputs[0].data[0][1] is "{"a" * 39}…, FP64 takes a number.'),
        ({"data": [1, True]}, "inputs[0].data[1] is true, FP64 takes a number."),
        ({"data": [1, [2]]}, "inputs[0].data[1] is a list, FP64 takes a number."),
        ({"data": [[1, [2]]]}, "inputs[0].data[0][1] is a list, FP64 takes a number."),
        ({"data": [1, 2.5], "datatype": "INT8"}, "inputs[0].data[1] is 2.5, INT8 takes a whole number."),
        ({"data": [1, 300], "datatype": "UINT8"}, "inputs[0].data[1] is 300, which does not fit UINT8."),
        ({"data": [None, -1], "datatype": "UINT64"}, "inputs[0].data[1] is -1, which does not fit UINT64."),
        ({"data": [1, 1e39], "datatype": "FP32"}, "inputs[0].data[1] is 1e+39, which does not fit FP32."),
        ({"data": [70000, 1], "datatype": "FP16"}, "inputs[0].data[0] is 70000, which does not fit FP16."),
        ({"parameters": 1}, "inputs[0].parameters is 1, it must be an object."),
        (
            {"parameters": {"shared_memory_region": "x"}},
            "inputs[0].parameters has shared_memory_region; the service takes no part in shared memory.",
        ),
        (
            {"parameters": {"binary_data_size": -1}},
            "inputs[0].parameters.binary_data_size is -1, it must be a number of bytes.",
        ),
        (
            {"parameters": {"binary_data_size": 0}},
            "inputs[0] has data and parameters.binary_data_size, it must have one of them.",
        ),
    ],
)
def test_an_input_that_is_wrong(changes: dict[str, Any], message: str) -> None:
    assert given_input(**changes) == message


def test_a_number_too_large_for_any_float() -> None:
    body = json.dumps(rows([math.nan, 10**400])).encode()
    with pytest.raises(RequestError) as caught:
        decode(TREE, body, None)
    assert caught.value.message == f"inputs[0].data[1] is 1{'0' * 39}…, which does not fit FP64."


def test_nested_lists_that_are_uneven() -> None:
    def steps(data: Any) -> str:
        return refused(SEQUENCE, {"inputs": [one("steps", "FP32", [1, 2, 2], data)]})

    assert steps([[[1, 2], 3]]) == "inputs[0].data[0][1] is 3, it must be 2 values."
    assert steps([[[1, 2], [3]]]) == "inputs[0].data[0][1] has 1 values, its shape asks for 2."
    assert steps([[1, 2, 3, 4]]) == "inputs[0].data[0] has 4 values, its shape asks for 2."


def test_inputs_that_do_not_go_together() -> None:
    ids, numbers = one("ids", "INT32", [2, 2], [1, 2, 3, 4]), one("numbers", "FP32", [1, 3], [1, 2, 3])
    assert refused(NETWORK, {"inputs": [numbers, numbers]}) == 'inputs[1].name is "numbers", as inputs[0].name is.'
    assert refused(NETWORK, {"inputs": [numbers]}) == "inputs has no 'ids'; the model takes numbers, ids."
    assert (
        refused(NETWORK, {"inputs": [numbers, ids]})
        == "inputs[1].shape has 2 rows, inputs[0].shape 1; they must be equal."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": 7}, "id is 7, it must be a string."),
        ({"outputs": {}}, "outputs is an object, it must be a list of objects."),
        ({"outputs": [{"name": "x"}]}, 'outputs[0].name is "x"; the model has predict, predict_proba.'),
        (
            {"outputs": [{"name": "predict", "parameters": {"binary_data": 1}}]},
            "outputs[0].parameters.binary_data is 1, it must be true or false.",
        ),
        (
            {"outputs": [{"name": "predict", "parameters": {"classification": 3}}]},
            "outputs[0].parameters has classification, which the service does not offer: ask for the output itself.",
        ),
        ({"parameters": []}, "parameters is a list, it must be an object."),
        (
            {"parameters": {"binary_data_output": "yes"}},
            'parameters.binary_data_output is "yes", it must be true or false.',
        ),
        ({"parameters": {"method": []}}, "parameters.method is a list; the model has predict, predict_proba."),
        (
            {"parameters": {"method": "predict"}, "outputs": [{"name": "predict_proba"}]},
            "outputs[0] is 'predict_proba', an output of predict_proba; parameters.method is 'predict'.",
        ),
    ],
)
def test_a_request_that_is_wrong(changes: dict[str, Any], message: str) -> None:
    assert changed(lambda request: request.update(changes)) == message


@pytest.mark.parametrize(
    ("size", "binary", "message"),
    [
        (
            16,
            bytes(15),
            "inputs[0].parameters.binary_data_size is 16, but 15 bytes are left behind the JSON; "
            "Inference-Header-Content-Length must say where it ends.",
        ),
        (16, bytes(17), "The body goes on for 1 bytes that no input's binary_data_size counts."),
        (
            8,
            bytes(8),
            "inputs[0].parameters.binary_data_size is 8; its shape asks for 2 FP64 values, which take 16 bytes.",
        ),
    ],
)
def test_binary_sizes_that_do_not_add_up(size: int, binary: bytes, message: str) -> None:
    item = {"name": "data", "datatype": "FP64", "shape": [1, 2], "parameters": {"binary_data_size": size}}
    assert refused(TREE, {"inputs": [item]}, binary) == message


@pytest.mark.parametrize(
    ("binary", "message"),
    [
        (prefixed("a"), "inputs[0]: the binary data have 1 elements, its shape asks for 2."),
        (prefixed("a", "b", "c"), "inputs[0]: the binary data go on for 5 bytes after the 2 elements of its shape."),
        (prefixed("a", "b")[:-1], "inputs[0]: the binary data end inside the element 1."),
        (prefixed("a") + b"\0\0", "inputs[0]: the binary data end inside the element 1."),
        (prefixed("a") + b"\xff\xff\xff\xff", "inputs[0]: the binary data end inside the element 1."),
        (
            prefixed("a") + b"\1\0\0\0\xff",
            "inputs[0]: the binary element 1 is not UTF-8: "
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte.",
        ),
    ],
)
def test_binary_texts_that_are_wrong(binary: bytes, message: str) -> None:
    item = {"name": "data", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(binary)}}
    assert refused(TEXT, {"inputs": [item]}, binary) == message


# Properties


def of_datatype(kind: str) -> Signature:
    """A model of one input and one output of a datatype, which answers its input."""
    dtype = {"BYTES": "string"}.get(kind, NUMPY[kind])
    return Signature(
        layout="tensors",
        inputs=(spec("x", dtype, 2),),
        methods={"predict": method(spec("y", dtype, 2))},
        default_method="predict",
    )


@st.composite
def tensors(draw: st.DrawFn) -> tuple[str, Any]:
    kind = draw(st.sampled_from(list(NUMPY)))
    count = draw(st.integers(1, 4))
    if kind == "BYTES":
        texts = draw(
            st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=count * 2, max_size=count * 2)
        )
        array = np.empty((count, 2), dtype=object)
        array[:] = np.array(texts, dtype=object).reshape(count, 2)
        return kind, array
    return kind, draw(npst.arrays(NUMPY[kind], (count, 2)))


def plain(array: Any) -> list[Any]:
    """Rows as JSON has them: doubles, None for NaN."""
    if array.dtype.kind != "f":
        return list(array.tolist())
    return [[None if math.isnan(value) else float(value) for value in row] for row in array]


def raw(array: Any) -> bytes:
    return prefixed(*array.ravel().tolist()) if array.dtype.kind == "O" else bytes(array.tobytes())


@given(tensors())
def test_every_datatype_goes_in_and_comes_out(tensor: tuple[str, Any]) -> None:
    kind, array = tensor
    signature = of_datatype(kind)
    described = {"name": "x", "datatype": kind, "shape": list(array.shape)}
    flat = [item.item() if hasattr(item, "item") else item for item in array.ravel()]
    from_json = read(signature, {"inputs": [described | {"data": flat}]})
    nested = read(signature, {"inputs": [described | {"data": array.tolist()}]})
    binary = raw(array)
    request = {
        "inputs": [described | {"parameters": {"binary_data_size": len(binary)}}],
        "parameters": {"binary_data_output": True},
    }
    from_binary = read(signature, request, binary)
    assert from_json.texts == nested.texts == from_binary.texts
    data = json.loads(from_json.texts[0])["data"]
    assert data == plain(array)

    words = [
        [{math.inf: "Infinity", -math.inf: "-Infinity"}.get(v, v) if kind[0] == "F" else v for v in r] for r in data
    ]
    answer, _, _ = written(from_json, {"predict": words})
    (output,) = answer["outputs"]
    assert output["datatype"] == kind
    assert np.array(output["data"], dtype=object).reshape(output["shape"]).tolist() == words
    answer, _, rest = written(from_binary, {"predict": words})
    assert answer["outputs"] == [
        {"name": "y", "datatype": kind, "shape": list(array.shape), "parameters": {"binary_data_size": len(binary)}}
    ]
    if kind.startswith("FP"):
        np.testing.assert_array_equal(np.frombuffer(rest, NUMPY[kind]).reshape(array.shape), array)
    else:
        assert rest == binary


SIGNATURES = st.sampled_from([TREE, TABLE, TEXT, NETWORK, SEQUENCE, TEXTS_IN, TWO])
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*NUMPY, "data", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def only_refusals(signature: Signature, body: bytes, length: int | None) -> None:
    try:
        inference = decode(signature, body, length)
    except RequestError as error:
        assert error.status == 400
        assert len(error.message) < 5000
        assert error.message.endswith(".")
        oip.error_body(error.message).decode()
    else:
        for text in inference.texts:
            json.loads(text.encode())


@given(SIGNATURES, st.binary(), st.none() | st.integers(0, 50))
def test_any_bytes_are_read_or_refused(signature: Signature, body: bytes, length: int | None) -> None:
    only_refusals(signature, body, length)


@given(SIGNATURES, st.data())
def test_any_requests_are_read_or_refused(signature: Signature, data: st.DataObject) -> None:
    def value(usual: Any) -> Any:
        return data.draw(JSON_VALUES) if data.draw(st.integers(0, 5)) == 0 else usual

    binary = b""
    inputs = []
    for item in signature.inputs:
        kind = value(oip.model_metadata(manifest(signature))["inputs"][signature.inputs.index(item)]["datatype"])
        given_ = {"name": value(item.name), "datatype": kind, "shape": value([size or 1 for size in item.shape])}
        if data.draw(st.booleans()):
            piece = data.draw(st.binary(max_size=30))
            given_["parameters"] = value({"binary_data_size": value(len(piece))})
            binary += piece
        else:
            given_["data"] = value([data.draw(JSON_VALUES) for _ in range(data.draw(st.integers(1, 3)))])
        inputs.append(value(given_))
    request = {
        "id": value("id"),
        "inputs": value(inputs),
        "outputs": value([{"name": value(next(iter(signature.methods.values())).outputs[0].name)}]),
        "parameters": value({"method": value("predict"), "binary_data_output": value(True)}),
    }
    head = json.dumps(value(request), ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass")
    only_refusals(signature, head + binary, data.draw(st.sampled_from([len(head), None])))
