"""The routes beside /score: health, errors, the description and its page."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate

from scorewright.service import docs_page
from scorewright.service.app import App
from scorewright.service.engine import Engine
from scorewright.service.limits import Limits
from tests.service.servers import OBEDIENT, WAIT_SECONDS, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.servers import Serve

BUNDLES_OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "churn", "version": "7", "description": "Scores."},
    "paths": {
        "/score": {
            "post": {
                "operationId": "score",
                "responses": {
                    "200": {
                        "description": "answers",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Response"}}},
                    }
                },
            }
        }
    },
    "components": {"schemas": {"Response": {"type": "object"}}},
}


@pytest.fixture(scope="module")
def client(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("bundles") / "b"
    server = serve_once(str(write_bundle(folder, OBEDIENT, openapi__json=json.dumps(BUNDLES_OPENAPI)))).ready()
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        yield client


def test_health(client: httpx.Client) -> None:
    assert (client.get("/").status_code, client.get("/").text) == (200, "Healthy")
    assert client.head("/").status_code == 200
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "scorers": 1}


def test_every_answer_has_its_ids(client: httpx.Client) -> None:
    for path in ("/", "/livez", "/readyz", "/openapi.json", "/docs", "/nowhere", "/docs/static/docs.js"):
        answer = client.get(path, headers={"x-request-id": "mine", "TraceId": "t"})
        assert (answer.headers["x-request-id"], answer.headers["traceid"]) == ("mine", "t"), path
        assert answer.headers["x-ms-server-version"].startswith("scorewright/")


@pytest.mark.parametrize(
    "path", ["/nowhere", "/score/", "/score/more", "/docs/static/nothing.js", "/docs/static/%2e%2e/app.py"]
)
def test_an_unknown_path_is_404_json(path: str, client: httpx.Client) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json() == {
        "message": "The requested URL was not found on the server. If you entered the URL manually please check your"
        " spelling and try again."
    }
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_a_wrong_method_is_405_json(client: httpx.Client) -> None:
    answer = client.post("/livez")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.json() == {"message": "The method is not allowed for the requested URL."}
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_the_description_is_valid_and_joins_the_bundles_with_the_services(client: httpx.Client) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json()
    validate(document)
    assert document["paths"]["/score"] == BUNDLES_OPENAPI["paths"]["/score"]  # type: ignore[index]
    model = "/v2/models/hand-written"
    assert set(document["paths"]) == {
        *("/score", "/", "/livez", "/readyz", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready"),
        *("/batch/jobs", "/batch/jobs/{job_id}", "/batch/jobs/{job_id}/results/{name}"),
        *(f"{path}{rest}" for path in (model, f"{model}/versions/1") for rest in ("", "/ready", "/infer")),
    }
    assert document["info"] == BUNDLES_OPENAPI["info"]
    assert {"Response", "ServiceMessage"} <= set(document["components"]["schemas"])


def test_a_bundle_without_a_description_is_served_with_a_plain_one(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT))).listening()
    document = httpx.get(server.url + "/openapi.json").json()
    validate(document)
    assert document["info"]["title"] == "hand-written"


@pytest.mark.parametrize("text", ["{", "[]", '{"paths": {}}'])
def test_a_bundle_whose_description_is_none_is_refused(text: str, serve: Serve, tmp_path: Path) -> None:
    server = serve(str(write_bundle(tmp_path / "b", OBEDIENT, openapi__json=text)))
    assert server.process.wait(WAIT_SECONDS) == 6
    server.line("openapi.json")
    assert "Traceback" not in server.log


def test_the_page_loads_only_from_this_service(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == docs_page.POLICY
    assert "http" not in docs_page.POLICY
    addresses = re.findall(r"(?:href|src|data-openapi)=\"([^\"]+)\"", page.text)
    assert len(addresses) == 6
    for address in addresses:
        assert not re.match(r"[a-z]+:|//", address)
        assert client.get("/" + address).status_code == 200


def test_neither_the_page_nor_its_own_script_nor_the_styles_name_another_host(client: httpx.Client) -> None:
    for path in ("/docs", "/docs/static/docs.js", "/docs/static/swagger-ui.css"):
        text = client.get(path).text
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}, path
    assert "validatorUrl: null" in client.get("/docs/static/docs.js").text


def test_the_vendored_files_say_their_version_and_licence() -> None:
    version = re.search(r"Swagger UI (\S+),", (docs_page.STATIC / "README.md").read_text())
    assert version is not None
    assert f'"{version.group(1)}"' in (docs_page.STATIC / "swagger-ui-bundle.js").read_text("utf-8")
    assert "Apache License" in (docs_page.STATIC / "LICENSE-swagger-ui").read_text()


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/openapi.json", "/docs", "/swagger.json"])
def test_head_and_options_of_what_can_be_got(path: str, client: httpx.Client) -> None:
    got, head, options = client.get(path), client.head(path), client.options(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert (options.status_code, options.content, options.headers["allow"]) == (200, b"", "GET, HEAD, OPTIONS")


def test_a_path_may_begin_with_two_slashes(client: httpx.Client) -> None:
    with_two = httpx.get(f"{client.base_url}".rstrip("/") + "//readyz")
    assert (with_two.status_code, with_two.json()) == (200, client.get("/readyz").json())


def test_an_error_of_the_service_itself_is_500_json_with_the_requests_ids(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Any] = []

    async def broken(*_: object) -> None:
        raise KeyError("ours")

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        app = App(
            broken,  # type: ignore[arg-type]
            broken,  # type: ignore[arg-type]
            FastAPI(),
            engine=Engine(Limits(requests=1)),
            own_headers=[(b"x-ms-server-version", b"7")],
            cors=None,
            gate=None,
            logger=logging.getLogger("service"),
        )
        scope = {"type": "http", "method": "POST", "path": "/score", "headers": [(b"x-request-id", b"mine")]}
        await app(scope, broken, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    start, body = sent
    headers = dict(start["headers"])
    assert (start["status"], headers[b"x-request-id"], headers[b"x-ms-server-version"]) == (500, b"mine", b"7")
    assert json.loads(body["body"]) == {
        "message": "An unexpected internal error occurred. Check the logs for more info."
    }
    assert "POST /score failed in the service itself." in caplog.text
    assert "KeyError: 'ours'" in caplog.text
