"""Traces reach a receiver of OTLP, and are part of the client's trace; what cannot be sent costs no request."""

from __future__ import annotations

import base64
import json
import logging
import random
import re
import signal
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import sampling

from scorewright.bundle import MANIFEST
from scorewright.service.settings import Settings
from scorewright.service.target import Target
from scorewright.service.telemetry import Telemetry, sampler
from scorewright.service.tracing import Parent
from tests.service.receivers import OtlpReceiver, receiving
from tests.service.servers import serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Server

CLIENT_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT_SPAN = "00f067aa0ba902b7"

SCRIPT = """
import json

import opentelemetry.trace


def init():
    pass


def run(raw, request_headers):
    print("scored")
    if raw == "fail":
        raise ValueError("no")
    span = opentelemetry.trace.get_current_span().get_span_context()
    return {"headers": {name: value for name, value in request_headers.items() if name.lower().startswith("trace")},
            "current": f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"}
"""

MANY = """
import threading

def init():
    pass

def run(raw):
    return 1

def run_many(raws):
    print("together")
    return [len(raws) for raw in raws]
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with receiving(OtlpReceiver()) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(receiver: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("traced")
    (folder / "score.py").write_text(SCRIPT)
    with serving(cwd=folder) as serve:
        yield serve(
            *("--entry-script", "score.py", "--port", "0", "--http-workers", "2", "--access-log"),
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer a-secret",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=tests",
            OTEL_BSP_SCHEDULE_DELAY="20",
        ).ready()


def post(server: Server, body: str = "x", **headers: str) -> httpx.Response:
    return httpx.post(server.url + "/score", content=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def digits(value: str) -> str:
    return base64.b64decode(value).hex()


def test_a_request_is_part_of_the_clients_trace(server: Server, receiver: OtlpReceiver) -> None:
    state = "vendor=value,other=1"
    answer = post(
        server, traceparent=f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-01", tracestate=state, user_agent="ua", x_request_id="r-1"
    )
    assert answer.status_code == 200
    span = receiver.one("POST /score", CLIENT_TRACE)
    run, queue = receiver.one("run", CLIENT_TRACE), receiver.one("queue", CLIENT_TRACE)
    assert digits(span["parentSpanId"]) == CLIENT_SPAN
    assert span["kind"] == "SPAN_KIND_SERVER"
    assert span["traceState"] == run["traceState"] == state
    assert span["scope"] == "scorewright"
    told = span["attributes"]
    assert told["http.request.method"] == "POST"
    assert told["http.route"] == told["url.path"] == "/score"
    assert told["http.response.status_code"] == "200"
    assert told["url.scheme"] == "http"
    assert told["server.port"] == str(httpx.URL(server.url).port)
    assert told["user_agent.original"] == "ua"
    assert told["client.address"] == "127.0.0.1"
    assert told["scorewright.request_id"] == "r-1"
    assert span["resource"]["deployment.environment.name"] == "tests"
    assert span["resource"]["service.name"] == "ML service"
    assert queue["parentSpanId"] == run["parentSpanId"] == span["spanId"]
    assert run["attributes"] == {"scorewright.batch.size": "1", "scorewright.rows": "1"}
    times = [int(of[at]) for of, at in ((span, "startTimeUnixNano"), (queue, "startTimeUnixNano"))]
    times += [int(queue["endTimeUnixNano"]), int(run["startTimeUnixNano"])]
    times += [int(run["endTimeUnixNano"]), int(span["endTimeUnixNano"])]
    assert times == sorted(times)


def test_the_script_and_the_client_are_told_the_trace(server: Server, receiver: OtlpReceiver) -> None:
    trace_id = "a" * 32
    answer = post(server, traceparent=f"00-{trace_id}-{CLIENT_SPAN}-01")
    run, span = receiver.one("run", trace_id), receiver.one("POST /score", trace_id)
    told = answer.json()
    assert told["headers"] == {"Traceparent": f"00-{trace_id}-{digits(run['spanId'])}-01"}
    assert told["current"] == told["headers"]["Traceparent"]
    assert answer.headers["traceresponse"] == f"00-{trace_id}-{digits(span['spanId'])}-01"


def test_every_line_of_a_request_has_its_trace(server: Server, receiver: OtlpReceiver) -> None:
    trace_id = "b" * 32
    assert post(server, traceparent=f"00-{trace_id}-{CLIENT_SPAN}-01", x_request_id="lines").status_code == 200
    server.line(rf"INFO \[\d+\] lines trace={trace_id} scored$")
    server.line(rf"INFO \[\d+\] lines trace={trace_id} POST /score 200 ")


def test_a_failure_is_an_error(server: Server, receiver: OtlpReceiver) -> None:
    trace_id = "c" * 32
    assert post(server, "fail", traceparent=f"00-{trace_id}-{CLIENT_SPAN}-01").status_code == 500
    span, run = receiver.one("POST /score", trace_id), receiver.one("run", trace_id)
    assert span["status"] == run["status"] == {"code": "STATUS_CODE_ERROR"}
    assert span["attributes"]["error.type"] == "500"


@pytest.mark.parametrize(
    "traceparent",
    [
        *("", "x", f"00-{'0' * 32}-{CLIENT_SPAN}-01", f"00-{CLIENT_TRACE}-{'0' * 16}-01"),
        *(f"ff-{CLIENT_TRACE}-{CLIENT_SPAN}-01", f"00-{CLIENT_TRACE.upper()}-{CLIENT_SPAN}-01"),
        f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-01-more",
    ],
)
def test_what_makes_no_sense_begins_a_new_trace(traceparent: str, server: Server, receiver: OtlpReceiver) -> None:
    answer = post(server, traceparent=traceparent, tracestate="lost=1")
    found = re.fullmatch(r"00-([0-9a-f]{32})-[0-9a-f]{16}-01", answer.headers["traceresponse"])
    assert found is not None and found[1] != CLIENT_TRACE
    span = receiver.one("POST /score", found[1])
    assert "parentSpanId" not in span and "traceState" not in span


def test_a_client_that_does_not_sample_is_obeyed_and_passed_on(server: Server, receiver: OtlpReceiver) -> None:
    unsampled, after = "d" * 32, "e" * 32
    answer = post(server, traceparent=f"00-{unsampled}-{CLIENT_SPAN}-00")
    assert answer.json()["headers"]["Traceparent"].startswith(f"00-{unsampled}-")
    assert answer.json()["headers"]["Traceparent"].endswith("-00")
    post(server, traceparent=f"00-{after}-{CLIENT_SPAN}-01")
    receiver.one("POST /score", after)
    assert unsampled not in {digits(span["traceId"]) for span in receiver.spans}


def test_other_routes_are_traced_and_probes_are_not(server: Server, receiver: OtlpReceiver) -> None:
    for path in ("/", "/livez", "/readyz", "/batch/jobs/none", "/nowhere/17", "/openapi.json"):
        httpx.get(server.url + path, headers={"traceparent": f"00-{'f' * 32}-{CLIENT_SPAN}-01"})
    receiver.one("GET /openapi.json", "f" * 32)
    wait_until(lambda: {span["name"] for span in receiver.spans if digits(span["traceId"]) == "f" * 32} >= {"GET"})
    names = [span["name"] for span in receiver.spans if digits(span["traceId"]) == "f" * 32]
    assert sorted(names) == ["GET", "GET", "GET /openapi.json"]


def test_the_headers_asked_for_are_sent_and_never_logged(server: Server, receiver: OtlpReceiver) -> None:
    post(server)
    wait_until(lambda: bool(receiver.came))
    assert receiver.came[0][1]["authorization"] == "Bearer a-secret"
    assert "a-secret" not in server.log


def test_requests_scored_together_each_have_their_trace_and_the_last_are_sent_at_the_end(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bundle = write_bundle(tmp_path_factory.mktemp("many") / "bundle", MANY)
    with receiving(OtlpReceiver()) as receiver, serving() as serve:
        server = serve(str(bundle), OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=receiver.url + "/v1/traces").ready()
        body = '{"data": [[1.0], [2.0], [3.0]]}'
        assert post(server, body).json() == 1
        assert receiver.spans == []
        assert server.end() == 0
        spans = {span["name"]: span for span in receiver.spans}
    assert spans["run"]["attributes"] == {"scorewright.batch.size": "1", "scorewright.rows": "3"}
    assert spans["POST /score"]["resource"]["service.name"] == "hand-written"
    assert spans["POST /score"]["attributes"]["scorewright.version"] == "1"


@pytest.mark.parametrize("parent", [None, True, False])
@pytest.mark.parametrize("argument", ["0", "0.3", "1"])
@pytest.mark.parametrize("name", ["", *sampling._KNOWN_SAMPLERS])
def test_the_samplers_are_opentelemetrys(
    name: str, argument: str, parent: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"OTEL_TRACES_SAMPLER": name or "parentbased_always_on", "OTEL_TRACES_SAMPLER_ARG": argument}
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    theirs = sampling._get_from_env_or_default()
    told["OTEL_TRACES_SAMPLER"] = name
    ours = sampler(told, logging.getLogger("test"))
    draw = random.Random(1)  # noqa: S311 - the same each time
    for _ in range(200):
        trace_id = draw.getrandbits(128) or 1
        context = Context()
        if parent is not None:
            flags = trace.TraceFlags(int(parent))
            span = trace.NonRecordingSpan(trace.SpanContext(trace_id, 1, True, flags))
            context = trace.set_span_in_context(span, context)
        decision = theirs.should_sample(context, trace_id, "x").decision is sampling.Decision.RECORD_AND_SAMPLE
        assert ours(trace_id, None if parent is None else Parent(trace_id, 1, parent, "")) is decision


@pytest.mark.parametrize(("name", "argument"), [("some", ""), ("traceidratio", "many"), ("traceidratio", "2")])
def test_a_sampler_that_is_none_is_said_to_be_so(name: str, argument: str, caplog: pytest.LogCaptureFixture) -> None:
    told = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert sampler(told, logging.getLogger("test"))(2**64 - 1, None)
    assert (argument or name) in caplog.text


def test_a_receiver_that_is_not_there_costs_no_request_and_is_named_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bundle = write_bundle(tmp_path_factory.mktemp("gone") / "bundle", MANY)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with serving() as serve:
            server = serve(
                str(bundle),
                OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{unused.getsockname()[1]}",
                OTEL_BSP_SCHEDULE_DELAY="10",
                OTEL_BSP_MAX_QUEUE_SIZE="8",
                OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4",
            ).ready()
            with httpx.Client(base_url=server.url) as client:
                assert [client.post("/score", content=b"x").status_code for _ in range(50)] == [200] * 50
            server.line("WARNING .* Telemetry: .*Connection refused|WARNING .* Telemetry: .*refused")
            assert server.end() == 0
            lines = [line for line in server.log.splitlines() if "Telemetry: " in line]
    assert len(lines) == len({re.sub(r"[\d.]+", "", line) for line in lines})


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({}, ""),
    ],
)
def test_off_is_off(
    environment: dict[str, str],
    told: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings(bundle=write_bundle(tmp_path / "bundle", MANY))
    assert Telemetry.of(settings, Target.of(settings), logging.getLogger("test")) is None
    assert ("No traces are sent" in caplog.text) is bool(told)
    assert told in caplog.text


def test_without_traces_the_client_is_told_none_and_the_script_what_it_sent(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    with serving(cwd=tmp_path) as serve:
        server = serve("--entry-script", "score.py", "--port", "0").ready()
        sent = f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-01"
        answer = post(server, traceparent=sent)
        assert answer.json()["headers"] == {"Traceparent": sent}
        assert "traceresponse" not in answer.headers


def test_a_reload_is_told_by_the_version_that_answered(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", MANY)
    manifest = bundle / MANIFEST
    with receiving(OtlpReceiver()) as receiver, serving() as serve:
        server = serve(
            *(str(bundle), "--http-workers", "2", "--collect-dir", str(tmp_path / "kept")),
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        ).ready()
        assert post(server).json() == 1
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": "2"}))
        server.process.send_signal(signal.SIGHUP)
        server.line("Reloaded: .*version 2")
        assert post(server).json() == 1
        assert server.end() == 0
        spans = [span for span in receiver.spans if span["name"] == "POST /score"]
    assert sorted(span["attributes"]["scorewright.version"] for span in spans) == ["1", "2"]
    files = (tmp_path / "kept/request").rglob("*.jsonl")
    kept = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert sorted(event["modelversion"] for event in kept) == ["1", "2"]
