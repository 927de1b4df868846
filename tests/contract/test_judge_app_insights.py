"""What azmlinfsrv sends to Application Insights, and ours: the same requests, prints, failures and model data."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.judge import judging_with, require_judge
from tests.contract.test_judge_serving import laid
from tests.service.receivers import AzureMonitor, receiving
from tests.service.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.judge

SCRIPT = """
def init():
    pass


def run(raw):
    print("printed", raw)
    if raw == "fail":
        raise ValueError("for a reason")
    return {"got": raw}
"""

TOLD = {
    "AML_APP_INSIGHTS_ENABLED": "true",
    "AML_MODEL_DC_STORAGE_ENABLED": "true",
    "AML_MDC_STORAGE_ENABLED": "true",
    "WORKSPACE_NAME": "a-workspace",
    "SERVICE_NAME": "a-service",
    "HOSTNAME": "a-container",
    # The exporter's own telemetry.
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
}
VARIES = {"url", "start_time", "duration"}
OURS = {"queue_ms", "run_ms", "batch"}


def sent_to(monitor: AzureMonitor) -> dict[str, str]:
    # azmlinfsrv takes a bare key only; the exporter of both finds what that leaves open in its own variable.
    endpoint = {"APPLICATIONINSIGHTS_CONNECTION_STRING": monitor.connection_string}
    return TOLD | endpoint | {"AML_APP_INSIGHTS_KEY": monitor.KEY}


def asked(url: str) -> None:
    for body in ("fine", "fail"):
        headers = {"x-request-id": f"id-{body}", "x-ms-client-request-id": f"client-{body}"}
        httpx.post(url + "/score?a=b", content=body, headers=headers)
    httpx.get(url + "/")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AzureMonitor, AzureMonitor]]:
    require_judge()
    folder = laid(tmp_path_factory.mktemp("insights") / "app", {"score.py": SCRIPT})
    (folder / "churn" / "3").mkdir(parents=True)
    words = ("--entry_script", "score.py", "--model_dir", str(folder / "churn" / "3"))
    with receiving(AzureMonitor()) as theirs, receiving(AzureMonitor()) as ours, serving(cwd=folder) as serve:
        with judging_with(folder, folder / "log", *words, **sent_to(theirs)) as judge:
            asked(judge)
            theirs.wait("RequestData", 2)
            theirs.wait("ExceptionData")
        server = serve(*words, **sent_to(ours)).ready()
        asked(server.url)
        assert server.end() == 0
        yield theirs, ours


def dimensions(monitor: AzureMonitor, kind: str, request_id: str) -> dict[str, Any]:
    (item,) = [item for item in monitor.items(kind) if item["properties"].get("Request Id") == request_id]
    return dict(item["properties"])


@pytest.mark.parametrize("body", ["fine", "fail"])
def test_requests_have_the_same_dimensions(both: tuple[AzureMonitor, AzureMonitor], body: str) -> None:
    theirs, ours = (dimensions(monitor, "RequestData", f"id-{body}") for monitor in both)
    assert ours.keys() - OURS == theirs.keys()
    assert {key: ours[key] for key in theirs.keys() - VARIES} == {key: theirs[key] for key in theirs.keys() - VARIES}
    for told in (theirs, ours):
        assert told["url"].endswith("/score?a=b")
        assert told["duration"].startswith("00:00:0")


def test_the_rows_own_status_is_right_where_theirs_is_not(both: tuple[AzureMonitor, AzureMonitor]) -> None:
    theirs, ours = both
    assert {item["responseCode"] for item in theirs.items("RequestData")} == {"0"}
    assert {item["responseCode"] for item in ours.items("RequestData")} == {"200", "500"}


def test_prints_are_the_same(both: tuple[AzureMonitor, AzureMonitor]) -> None:
    theirs, ours = ({item["message"] for item in monitor.items("MessageData")} for monitor in both)
    assert {"printed fine", "printed fail", "model_data_collection"} <= ours <= theirs


def test_failures_come_with_type_and_text(both: tuple[AzureMonitor, AzureMonitor]) -> None:
    for monitor in both:
        (failure,) = [item for item in monitor.items("ExceptionData") if "for a reason" in str(item["exceptions"])]
        assert failure["exceptions"]


def test_model_data_has_the_same_content(both: tuple[AzureMonitor, AzureMonitor]) -> None:
    (theirs,), (ours,) = (
        [item["properties"] for item in monitor.items("MessageData") if item["message"] == "model_data_collection"]
        for monitor in both
    )
    # There it is the text of a dict, in one dimension; here each is one.
    told = ast.literal_eval(theirs["custom_dimensions"])
    assert {**ours, "Models": tuple(json.loads(ours["Models"]))} == {**told, "logger_name": "azmlinfsrv.trace"}
