"""Inference requests in the scorer: what run() and run_many() are given, and what becomes of their answers."""

from __future__ import annotations

import gzip
import json
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from scorewright.contract.run_form import RunForm
from scorewright.contract.script import EntryScript
from scorewright.service import frames, head
from scorewright.service.calls import Calls
from scorewright.service.channel import Channel
from scorewright.service.log import Current
from scorewright.service.protocols.bounds import Bounds
from scorewright.service.scoring import Scorer
from scorewright.service.status import Status
from scorewright.service.v2_calls import V2Calls
from tests.aml import AMLResponse
from tests.service.protocols.test_oip import TREE, manifest, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorewright.service.frames import Scored

BOTH = [{"name": "predict"}, {"name": "predict_proba"}]


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def told(**headers: str) -> bytes:
    return orjson.dumps({"protocol": head.V2, **{name.replace("_", "-"): value for name, value in headers.items()}})


def answers(
    channel: tuple[socket.socket, socket.socket],
    requests: list[tuple[bytes, bytes]],
    run: Callable[[str], Any],
    run_many: Callable[[list[str]], Any] | None = None,
) -> list[Scored]:
    """What a scorer with these functions answers to (head, body), in the order of the requests."""
    ours, theirs = channel
    script = EntryScript(Path("score.py"), lambda: None, run, RunForm.of(run), run_many)
    calls = Calls(script, V2Calls(script, lambda: manifest(TREE), 10_000, Bounds(64)))
    logger = logging.getLogger("scorer")
    scorer = Scorer(script, calls, Status.create(), silence=60, current=Current(), logger=logger)
    scorer.score(
        Channel(theirs),
        [frames.Request(f"id-{n}", memoryview(of), memoryview(body)) for n, (of, body) in enumerate(requests)],
    )
    came: list[Scored] = []
    stream = Channel(ours)
    while len(came) < len(requests):
        frame = stream.read()
        assert frame is not None
        came += frames.unpack_scored(frame[1])
    return sorted(came)


def body(*values: float, **more: Any) -> bytes:
    return json.dumps(rows(list(values), **more)).encode()


def run(raw: str) -> Any:
    """Answers the first value; refuses 7."""
    request = json.loads(raw)
    value = request["data"][0][0]
    if value == 7:
        return AMLResponse({"message": "data[0][0] is 7"}, 400, json_str=True)
    return {request["method"]: [value] if request["method"] == "predict" else [[value, 0.5]]}


def whole(raw: str) -> Any:
    """The same with a whole number, as INT64 promises."""
    answer = run(raw)
    return {"predict": [int(answer["predict"][0])]} if isinstance(answer, dict) and "predict" in answer else answer


def data(scored: Scored) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in json.loads(scored.body)["outputs"]}


def test_run_is_called_once_for_each_method(channel: tuple[socket.socket, socket.socket]) -> None:
    (scored,) = answers(channel, [(told(), body(3, 4, outputs=BOTH))], whole)
    assert (scored.status, scored.failed, scored.headers) == (200, False, frames.JSON_HEADERS)
    assert data(scored) == {"predict": [3], "predict_proba": [3.0, 0.5]}


def test_run_many_is_given_the_texts_of_all(channel: tuple[socket.socket, socket.socket]) -> None:
    given: list[list[str]] = []

    def run_many(raws: list[str]) -> list[Any]:
        given.append(raws)
        return [whole(raw) for raw in raws]

    requests = [
        (told(), body(1, 2, outputs=BOTH)),
        (told(), b"{}"),
        (told(), body(7, 8)),
        (b"", b'{"data":[[9,9]],"method":"predict"}'),
    ]
    first, bad, refused, plain = answers(channel, requests, whole, run_many)
    assert given == [
        [
            '{"data":[[1.0,2.0]],"method":"predict"}',
            '{"data":[[1.0,2.0]],"method":"predict_proba"}',
            '{"data":[[7.0,8.0]],"method":"predict_proba"}',
            '{"data":[[9,9]],"method":"predict"}',
        ]
    ]
    assert data(first) == {"predict": [1], "predict_proba": [1.0, 0.5]}
    assert (bad.status, json.loads(bad.body)) == (400, {"error": "inputs is missing, it must be a list of objects."})
    assert (refused.status, json.loads(refused.body)) == (400, {"error": "data[0][0] is 7"})
    assert (plain.status, json.loads(plain.body)) == (200, {"predict": [9]})


def test_a_refusal_of_one_method_is_the_answer(channel: tuple[socket.socket, socket.socket]) -> None:
    (scored,) = answers(channel, [(told(), body(7, 8, outputs=BOTH))], whole)
    assert (scored.status, scored.failed, json.loads(scored.body)) == (400, False, {"error": "data[0][0] is 7"})


def test_bodies_are_decompressed_and_answers_compressed(channel: tuple[socket.socket, socket.socket]) -> None:
    sent = gzip.compress(body(*range(1000), shape=[500, 2]))
    of = told(content_encoding="gzip", accept_encoding="gzip")

    def long(raw: str) -> Any:
        return {"predict_proba": json.loads(raw)["data"]}

    (scored,) = answers(channel, [(of, sent)], long)
    assert dict(scored.headers)[b"content-encoding"] == b"gzip"
    assert dict(scored.headers)[b"vary"] == b"Accept-Encoding"
    unpacked = scored._replace(body=gzip.decompress(scored.body))
    assert data(unpacked) == {"predict_proba": [float(value) for value in range(1000)]}


@pytest.mark.parametrize(
    ("of", "status", "message"),
    [
        (told(content_encoding="br"), 415, "Content-Encoding is 'br'; the service reads gzip, deflate and identity."),
        (
            told(inference_header_content_length="1e3"),
            400,
            "Inference-Header-Content-Length is '1e3', it must be a number of bytes.",
        ),
    ],
)
def test_heads_that_cannot_be_obeyed(
    of: bytes, status: int, message: str, channel: tuple[socket.socket, socket.socket]
) -> None:
    (scored,) = answers(channel, [(of, body(1, 2))], whole)
    assert (scored.status, scored.failed, json.loads(scored.body)) == (status, False, {"error": message})
    assert scored.milliseconds < 0


def test_a_mistake_in_the_reading_fails_its_request_alone(
    channel: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("scorewright.service.protocols.oip_inference.decode", lambda *_: 1 // 0)
    v2, plain = answers(channel, [(told(), body(1, 2)), (b"", b'{"data":[[9,9]],"method":"predict"}')], whole)
    assert (v2.status, v2.failed) == (500, True)
    assert json.loads(v2.body).keys() == {"error"}
    assert plain.status == 200
    assert "ZeroDivisionError" in caplog.text
