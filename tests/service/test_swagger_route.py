"""/swagger.json as it is served: from when on, of what, and what stands in its place."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scorewright.errors import BundleError, RequestError, ScriptError
from scorewright.service import swagger_files
from scorewright.service.frames import Ready
from scorewright.service.settings import Settings
from scorewright.service.swagger_route import SwaggerRoute
from scorewright.service.target import Target
from tests.service.servers import OBEDIENT, WAIT_SECONDS, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.servers import Serve


def get(url: str, query: str = "", **headers: str) -> httpx.Response:
    return httpx.get(f"{url}/swagger.json{query}", headers=headers, timeout=WAIT_SECONDS)


def test_a_bundle_is_described_by_its_signature(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(
        tmp_path / "bundle",
        OBEDIENT,
        sample_request__json='{"data": [[1]]}',
        expected_response__json='{"predict": [[2]]}',
    )
    server = serve(str(bundle)).ready()
    answer = get(server.url, **{"x-request-id": "mine"})
    assert answer.status_code == 200
    headers = ("content-type", "x-request-id", "x-ms-request-id", "x-ms-run-function-failed")
    assert [answer.headers[name] for name in headers] == ["application/json", "mine", "mine", "False"]
    document = answer.json()
    assert (document["info"]["title"], document["info"]["version"]) == ("hand-written", "1")
    definitions = document["definitions"]
    assert definitions["ServiceInput"]["example"] == {"data": [[1]]}
    assert definitions["ServiceInput"]["properties"]["method"]["enum"] == ["predict"]
    assert definitions["ServiceOutput"]["example"] == {"predict": [[2]]}
    refused = get(server.url, "?version=4")
    assert refused.status_code == 404
    assert refused.json() == {"message": "Swagger version [4] is not valid. Supported versions: [2, 3, 3.1]."}
    head = httpx.head(f"{server.url}/swagger.json")
    assert (head.status_code, head.content) == (200, b"")
    assert httpx.post(f"{server.url}/swagger.json").status_code == 405


def test_a_file_beside_the_script_stands_in_place(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    (bundle / "swagger3.json").write_text('{"openapi": "3.0.3", "mine": true}')
    server = serve(str(bundle)).ready()
    assert get(server.url, "?version=3.0").json() == {"openapi": "3.0.3", "mine": True}
    assert get(server.url).json()["swagger"] == "2.0"


def test_nothing_is_described_before_init_is_done(serve: Serve, tmp_path: Path) -> None:
    go = tmp_path / "go"
    server = serve(str(write_bundle(tmp_path / "bundle", OBEDIENT)), TEST_INIT_UNTIL=str(go)).listening()
    answer = get(server.url)
    assert answer.status_code == 503
    assert answer.json() == {"message": "The service is starting: the entry script's init() has not finished."}
    assert answer.headers["retry-after"] == "1"
    go.touch()
    assert get(server.ready().url).status_code == 200


def test_a_broken_file_ends_the_start(serve: Serve, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", OBEDIENT)
    (bundle / "swagger.json").write_text("{'swagger': 2}")
    server = serve(str(bundle))
    assert server.process.wait(WAIT_SECONDS) == 3
    server.line(r"swagger\.json cannot be read as JSON: Expecting property name enclosed in double quotes: line 1")


# --- the files


def test_files_are_found_by_their_names(tmp_path: Path) -> None:
    assert swagger_files.read(tmp_path) == {}
    for name in ("swagger2.json", "swagger3.json", "swagger3.1.json"):
        (tmp_path / name).write_text(json.dumps({"of": name}))
    expected: dict[str, object] = {
        "2": {"of": "swagger2.json"},
        "3": {"of": "swagger3.json"},
        "3.1": {"of": "swagger3.1.json"},
    }
    assert swagger_files.read(tmp_path) == expected
    (tmp_path / "swagger.json").write_text("{}")
    assert swagger_files.read(tmp_path) == expected
    (tmp_path / "swagger.json").write_text('{"of": "swagger.json"}')
    assert swagger_files.read(tmp_path) == expected | {"2": {"of": "swagger.json"}}


def test_an_empty_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "swagger3.json").write_text("{}")
    assert swagger_files.read(tmp_path) == {}


def test_what_is_not_json_becomes_it(tmp_path: Path) -> None:
    (tmp_path / "swagger.json").write_text("[NaN, Infinity, -Infinity]")
    assert swagger_files.read(tmp_path) == {"2": [None, "Infinity", "-Infinity"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b'{"a": \xff}', "'utf-8' codec can't decode byte 0xff in position 6: invalid start byte"),
        (b"[" * 100_000, "maximum recursion depth exceeded"),
    ],
)
def test_a_broken_file_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "swagger3.json"
    path.write_bytes(content)
    with pytest.raises(ScriptError) as error:
        swagger_files.read(tmp_path)
    assert error.value.message.startswith(f"{path} cannot be read as JSON: {reason}")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "swagger.json").mkdir()
    with pytest.raises(ScriptError, match="Is a directory"):
        swagger_files.read(tmp_path)


# --- the route


def route(engine: Any, **target: Any) -> SwaggerRoute:
    named = SimpleNamespace(**{"name": "churn", "version": "1", "bundle": None, "documents": {}} | target)
    return SwaggerRoute(named, engine, path_prefix="")  # type: ignore[arg-type]


def told(files: dict[str, object]) -> Ready:
    return Ready(swagger={"schemas": {"2": None, "3": [{"type": "array"}, {"type": "string"}]}, "files": files})


def test_a_scorer_that_replaces_another_is_heard() -> None:
    engine = SimpleNamespace(script=Ready(), state="not yet")
    swagger = route(engine)
    with pytest.raises(RequestError) as error:
        swagger.find("4")
    assert (error.value.status, error.value.message) == (503, "not yet")
    engine.script = told({})
    schemas = json.loads(swagger.find("3"))["components"]["schemas"]
    assert (schemas["ServiceInput"], schemas["ServiceOutput"]) == ({"type": "array"}, {"type": "string"})
    with pytest.raises(RequestError) as error:
        swagger.find(None)
    assert error.value.status == 404
    assert swagger.find("3") is swagger.find("3")
    engine.script = told({"2": {"mine": 1}})
    assert swagger.find(None) == b'{"mine": 1}'


def test_examples_that_are_not_json_are_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", "", sample_request__json="{")
    with pytest.raises(BundleError, match=r"sample_request\.json is not JSON: Expecting property name"):
        Target.of(Settings(bundle=bundle))
