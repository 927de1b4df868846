"""A server whose scripts do under load what servers do wrong, and the words that put load on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scorewright.loadtests.report import read
from tests.service.servers import write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.loadtests.measurements import Run

DOUBLING = '''
import json
import os
import signal
import time

from azureml_inference_server_http.api.aml_response import AMLResponse

calls = {}


def init():
    pass


def run(raw):
    return run_many([raw])[0]


def run_many(raws):
    """Doubles numbers; a request's "do" says what else happens."""
    requests = [json.loads(raw) for raw in raws]
    answers = [answer(request) for request in requests]
    swapped = [place for place, request in enumerate(requests) if request.get("do") == "swap"]
    if swapped:
        time.sleep(0.01)
        for place, other in zip(swapped, swapped[1:] + swapped[:1]):
            answers[place] = answer(requests[other])
    return answers


def answer(request):
    do = request.get("do")
    calls[do] = calls.get(do, 0) + 1
    rows = (request.get("input_data") or request).get("data")
    if rows is None:
        return {"length": len(json.dumps(request))}
    doubled = [2 * row[0] for row in rows]
    if do == "stall" and calls[do] == 58:
        time.sleep(1)
    if do == "slow":
        time.sleep(0.05)
    if do == "refuse" and calls[do] > 40:
        return AMLResponse({"message": "too much"}, 503, json_str=True)
    if do == "kill" and calls[do] == 60:
        os.kill(os.getppid(), signal.SIGKILL)
    if do == "note":
        with open(request["where"], "a") as file:
            file.write("x")
    if do == "reverse":
        doubled.reverse()
    if do == "vary":
        return {"predict": [calls[do]]}
    if do == "text":
        return AMLResponse("hello", 200)
    return {"predict": doubled}
'''

GUARDED = '''
from pathlib import Path

from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


def run(data, request_headers):
    """Wants a key, and that nobody sees it in the list of processes; tells which deployment is asked."""
    if request_headers.get("Authorization") != "Bearer s3cret":
        return AMLResponse({"message": "no such key"}, 401, json_str=True)
    if any(b"s3cret" in words(process) for process in Path("/proc").glob("[0-9]*/cmdline")):
        return AMLResponse({"message": "the key is in the list of processes"}, 500, json_str=True)
    return {"deployment": request_headers.get("azureml-model-deployment")}


def words(process):
    try:
        return process.read_bytes()
    except OSError:
        return b""
'''

TALKATIVE = """
from azureml_inference_server_http.api.aml_response import AMLResponse

calls = []


def init():
    pass


def run(data, request_headers):
    calls.append(1)
    if len(calls) > 10:
        return AMLResponse({"message": "No longer: " + request_headers["Authorization"]}, 401, json_str=True)
    return "right"
"""
"""Takes ten requests, and then repeats the key that it refuses."""

SAMPLE = {"data": [[1.5], [2.5], [4]]}
SHORT = ("--warm-up", "0.2s", "--duration", "1s")
REALTIME = ("--scenario", "realtime", *SHORT)


def doubling_bundle(folder: Path) -> Path:
    """A bundle that doubles numbers."""
    expected = {"predict": [3.0, 5.0, 8]}
    return write_bundle(
        folder, DOUBLING, sample_request__json=json.dumps(SAMPLE), expected_response__json=json.dumps(expected)
    )


def request_file(folder: Path, *requests: Any) -> Path:
    """A file of requests, one a line."""
    path = folder / "requests.jsonl"
    path.write_text("".join(f"{json.dumps(request)}\n" for request in requests))
    return path


def measured(out: Path) -> Run:
    """What a report's folder says was measured."""
    return read(out)
