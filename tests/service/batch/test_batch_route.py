"""/batch/jobs: what is taken, what is refused and how, and what is told of a job."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.service.batch.jobs_api import JobsApi
from tests.service.servers import OBEDIENT, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Serve


@pytest.fixture(scope="module")
def api(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> JobsApi:
    """A service with two fronts and files to score."""
    api = JobsApi(serve_once, tmp_path_factory.mktemp("route"))
    api.inputs("in", a="1", b="", c="3")
    api.inputs("held", hold="1")
    api.inputs("taken", a="1")
    api.start(SCOREWRIGHT_HTTP_WORKERS="2", AML_CORS_ORIGINS="https://example.com")
    return api


def refused(api: JobsApi, body: dict[str, Any], **more: Any) -> tuple[int, str]:
    answer = api.ask("POST", json=body, **more)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    assert set(answer.json()) == {"message"}
    return answer.status_code, answer.json()["message"]


def test_before_the_first_job_there_are_none_and_no_file(api: JobsApi) -> None:
    assert api.ask("GET").json() == {"jobs": []}
    assert not (api.data / "jobs.sqlite").exists()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"input": "in"}, 400, "output: field required."),
        ({"input": 1, "output": "out"}, 400, "input: input should be a valid string."),
        (
            {"input": "in", "output": "out", "sett": {}},
            400,
            "there is no such field; there are input, output, settings",
        ),
        ({"input": "in", "output": "out", "settings": {"retries": 1}}, 400, "retries is no setting of a batch job"),
        ({"input": "in", "output": "out", "settings": {"timeout": 0}}, 400, "timeout is 0: input should be greater"),
        ({"input": "a\0b", "output": "out"}, 400, "that is no location"),
        ({"input": "in", "output": "out*"}, 400, "cannot have any of * ? [ in it"),
        ({"input": "../score.py", "output": "out"}, 403, "../score.py is not within "),
        ({"input": "/etc/passwd", "output": "out"}, 403, "/etc/passwd is not within "),
        ({"input": "in", "output": "/tmp/out"}, 403, "/tmp/out is not within "),
        ({"input": "s3://bucket/in", "output": "out"}, 403, "s3://bucket/in is not within "),
        ({"input": ".", "output": "out"}, 403, "the jobs' own files"),
        ({"input": "missing", "output": "out"}, 404, "input is 'missing': there is nothing at "),
        ({"input": "in/*.parquet", "output": "out"}, 404, "there is nothing at "),
        ({"input": "in", "output": "taken"}, 409, "output is 'taken', which exists"),
        ({"input": "in", "output": "in/a"}, 409, "one is within the other"),
        ({"input": "in", "output": "in"}, 409, "one is within the other"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_field(
    body: dict[str, Any], status: int, said: str, api: JobsApi
) -> None:
    code, message = refused(api, body)
    assert code == status
    assert said in message


def test_what_is_no_json_is_refused(api: JobsApi) -> None:
    json = {"content-type": "application/json"}
    bad = api.ask("POST", content=b"{", headers=json)
    assert (bad.status_code, bad.json()["message"][:24]) == (400, "the body: invalid JSON: ")
    large = api.ask("POST", content=b" " * 300_000, headers=json)
    assert (large.status_code, large.json()) == (413, {"message": "The request body is larger than 262144 bytes."})
    form = api.ask("POST", data={"input": "in"})
    assert form.status_code == 415
    assert form.json()["message"].startswith("Content-Type must be application/json")


def test_a_key_is_visible_ascii(api: JobsApi) -> None:
    code, message = refused(api, {"input": "in", "output": "out"}, headers={"idempotency-key": "a b"})
    assert (code, message) == (400, "Idempotency-Key must be 1 to 200 visible ASCII characters.")


@pytest.mark.parametrize(
    ("query", "said"),
    [("?state=lost", "state: input should be 'queued', 'running'"), ("?limit=0", "limit: input should be greater")],
)
def test_a_bad_query_is_refused(query: str, said: str, api: JobsApi) -> None:
    answer = api.ask("GET", query)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(said)


def test_what_is_not_there_is_404(api: JobsApi) -> None:
    for method, path in (("GET", "/x"), ("DELETE", "/x"), ("GET", "/x/results/y")):
        answer = api.ask(method, path)
        assert (answer.status_code, answer.json()) == (404, {"message": "There is no job 'x'."})


def test_methods(api: JobsApi) -> None:
    listed = {"": "GET, HEAD, POST, OPTIONS", "/x": "GET, HEAD, DELETE, OPTIONS", "/x/results/y": "GET, HEAD, OPTIONS"}
    for path, allowed in listed.items():
        options, put = api.ask("OPTIONS", path), api.ask("PUT", path)
        assert (options.status_code, options.headers["allow"]) == (200, allowed)
        assert (put.status_code, put.headers["allow"]) == (405, allowed)
    head = api.ask("HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_a_page_may_cancel_a_job_if_its_origin_may_use_the_service(api: JobsApi) -> None:
    headers = {"origin": "https://example.com", "access-control-request-method": "DELETE"}
    answer = api.ask("OPTIONS", "/x", headers=headers)
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, DELETE, OPTIONS"


def test_a_job_from_submission_to_its_results(api: JobsApi) -> None:
    body = {"input": "in", "output": "out", "settings": {"mini_batch_size": 1}}
    answer = api.ask("POST", json=body, headers={"x-request-id": "mine"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (202, "mine")
    job = answer.json()
    assert answer.headers["location"] == f"/batch/jobs/{job['id']}"
    assert re.fullmatch(r"[0-9a-z-]+", job["id"])
    assert {name: job[name] for name in ("state", "input", "output", "settings", "started", "ended", "step")} == {
        **body,
        "state": "queued",
        "started": None,
        "ended": None,
        "step": None,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["created"])
    ended = api.ended(job["id"])
    assert ended["state"] == "completed", ended
    assert ended["created"] <= ended["started"] <= ended["ended"]
    assert ended["mini_batches"] == {"total": 3, "done": 3, "failed": 0}
    assert ended["rows"] == {"total": 3, "done": 2, "failed": 1}
    assert ended["rows_per_second"] > 0
    assert (ended["seconds_left"], ended["error_count"], ended["step"]) == (None, 1, "done")
    (error,) = ended["errors"]
    assert (error["file"].endswith("b"), error["row"]) == (True, None)
    (result,) = ended["results"]
    assert result["url"] == f"/batch/jobs/{job['id']}/results/predictions.csv"
    path = f"/{job['id']}/results/predictions.csv"
    fetched, head = api.ask("GET", path), api.ask("HEAD", path)
    assert (fetched.status_code, fetched.content) == (200, b"a 1\nc 3\n")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "8")
    for name in ("job.json", "..%2fjobs.sqlite", "%2e%2e"):
        other = api.ask("GET", f"/{job['id']}/results/{name}")
        assert other.status_code == 404
    assert "it has predictions.csv" in api.ask("GET", f"/{job['id']}/results/job.json").json()["message"]
    listed = api.ask("GET", "?state=completed&limit=1").json()["jobs"]
    assert listed == [{name: value for name, value in ended.items() if name != "errors"}]

    found = api.data / "out" / "predictions.csv"
    found.unlink()
    found.symlink_to(api.folder / "score.py")
    assert api.ask("GET", path).status_code == 403
    found.unlink()
    assert api.ask("GET", path).status_code == 404


def test_twenty_posts_with_one_key_are_one_job(api: JobsApi) -> None:
    body = {"input": "held", "output": "once"}
    headers = {"idempotency-key": "one"}
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: api.ask("POST", json=body, headers=headers), range(20)))
    assert sorted(answer.status_code for answer in answers) == [*([200] * 19), 202]
    assert (
        len({answer.json()["id"] for answer in answers} | {answer.headers["location"][12:] for answer in answers}) == 1
    )
    job = answers[0].json()["id"]
    code, message = refused(api, {**body, "output": "twice"}, headers=headers)
    assert (code, message) == (409, f"Idempotency-Key is 'one', with which job {job} was asked for otherwise.")
    code, message = refused(api, body)
    assert (code, message) == (409, f"output is 'once', to which job {job} writes.")
    api.until(job, "running")  # a job that still waits is cancelled at once
    assert api.ask("DELETE", f"/{job}").status_code == 202
    assert api.ended(job)["state"] == "cancelled"
    again = api.ask("POST", json=body, headers=headers)
    assert (again.status_code, again.json()["id"]) == (200, job)


def test_a_served_script_without_a_batch_driver_says_so(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(OBEDIENT)
    api = JobsApi(serve, tmp_path / "api")
    script = str(tmp_path / "score.py")
    api.server = serve("--entry-script", script, "--host", "127.0.0.1", "--batch-data", str(api.data)).ready()
    code, message = refused(api, {"input": "in", "output": "out"})
    assert code == 501
    assert "The setting batch_entry_script names one that does" in message
    assert api.ask("GET").json() == {"jobs": []}


def test_without_the_extra_it_says_what_to_install(serve: Serve, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'distributed' else find(name, package)\n"
    )

    api = JobsApi(serve, tmp_path / "api")
    path = f"{hidden}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    api.server = serve(str(bundle), "--batch-data", str(api.data), PYTHONPATH=path).ready()
    code, message = refused(api, {"input": "in", "output": "out"})
    assert code == 501
    assert message.startswith("Batch scoring is not installed in this service (distributed): pip install")
