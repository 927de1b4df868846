"""Clients of the Open Inference Protocol, unpatched, against /v2: their answers are those of /score."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from scorewright.bundle import Bundle
from scorewright.score.generator import generate
from tests.contract import kserve_client
from tests.score import small_models
from tests.service.servers import WAIT_SECONDS, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.examples_run import Example

ROW = [13.21, 25.25, 84.1, 537.9]
ROWS = np.array([ROW, [20.0, 20.0, 130.0, 1200.0]] * 100)
"""So many that request and answer are over 1 KB, and so compressed."""

WAYS = [None, "gzip", "deflate"]


@dataclass(frozen=True)
class Served:
    """A bundle behind a real server."""

    url: str
    bundle: Bundle

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def name(self) -> str:
        return self.bundle.manifest.name

    def score(self, data: Any, method: str) -> Any:
        """What /score answers to these rows."""
        answer = httpx.post(f"{self.url}/score", json={"data": data, "method": method}, timeout=WAIT_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()[method]


def served(bundle: Path) -> Iterator[Served]:
    with serving() as serve:
        yield Served(serve(str(bundle)).ready().url, Bundle.load(bundle))


@pytest.fixture(scope="module")
def tree(breast_cancer: Example) -> Iterator[Served]:
    yield from served(breast_cancer.bundle)


@pytest.fixture(scope="module")
def network(cifar10: Example) -> Iterator[Served]:
    yield from served(cifar10.bundle)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    model, sample = small_models.table_of_everything()
    folder = tmp_path_factory.mktemp("v2") / "table"
    yield from served(generate(model, sample, name="table", version="2.1", out=folder).root)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    model, sample = small_models.words()
    yield from served(generate(model, sample, name="words", out=tmp_path_factory.mktemp("v2") / "words").root)


def inputs(arrays: Mapping[str, Any], *, binary: bool) -> list[Any]:
    made = []
    for name, array in arrays.items():
        item = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        made.append(item.set_data_from_numpy(array, binary_data=binary))
    return made


def outputs(*names: str, binary: bool) -> list[Any]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def infer(at: Served, arrays: Mapping[str, Any], *names: str, binary: bool, **more: Any) -> Any:
    """Ask tritonclient; data and answers binary or JSON."""
    with triton.InferenceServerClient(at.address) as client:
        asked = outputs(*names, binary=binary) or None
        return client.infer(at.name, inputs(arrays, binary=binary), outputs=asked, **more)


# tritonclient, the synchronous


def test_what_the_server_is(tree: Served) -> None:
    with triton.InferenceServerClient(tree.address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("breast-cancer")
        assert client.is_model_ready("breast-cancer", "1")
        assert not client.is_model_ready("breast-cancer", "2")
        assert not client.is_model_ready("another")
        assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
        metadata = client.get_model_metadata("breast-cancer")
        assert metadata == client.get_model_metadata("breast-cancer", "1")
    assert metadata["name"], metadata["versions"] == ("breast-cancer", ["1"])
    assert metadata["inputs"] == [{"name": "data", "datatype": "FP64", "shape": [-1, 4]}]
    assert {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]} in metadata["outputs"]


@pytest.mark.parametrize("answer", WAYS)
@pytest.mark.parametrize("request_", WAYS)
@pytest.mark.parametrize("binary", [True, False])
def test_rows_in_every_form(tree: Served, binary: bool, request_: str | None, answer: str | None) -> None:
    result = infer(
        tree,
        {"data": ROWS},
        *("predict_proba", "predict"),
        binary=binary,
        model_version="1",
        request_id="mine",
        request_compression_algorithm=request_,
        response_compression_algorithm=answer,
    )
    assert result.get_response()["id"] == "mine"
    assert result.get_response()["model_name"] == "breast-cancer"
    assert result.get_response()["model_version"] == "1"
    assert [item["name"] for item in result.get_response()["outputs"]] == ["predict_proba", "predict"]
    for method in ("predict_proba", "predict"):
        assert result.as_numpy(method).tolist() == tree.score(ROWS.tolist(), method)


def test_the_default_method_answers_where_no_output_is_asked_for(tree: Served) -> None:
    result = infer(tree, {"data": ROWS}, binary=True)
    (output,) = result.get_response()["outputs"]
    assert output["parameters"] == {"binary_data_size": 200 * 2 * 8}
    assert result.as_numpy("predict_proba").tolist() == tree.score(ROWS.tolist(), "predict_proba")
    chosen = infer(tree, {"data": ROWS}, binary=True, parameters={"method": "predict"})
    assert chosen.as_numpy("predict").tolist() == tree.score(ROWS.tolist(), "predict")


@pytest.mark.parametrize("binary", [True, False])
def test_missing_and_infinite_numbers(tree: Served, binary: bool) -> None:
    rows = np.array([[13.21, np.nan, 84.1, 537.9], ROWS[1]])
    result = infer(tree, {"data": rows}, "predict_log_proba", binary=binary)
    score = tree.score([[13.21, None, 84.1, 537.9], ROWS[1].tolist()], "predict_log_proba")
    assert score[1] == [0.0, "-Infinity"]
    expected = [[float(value) for value in row] for row in score]
    assert result.as_numpy("predict_log_proba").tolist() == expected


@pytest.mark.parametrize("dtype", ["float16", "float32", "int16", "uint8"])
def test_other_numbers_are_taken_for_what_they_are(tree: Served, dtype: str) -> None:
    rows = np.array([[13.2, 25.25, 84.1, 200]]).astype(dtype)
    result = infer(tree, {"data": rows}, "predict_proba", binary=True)
    assert result.as_numpy("predict_proba").tolist() == tree.score(rows.tolist(), "predict_proba")


def test_what_is_refused(tree: Served) -> None:
    with triton.InferenceServerClient(tree.address) as client:

        def refused(name: str = tree.name, rows: Any = ROWS, asked: Any = None, **more: Any) -> tuple[str, str]:
            with pytest.raises(InferenceServerException) as caught:
                client.infer(name, inputs({"data": rows}, binary=True), outputs=asked, **more)
            return caught.value.status(), caught.value.message()

        assert refused("x") == ("404", "There is no model 'x'; the service has 'breast-cancer'.")
        assert refused(model_version="9") == (
            "404",
            "There is no version '9' of the model 'breast-cancer'; the service has '1'.",
        )
        assert refused(rows=ROWS[:, :3]) == (
            "400",
            "inputs[0].shape is [200, 3]; the input 'data' takes [-1, 4], -1 being any size.",
        )
        assert refused(asked=outputs("transform", binary=True)) == (
            "400",
            'outputs[0].name is "transform"; the model has predict, predict_proba, predict_log_proba.',
        )
        assert refused(rows=np.full((1, 4), 1e39)) == (
            "400",
            "data[0][0] (mean radius) is 1e+39, the model takes numbers up to 3.4028234e+38",
        )
        with pytest.raises(InferenceServerException, match="There is no model 'x'"):
            client.get_model_metadata("x")
        ranked = [triton.InferRequestedOutput("predict", class_count=2)]
        assert refused(asked=ranked)[1].startswith("outputs[0].parameters has classification")


def test_many_at_once(tree: Served) -> None:
    with triton.InferenceServerClient(tree.address, concurrency=8) as client:
        waiting = [
            client.async_infer(tree.name, inputs({"data": ROWS[: count + 1]}, binary=True), request_id=str(count))
            for count in range(20)
        ]
        results = [request.get_result() for request in waiting]
    expected = tree.score(ROWS[:20].tolist(), "predict_proba")
    for count, result in enumerate(results):
        assert result.get_response()["id"] == str(count)
        assert result.as_numpy("predict_proba").tolist() == expected[: count + 1]


RECORDS: list[dict[str, Any]] = [
    {"age": 31, "city": "Bonn", "street": "a", "since": "2020-01-01", "member": True, "size": "S", "rooms": 1},
    {"age": 45.5, "city": "Köln", "street": "b", "since": "2021-06-30", "member": False, "size": "M", "rooms": 2},
    {"age": None, "city": "Bonn", "street": "ü", "since": "2020-01-01", "member": True, "size": "L", "rooms": 3},
]
DTYPES = {"age": "float64", "member": "bool", "rooms": "int64"}


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_columns(table: Served, binary: bool, shape: tuple[int, ...]) -> None:
    columns = {
        name: np.array([record[name] for record in RECORDS], dtype=DTYPES.get(name, "object")).reshape(shape)
        for name in RECORDS[0]
    }
    result = infer(table, columns, "predict", "decision_function", binary=binary, model_version="2.1")
    assert [text.decode() if binary else text for text in result.as_numpy("predict")] == table.score(RECORDS, "predict")
    assert result.as_numpy("decision_function").tolist() == table.score(RECORDS, "decision_function")


@pytest.mark.parametrize("binary", [True, False])
def test_texts(words: Served, binary: bool) -> None:
    texts = ["gut", "very good", "", "sehr schön 😀"]
    result = infer(words, {"data": np.array(texts, dtype=object)}, "predict_proba", binary=binary)
    assert result.as_numpy("predict_proba").tolist() == words.score(texts, "predict_proba")


@pytest.mark.keras
@pytest.mark.parametrize("binary", [True, False])
def test_images(network: Served, binary: bool) -> None:
    images = np.random.default_rng(0).random((3, 32, 32, 3), dtype="float32")
    result = infer(network, {"image": images}, "predict", binary=binary)
    output = result.get_output("predict")
    assert (output["datatype"], output["shape"]) == ("FP32", [3, 10])
    assert result.as_numpy("predict").tolist() == network.score(images.tolist(), "predict")


# tritonclient, the asynchronous


@pytest.mark.parametrize("answer", WAYS)
@pytest.mark.parametrize("request_", WAYS)
@pytest.mark.parametrize("binary", [True, False])
def test_rows_asynchronously(tree: Served, binary: bool, request_: str | None, answer: str | None) -> None:
    async def ask() -> Any:
        async with triton_aio.InferenceServerClient(tree.address) as client:
            return await client.infer(
                tree.name,
                inputs({"data": ROWS}, binary=binary),
                outputs=outputs("predict_proba", binary=binary),
                request_id="mine",
                request_compression_algorithm=request_,
                response_compression_algorithm=answer,
            )

    result = asyncio.run(ask())
    assert result.get_response()["id"] == "mine"
    assert result.as_numpy("predict_proba").tolist() == tree.score(ROWS.tolist(), "predict_proba")


def test_the_rest_asynchronously(tree: Served) -> None:
    async def ask() -> tuple[Any, ...]:
        async with triton_aio.InferenceServerClient(tree.address) as client:
            told = (
                await client.is_server_live(),
                await client.is_server_ready(),
                await client.is_model_ready(tree.name, "1"),
                await client.is_model_ready("another"),
            )
            with pytest.raises(InferenceServerException) as caught:
                await client.infer("another", inputs({"data": ROWS}, binary=True))
            return told, await client.get_model_metadata(tree.name), caught.value.message()

    told, metadata, message = asyncio.run(ask())
    assert told == (True, True, True, False)
    assert metadata["inputs"] == [{"name": "data", "datatype": "FP64", "shape": [-1, 4]}]
    assert message == "There is no model 'another'; the service has 'breast-cancer'."


# kserve's InferenceRESTClient, in an environment of its own


@pytest.mark.kserve
@pytest.mark.parametrize("binary", [True, False])
def test_kserve(tree: Served, words: Served, binary: bool) -> None:
    texts = ["very good", "bad"]
    told = kserve_client.ask(
        {"url": tree.url, "model": tree.name, "datatype": "FP64", "data": ROWS.tolist(), "binary": binary},
        {"url": words.url, "model": words.name, "datatype": "BYTES", "data": texts, "binary": binary},
    )
    of_tree, of_words = told
    for answer in told:
        assert (answer["live"], answer["ready"], answer["model_ready"], answer["another_ready"]) == (
            True,
            True,
            True,
            False,
        )
        assert answer["id"] == "mine"
    assert of_tree["outputs"] == {
        "predict": tree.score(ROWS.tolist(), "predict"),
        "predict_proba": tree.score(ROWS.tolist(), "predict_proba"),
    }
    assert of_words["outputs"] == {
        "predict": words.score(texts, "predict"),
        "predict_proba": words.score(texts, "predict_proba"),
    }
    assert "There is no model 'another'; the service has 'breast-cancer'., '404 Not Found'" in of_tree["error"]


# What the clients do not show


def test_an_answer_is_compressed_as_it_is_asked_for(tree: Served) -> None:
    request = {"inputs": [{"name": "data", "datatype": "FP64", "shape": [200, 4], "data": ROWS.ravel().tolist()}]}
    url = f"{tree.url}/v2/models/{tree.name}/infer"
    for accepted, chosen in (("gzip", "gzip"), ("deflate", "deflate"), ("gzip;q=0, deflate", "deflate"), ("br", None)):
        answer = httpx.post(url, json=request, headers={"accept-encoding": accepted})
        assert answer.headers.get("content-encoding") == chosen
        assert (answer.headers.get("vary") == "Accept-Encoding") == (chosen is not None)
        assert answer.json()["outputs"][0]["shape"] == [200, 2]
    asked = request | {"parameters": {"binary_data_output": True}}
    answer = httpx.post(url, json=asked, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-type"] == "application/octet-stream"
    head = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.content[:head])["outputs"][0]["parameters"] == {"binary_data_size": 3200}
    assert len(answer.content) == head + 3200
