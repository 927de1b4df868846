"""Inputs and outputs are collected as Azure's data collector has them, and cost no request anything."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from scorewright.service import collection
from scorewright.service.collection import CollectedData, Collecting, DataCollector
from tests.service.servers import serving, wait_until, write_bundle

SCRIPT = """
import pandas as pd
from azureml.ai.monitoring import Collector
from azureml.ai.monitoring.context import BasicCorrelationContext

import json


def init():
    global inputs, outputs
    inputs = Collector(name="model_inputs", on_error=lambda e: print("ex:", e))
    outputs = Collector(name="model_outputs")


def run(raw):
    frame = pd.DataFrame(json.loads(raw)["data"])
    context = inputs.collect(frame)
    frame["age"] = -1
    given = BasicCorrelationContext(id="of-its-own") if "own" in raw else context
    outputs.collect(pd.DataFrame({"label": [1]}), given)
    inputs.collect("no frame")
    return {"label": [1]}
"""

MANY = """
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

def run(raw):
    if raw == "pieces":
        return AMLResponse((piece for piece in ["a", "b"]), 200)
    return {"answer": raw} if raw != "fail" else 1 / 0
"""


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    """The records of a collection, in the order they were written in each file."""
    return [json.loads(line) for file in (folder / name).rglob("*.jsonl") for line in file.read_text().splitlines()]


def test_a_scripts_collector_and_the_setting_end_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    with serving(cwd=tmp_path) as serve:
        server = serve(
            *("--entry-script", "score.py", "--port", "0", "--http-workers", "2"),
            *("--collect-dir", "collected", "--collect-redact", "name"),
        ).ready()
        for request_id, body in (("r-1", [{"age": 1, "name": "n"}]), ("r-2", [{"age": 2, "own": 1}])):
            answer = httpx.post(server.url + "/score", json={"data": body}, headers={"x-request-id": request_id})
            assert answer.json() == {"label": [1]}
        assert server.end() == 0
        assert "ex: data type (str) not supported" in server.log
    root = tmp_path / "collected"
    asked = {event["xrequestid"]: event for event in events(root, "request")}
    answered = {event["xrequestid"]: event for event in events(root, "response")}
    assert asked.keys() == answered.keys() == {"r-1", "r-2"}
    first = asked["r-1"]
    assert first["data"] == {"data": [{"age": 1, "name": "[redacted]"}]}
    assert answered["r-1"]["data"] == {"label": [1]}
    assert first["correlationid"] == answered["r-1"]["correlationid"] == "r-1"
    assert first["specversion"] == "1.0"
    assert first["type"] == "azureml.inference.request"
    assert first["datacontenttype"] == "application/json"
    assert first["source"] == "/scorewright/ML service"
    inputs = {event["xrequestid"]: event for event in events(root, "model_inputs")}
    outputs = {event["xrequestid"]: event for event in events(root, "model_outputs")}
    assert inputs["r-1"]["data"] == [{"age": 1, "name": "[redacted]"}]
    assert inputs["r-1"]["correlationid"] == outputs["r-1"]["correlationid"] == "r-1"
    assert outputs["r-2"]["correlationid"] == "of-its-own"
    assert inputs["r-1"]["type"] == "azureml.inference.model_inputs"
    assert "DataFrame" in inputs["r-1"]["collectdatatype"]


def test_bundles_too_over_both_protocols_and_nothing_unless_asked_for(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", MANY)
    with serving(cwd=tmp_path) as serve:
        server = serve(str(bundle), SCOREWRIGHT_COLLECT_DIR=str(tmp_path / "kept")).ready()
        for body in ("fine", "fail", "pieces"):
            httpx.post(server.url + "/score", content=body, headers={"x-request-id": body})
        assert httpx.post(server.url + "/nowhere", content="x").status_code == 404
        tensor = {"name": "data", "shape": [1, 1], "datatype": "FP64", "data": [[1.5]]}
        infer = f"{server.url}/v2/models/hand-written/infer"
        httpx.post(infer, json={"inputs": [tensor]}, headers={"x-request-id": "v2"})
        assert server.end() == 0
        server = serve(str(bundle)).ready()
        assert httpx.post(server.url + "/score", content="fine").status_code == 200
        assert server.end() == 0
    asked = {event["xrequestid"]: event["data"] for event in events(tmp_path / "kept", "request")}
    assert asked.pop("v2") == {"inputs": [tensor]}
    assert asked == {word: word for word in ("fine", "fail", "pieces")}
    answers = {event["xrequestid"]: event["data"] for event in events(tmp_path / "kept", "response")}
    assert answers.keys() == {"fine", "fail", "v2"}
    assert answers["fine"] == {"answer": "fine"}
    assert "message" in answers["fail"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["bundle", "kept"]


def collector_of(told: Collecting) -> tuple[DataCollector, CollectedData]:
    data = CollectedData(Path(told.folder), told.max_bytes, logging.getLogger("test"))
    return DataCollector(told, data), data


def collecting(folder: Path, **more: Any) -> Collecting:
    told: dict[str, Any] = {"folder": str(folder), "sampling": 1.0, "redact": (), "max_bytes": 10**7}
    return Collecting(**told | {"source": "/s", "version": "1"} | more)


def test_a_request_is_sampled_with_its_answer(tmp_path: Path) -> None:
    collector, data = collector_of(collecting(tmp_path, sampling=0.3))
    for at in range(1000):
        collector.exchange(b"id-%d" % at, b"1", b"2", b"application/json")
        if at % 100 == 99:
            wait_until(lambda: data.idle)
    data.close()
    asked = {event["xrequestid"] for event in events(tmp_path, "request")}
    assert asked == {event["xrequestid"] for event in events(tmp_path, "response")}
    assert 250 < len(asked) < 350


@pytest.mark.parametrize(
    ("body", "redact", "kept"),
    [
        (b"text", (), {"data": "text"}),
        (b"\xff\xfe", (), {"data_base64": base64.b64encode(b"\xff\xfe").decode()}),
        (b"\xff\xfe", ("x",), {"data": "[redacted]"}),
        (b'{"x": 1, "y": NaN}', ("x",), {"data": "[redacted]"}),
        (b'{"x": 1, "y": 2}', ("x",), {"data": {"x": "[redacted]", "y": 2}}),
    ],
)
def test_what_cannot_be_redacted_is_not_kept(body: bytes, redact: tuple[str], kept: Any, tmp_path: Path) -> None:
    collector, data = collector_of(collecting(tmp_path, redact=redact))
    collector.exchange(b"id", body, None, b"")
    data.close()
    (event,) = events(tmp_path, "request")
    assert {key: value for key, value in event.items() if key.startswith("data") and key != "datacontenttype"} == kept


def test_what_has_no_room_is_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "QUEUED_RECORDS", 0)
    collector, data = collector_of(collecting(tmp_path))
    for _ in range(5):
        collector.exchange(b"id", b"1", b"2", b"")
    collector.exchange(b"id", b"x" * 2_000_000, None, b"")
    data.close()
    assert "11 records of collected data were dropped" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_said_and_costs_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    collector, data = collector_of(collecting(tmp_path / "file"))
    collector.exchange(b"id", b"1", b"2", b"")
    data.close()
    assert "records of collected data were dropped" in caplog.text
    assert "File exists" in caplog.text or "Not a directory" in caplog.text


def test_that_the_oldest_give_way_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    collector, data = collector_of(collecting(tmp_path, max_bytes=16_000))
    for _ in range(40):
        collector.exchange(b"id", b'"%s"' % (b"x" * 900), None, b"")
        wait_until(lambda: data.idle)
    data.close()
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.jsonl")) <= 16_000
    assert "Collected data has reached its 16000 bytes" in caplog.text
