"""The generated scripts under azmlinfsrv and under ours: the same requests, the same answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scorewright.bundle import Bundle
from tests.contract.judge import judging, require_judge
from tests.service.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.examples_run import Example

pytestmark = pytest.mark.judge

HEADERS = ("content-type", "x-ms-run-function-failed")
"""What must be equal besides status and body; the others are ids, times and lengths."""


class Pair:
    """The same bundle behind both servers."""

    def __init__(self, judge: str, ours: str) -> None:
        self.judge, self.ours = judge, ours

    def answer(self, body: bytes) -> tuple[int, Any]:
        """Post to both; assert that the answers are equal, and return status and parsed body."""
        sent = {"content": body, "headers": {"Content-Type": "application/json"}, "timeout": 60.0}
        judge, ours = (httpx.post(f"{url}/score", **sent) for url in (self.judge, self.ours))  # type: ignore[arg-type]
        assert (ours.status_code, ours.json()) == (judge.status_code, judge.json())
        assert [ours.headers.get(name) for name in HEADERS] == [judge.headers.get(name) for name in HEADERS]
        return judge.status_code, judge.json()


@pytest.fixture(scope="module")
def tree(breast_cancer: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    yield from _pair(breast_cancer.bundle, tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="module")
def network(cifar10: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    yield from _pair(cifar10.bundle, tmp_path_factory.mktemp("judge"))


def _pair(bundle: Path, folder: Path) -> Iterator[Pair]:
    require_judge()
    with judging(bundle, folder / "azmlinfsrv.log") as judge, serving() as serve:
        yield Pair(judge, serve(str(bundle)).ready().url)


GOOD: list[dict[str, Any]] = [
    {"data": [13.21, 25.25, 84.1, 537.9]},
    {"data": [[13.21, 25.25, 84.1, 537.9], [20, 20, 130, 1200]]},
    {"data": [[13.21, 25.25, 84.1, None]], "method": "predict"},
    {"data": [[13.21, 25.25, 84.1, 537.9]], "method": "predict_log_proba"},
    {"data": {"mean area": 537.9, "mean perimeter": 84.1, "mean texture": 25.25, "mean radius": 13.21}},
    {
        "input_data": {
            "columns": ["mean area", "mean radius", "mean texture", "mean perimeter"],
            "index": [7],
            "data": [[537.9, 13.21, 25.25, 84.1]],
        },
        "method": "predict",
    },
]
BAD = [
    b'{"data": [[1, 2, 3]]}',
    b'{"data": [[1, 2, 3, "4"]]}',
    b'{"data": [[1, 2, 3, 1e400]]}',
    b'{"data": [[1, 2, 3, 4], [1, 2]]}',
    b'{"data": [{"mean radius": 1}]}',
    b'{"data": []}',
    b'{"data": [[1, 2, 3, 4]], "method": "transform"}',
    b'{"rows": [[1, 2, 3, 4]]}',
    b"[1, 2, 3, 4]",
    b"not json",
    b"null",
    b"{" * 50_000,
]


@pytest.mark.parametrize("request_", GOOD, ids=json.dumps)
def test_good_requests_to_the_tree(tree: Pair, request_: dict[str, Any]) -> None:
    status, answer = tree.answer(json.dumps(request_).encode())
    assert status == 200
    assert list(answer) == [request_.get("method", "predict_proba")]


@pytest.mark.parametrize("body", BAD, ids=lambda body: body[:40].decode())
def test_bad_requests_to_the_tree(tree: Pair, body: bytes) -> None:
    status, answer = tree.answer(body)
    assert status == 400
    assert list(answer) == ["message"]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe{}"], ids=["empty", "not UTF-8"])
def test_what_is_no_text_to_the_tree(tree: Pair, body: bytes) -> None:
    assert tree.answer(body)[0] == 400


def test_the_expected_response_is_the_judges_too(tree: Pair, breast_cancer: Example) -> None:
    bundle = Bundle.load(breast_cancer.bundle)
    body = bundle.path("sample_request.json").read_bytes()
    assert tree.answer(body) == (200, bundle.json("expected_response.json"))


@pytest.mark.keras
def test_images_to_the_network(network: Pair, cifar10: Example) -> None:
    bundle = Bundle.load(cifar10.bundle)
    sample = json.loads(bundle.path("sample_request.json").read_bytes())
    for data in (sample["data"], sample["data"][0], sample["data"] * 3, {"image": sample["data"]}):
        status, answer = network.answer(json.dumps({"data": data}).encode())
        assert status == 200
        for row in answer["predict"]:
            assert sum(row) == pytest.approx(1, abs=1e-5)


@pytest.mark.keras
@pytest.mark.parametrize("body", [b'{"data": [[[1, 2, 3]]]}', b'{"data": "x"}', b"{}", b"", b"nothing"])
def test_bad_requests_to_the_network(network: Pair, body: bytes) -> None:
    assert network.answer(body)[0] == 400
