"""/v2 over real HTTP: routes, ids, and every error in the protocol's own shape."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.service.servers import OBEDIENT, WAIT_SECONDS, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Serve, Server

LIMIT = 2000
MODEL = "/v2/models/hand-written"
INFER = f"{MODEL}/infer"
SCRIPT_ERROR = "An unexpected error occurred in scoring script. Check the logs for more info."

SCRIPT = '''
import json
import os
import signal
import time
from pathlib import Path

from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    """Waits, if the environment says so."""
    while os.environ.get("TEST_INIT_UNTIL") and not os.path.exists(os.environ["TEST_INIT_UNTIL"]):
        time.sleep(0.005)


def run(raw):
    """Does what the one number in it asks for."""
    request = json.loads(raw)
    ((value,),) = request["data"]
    if value == 1:
        raise ValueError("the secret reason")
    if value == 2:
        return AMLResponse({"message": "data[0][0] is 2"}, 400, json_str=True)
    if value == 3:
        return {"predict": ["no number"]}
    if value == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if value == 5:
        return AMLResponse("no JSON", 400)
    if value == 6:
        here = Path(os.environ["TEST_HERE"])
        here.with_suffix(".started").touch()
        while not here.exists():
            time.sleep(0.005)
    return {request["method"]: [[value]]}
'''


def infer(value: float, **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "data", "datatype": "FP64", "shape": [1, 1], "data": [value]}], **more}


@pytest.fixture(scope="module")
def server(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "b", SCRIPT)
    return serve_once(str(bundle), "--max-body-bytes", str(LIMIT), "--access-log").ready()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        yield client


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_tells_what_it_is(path: str, client: httpx.Client) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json().keys() == {"name", "version", "extensions"}


def test_health(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
def test_a_model(path: str, client: httpx.Client) -> None:
    assert client.get(f"{path}/ready").json() == {"name": "hand-written", "ready": True}
    assert client.get(path).json() == {
        "name": "hand-written",
        "versions": ["1"],
        "platform": "sklearn_joblib",
        "inputs": [{"name": "data", "datatype": "FP64", "shape": [-1, 1]}],
        "outputs": [{"name": "data", "datatype": "FP64", "shape": [-1, 1]}],
    }
    answer = client.post(f"{path}/infer", json=infer(9, id="a"), headers={"x-request-id": "r"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "model_name": "hand-written",
        "model_version": "1",
        "id": "a",
        "outputs": [{"name": "data", "datatype": "FP64", "shape": [1, 1], "data": [9.0]}],
    }
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0


def test_every_answer_has_its_ids(client: httpx.Client) -> None:
    ids = {"x-request-id": "r", "x-ms-client-request-id": "c", "traceid": "t"}
    for path in ("/v2", "/v2/health/ready", MODEL, "/v2/nothing", INFER):
        answer = client.get(path, headers=ids)
        assert {name: answer.headers[name] for name in ids} == ids, path
        assert answer.headers["x-ms-server-version"].startswith("scorewright/")
    assert {name: client.post(INFER, json={}, headers=ids).headers[name] for name in ids} == ids


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v2/models/x", "There is no model 'x'; the service has 'hand-written'."),
        ("/v2/models/x/versions/1/infer", "There is no model 'x'; the service has 'hand-written'."),
        (f"{MODEL}/versions/2", "There is no version '2' of the model 'hand-written'; the service has '1'."),
        (f"{MODEL}/versions", "There is no version '' of the model 'hand-written'; the service has '1'."),
    ],
)
def test_what_there_is_not_is_404_and_what_there_is_is_named(path: str, message: str, client: httpx.Client) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": message})


@pytest.mark.parametrize(
    "path", ["/v2/x", "/v2//", "/v2/models", f"{MODEL}/", f"{MODEL}/config", f"{INFER}/x", "/v2/é"]
)
def test_an_unknown_path_is_404(path: str, client: httpx.Client) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"].startswith(f"There is no {path}; the routes are /v2, /v2/health/live, ")


def test_what_is_not_below_v2_is_not_of_this_protocol(client: httpx.Client) -> None:
    assert client.get("/v20").json().keys() == {"message"}


@pytest.mark.parametrize(
    ("path", "method", "allowed"), [(INFER, "GET", "POST"), (MODEL, "POST", "GET"), ("/v2", "HEAD", "GET")]
)
def test_a_wrong_method_is_405(path: str, method: str, allowed: str, client: httpx.Client) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, f"{allowed}, OPTIONS")
    if method != "HEAD":
        assert answer.json() == {"error": f"{path} takes {allowed} and OPTIONS, not {method}."}


def test_options(client: httpx.Client) -> None:
    answer = client.options(INFER)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (200, "POST, OPTIONS", b"")


def test_an_id_that_is_too_long_is_431(client: httpx.Client) -> None:
    answer = client.get("/v2", headers={"x-request-id": "i" * 101})
    assert (answer.status_code, answer.json()) == (431, {"error": "x-request-id must not exceed 100 characters"})


def test_a_bad_request_is_400(client: httpx.Client) -> None:
    answer = client.post(INFER, content=b"{}")
    assert (answer.status_code, answer.json()) == (400, {"error": "inputs is missing, it must be a list of objects."})
    assert (answer.headers["content-type"], answer.headers["x-ms-run-function-failed"]) == ("application/json", "False")
    answer = client.post(INFER, json=infer(9), headers={"Inference-Header-Content-Length": "x"})
    assert answer.json() == {"error": "Inference-Header-Content-Length is 'x', it must be a number of bytes."}


def test_what_the_model_refuses_is_400_in_this_shape(client: httpx.Client) -> None:
    answer = client.post(INFER, json=infer(2))
    assert (answer.status_code, answer.json()) == (400, {"error": "data[0][0] is 2"})


def test_a_body_that_is_too_large_is_413(client: httpx.Client) -> None:
    answer = client.post(INFER, content=b" " * (LIMIT + 1))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert answer.json() == {"error": f"The request body is larger than {LIMIT} bytes, the service's limit."}


def test_a_body_that_is_too_large_once_decompressed_is_413(client: httpx.Client) -> None:
    body = gzip.compress(b" " * (LIMIT + 1))
    answer = client.post(INFER, content=body, headers={"content-encoding": "gzip"})
    assert answer.status_code == 413
    assert answer.json() == {"error": "The request body is larger, once decompressed, than the service's limit."}
    just = gzip.compress(json.dumps(infer(9)).encode().ljust(LIMIT))
    assert client.post(INFER, content=just, headers={"content-encoding": "gzip"}).status_code == 200


def test_an_unknown_coding_is_415(client: httpx.Client) -> None:
    answer = client.post(INFER, json=infer(9), headers={"content-encoding": "br"})
    assert answer.status_code == 415
    assert answer.json() == {"error": "Content-Encoding is 'br'; the service reads gzip, deflate and identity."}


def test_an_error_in_run_is_500_and_hidden_from_the_client(server: Server, client: httpx.Client) -> None:
    answer = client.post(INFER, json=infer(1), headers={"x-request-id": "find-me"})
    assert (answer.status_code, answer.headers["x-ms-run-function-failed"]) == (500, "True")
    assert answer.json() == {"error": SCRIPT_ERROR}
    server.line(r"ERROR \[\d+\] find-me run\(\) failed")
    server.line("ValueError: the secret reason")


@pytest.mark.parametrize("value", [3, 5])
def test_what_does_not_fit_the_protocol_is_500(value: int, client: httpx.Client) -> None:
    answer = client.post(INFER, json=infer(value))
    assert answer.status_code == 500
    assert answer.json() == {"error": "An unexpected internal error occurred. Check the logs for more info."}


def test_an_access_log_line_for_each_inference(server: Server, client: httpx.Client) -> None:
    client.post(INFER, json=infer(9), headers={"x-request-id": "seen"})
    server.line(rf"INFO \[\d+\] seen POST {INFER} 200 \d+\.\d{{3}}ms \d+$")


def test_a_scorer_that_dies_is_500(client: httpx.Client) -> None:
    answer = client.post(INFER, json=infer(4))
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "The process scoring this request ended unexpectedly. Check the logs for more info."
    }
    wait_until(lambda: client.get(f"{MODEL}/ready").status_code == 200)


def test_before_init_is_done_the_model_is_known_but_not_ready(serve: Serve, tmp_path: Path) -> None:
    begin = tmp_path / "begin"
    server = serve(str(write_bundle(tmp_path / "b", SCRIPT)), TEST_INIT_UNTIL=str(begin)).listening()
    starting = {"error": "The service is starting: the entry script's init() has not finished."}
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get(MODEL).json()["name"] == "hand-written"
        for answer in (client.get("/v2/health/ready"), client.get(f"{MODEL}/ready")):
            assert (answer.status_code, answer.json()) == (503, starting)
            assert answer.headers["retry-after"] == "1"
        begin.touch()
        wait_until(lambda: client.get("/v2/health/ready").status_code == 200)


def test_a_full_queue_is_429(serve: Serve, tmp_path: Path) -> None:
    here = tmp_path / "here"
    bundle = str(write_bundle(tmp_path / "b", SCRIPT))
    server = serve(bundle, "--max-concurrent-requests-per-instance", "2", TEST_HERE=str(here)).ready()
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        held = pool.submit(httpx.post, server.url + INFER, json=infer(6), timeout=WAIT_SECONDS)
        wait_until(here.with_suffix(".started").exists)
        waiting = [pool.submit(httpx.post, server.url + INFER, json=infer(9), timeout=WAIT_SECONDS) for _ in range(2)]
        wait_until(lambda: any(done.done() for done in waiting))
        refused = next(done.result() for done in waiting if done.done())
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json() == {"error": "Too many requests: 2 are waiting or being scored."}
        assert client.get("/v2/health/live").status_code == 200
        here.touch()
        assert held.result().status_code == 200
        assert sorted(done.result().status_code for done in waiting) == [200, 429]


def test_an_entry_script_is_told_to_have_no_model(serve: Serve, tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(OBEDIENT)
    server = serve("--entry-script", str(script), "--host", "127.0.0.1").ready()
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        assert client.get("/v2").json()["name"] == "scorewright"
        assert client.get("/v2/health/ready").json() == {"ready": True}
        for answer in (client.get("/v2/models/x"), client.post("/v2/models/x/infer", json={})):
            assert (answer.status_code, answer.json()) == (
                404,
                {
                    "error": "The service runs an entry script, which has no signature to tell what it takes and "
                    "answers: it is scored at /score. The models of /v2/models are bundles."
                },
            )
