"""Application Insights is sent what Azure's server sends, and right; the key is in no log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.service import app_insights
from tests.service.receivers import AzureMonitor, receiving
from tests.service.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Server

SCRIPT = """
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    print("printed in init")


def run(raw):
    print("printed", raw)
    if raw == "fail":
        raise ValueError("for a reason")
    if raw == "bytes":
        return AMLResponse(b"\\xff\\xfe", 200)
    return {"got": raw}
"""

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def azure() -> Iterator[AzureMonitor]:
    with receiving(AzureMonitor()) as azure:
        yield azure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("insights")
    (folder / "score.py").write_text(SCRIPT)
    (folder / "models" / "churn" / "3").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def server(azure: AzureMonitor, folder: Path) -> Iterator[Server]:
    """One with two fronts, after it has scored and ended: what was not sent yet is sent then."""
    with serving(cwd=folder) as serve:
        server = serve(
            *("--entry-script", "score.py", "--port", "0", "--http-workers", "2"),
            *("--model-dir", str(folder / "models" / "churn" / "3")),
            AML_APP_INSIGHTS_ENABLED="true",
            AML_APP_INSIGHTS_KEY=azure.connection_string,
            AML_MODEL_DC_STORAGE_ENABLED="true",
            WORKSPACE_NAME="a-workspace",
            SERVICE_NAME="a-service",
            HOSTNAME="a-container",
        ).ready()
        for body in ("fine", "fail", "bytes"):
            headers = {
                "x-request-id": f"id-{body}",
                "x-ms-client-request-id": f"client-{body}",
                "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
            }
            httpx.post(server.url + "/score?a=b", content=body, headers=headers)
        httpx.get(server.url + "/")
        assert server.end() == 0
        yield server


def test_requests_have_the_names_that_azures_server_gives_them(azure: AzureMonitor, server: Server) -> None:
    requests = {item["properties"]["Request Id"]: item for item in azure.items("RequestData")}
    assert requests.keys() == {"id-fine", "id-fail", "id-bytes"}
    fine = requests["id-fine"]
    told = fine["properties"]
    assert (fine["name"], fine["responseCode"], fine["success"]) == ("POST /score", "200", True)
    assert fine["duration"].startswith("0.00:00:0")
    assert fine["tags"]["ai.operation.id"] == TRACE
    assert fine["tags"]["ai.operation.parentId"] == "00f067aa0ba902b7"
    assert fine["tags"]["ai.cloud.role"] == "a-service"
    assert told["Client Request Id"] == "client-fine"
    assert (told["Container Id"], told["Workspace Name"], told["Service Name"]) == (
        *("a-container", "a-workspace"),
        "a-service",
    )
    assert json.loads(told["Response Value"]) == {"got": "fine"}
    assert (told["name"], told["resultCode"], told["success"], told["http_method"]) == (
        *("/score", "200", "True"),
        "POST",
    )
    assert told["url"].endswith("/score?a=b")
    assert told["duration"].startswith("00:00:0")
    failed = requests["id-fail"]
    assert (failed["responseCode"], failed["success"], failed["properties"]["success"]) == ("500", False, "False")
    assert json.loads(requests["id-bytes"]["properties"]["Response Value"]).startswith("Scoring request response")


def test_prints_and_failures_come_with_the_requests_id(azure: AzureMonitor, server: Server) -> None:
    prints = [item for item in azure.items("MessageData") if item["message"].startswith("printed")]
    told = {item["message"]: item["properties"]["Request Id"] for item in prints if "Request Id" in item["properties"]}
    assert told["printed fine"] == "id-fine"
    assert "printed in init" in {item["message"] for item in prints}
    (failure,) = azure.items("ExceptionData")
    assert failure["properties"]["Request Id"] == "id-fail"
    assert failure["properties"]["Container Id"] == "a-container"
    assert failure["exceptions"][0]["typeName"] == "ValueError"
    assert "for a reason" in failure["exceptions"][0]["stack"]
    assert failure["tags"]["ai.operation.id"] == TRACE


def test_model_data_is_input_and_prediction(azure: AzureMonitor, server: Server) -> None:
    data = [item["properties"] for item in azure.items("MessageData") if item["message"] == "model_data_collection"]
    (fine,) = [item for item in data if item["Request Id"] == "id-fine"]
    assert (fine["Models"], fine["Input"]) == ('["churn:3"]', '"fine"')
    assert json.loads(fine["Prediction"]) == {"got": "fine"}
    assert "id-fail" not in {item["Request Id"] for item in data}


def test_only_the_requests_are_sent_and_the_key_is_not_logged(azure: AzureMonitor, server: Server) -> None:
    assert azure.items("RemoteDependencyData") == azure.items("MetricData") == []
    assert AzureMonitor.KEY not in server.log


def test_answers_are_left_out_if_that_is_asked_for_and_a_plain_key_is_no_secret_either(
    azure: AzureMonitor, folder: Path, tmp_path: Path
) -> None:
    with receiving(AzureMonitor()) as other, serving(cwd=folder) as serve:
        server = serve(
            *("--entry-script", "score.py", "--port", "0"),
            *("--appinsights_instrumentation_key", other.connection_string),
            APP_INSIGHTS_LOG_RESPONSE_ENABLED="false",
        ).ready()
        httpx.post(server.url + "/score", content="fine")
        assert server.end() == 0
        (request,) = other.items("RequestData")
        assert "Response Value" not in request["properties"]
        assert [item for item in other.items("MessageData") if item["message"] == "model_data_collection"] == []


def test_a_refusal_costs_no_request_and_does_not_log_the_key(folder: Path) -> None:
    with receiving(AzureMonitor()) as other, serving(cwd=folder) as serve:
        other.status = 400
        server = serve(
            *("--entry-script", "score.py", "--port", "0"),
            AML_APP_INSIGHTS_ENABLED="true",
            AML_APP_INSIGHTS_KEY=other.connection_string,
        ).ready()
        assert httpx.post(server.url + "/score", content="fine").status_code == 200
        assert server.end() == 0
        assert "Telemetry: " in server.log
        assert AzureMonitor.KEY not in server.log


def test_a_key_that_is_none_is_said_to_be_so_without_it(folder: Path) -> None:
    with serving(cwd=folder) as serve:
        server = serve(
            *("--entry-script", "score.py", "--port", "0", "--appinsights_instrumentation_key", "not-the-key")
        ).ready()
        assert httpx.post(server.url + "/score", content="fine").json() == {"got": "fine"}
        assert "neither an instrumentation key" in server.log
        assert "not-the-key" not in server.log


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [(0.4, "00:00:00.000"), (1234.9, "00:00:01.234"), (90_061_001, "1.01:01:01.001")],
)
def test_durations_are_written_as_azures_server_does(milliseconds: float, told: str) -> None:
    assert app_insights.duration(milliseconds) == told
