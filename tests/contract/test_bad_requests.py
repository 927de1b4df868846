"""Whatever a client sends: nothing is a 5xx that the script did not raise, and the service lives on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.exchange import Asked, ask, raw_exchange
from tests.service.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.servers import Server

SCRIPTS = {
    "text": "def run(raw): return len(raw)",
    "headers": "def run(raw, request_headers): return sorted(request_headers)",
    "object": """
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema
@input_schema("a", StandardPythonParameterType(1), convert_to_provided_type=False)
def run(a): return repr(a)
""",
    "request": """
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
@rawhttp
def run(request):
    told = [len(request.args), len(request.form), len(request.files), dict(request.cookies), len(request.get_data())]
    return AMLResponse([told, request.url, request.is_json], 200, json_str=True)
""",
}


@pytest.fixture(scope="module", params=SCRIPTS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("harmless")
    (folder / "score.py").write_text("def init(): pass\n" + SCRIPTS[request.param])
    with serving(cwd=folder) as serve:
        yield serve("--entry-script", "score.py", SCOREWRIGHT_MAX_BODY_BYTES="100000").ready()


token = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=12)
value = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
known = st.sampled_from(
    (
        *("Content-Type", "Accept", "Cookie", "x-request-id", "x-ms-request-id", "x-ms-client-request-id", "Origin"),
        *("TraceId", "Accept-Encoding", "Content-Encoding", "X-Forwarded-For", "Authorization", "Range", "Expect-Not"),
    )
)
media = st.sampled_from(
    (
        *("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "é/ü", "; ;"),
        *("multipart/form-data", "text/plain; charset=nonsense", "application/json; charset=utf-16"),
    )
)
body = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(str.encode),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=5).map(
        lambda content: json.dumps({"a": content}).encode()
    ),
    st.just(b"{" * 60_000),
    st.just(b"x" * 100_001),
)
asked = st.builds(
    Asked,
    st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30).map(
        "/score?".__add__
    ),
    st.none() | body,
    st.lists(
        st.one_of(st.tuples(token, value), st.tuples(known, value), st.tuples(st.just("Content-Type"), media)),
        max_size=4,
    )
    .filter(
        lambda headers: (
            not {name.lower() for name, _ in headers} & {"content-length", "transfer-encoding", "connection"}
        )
    )
    .map(tuple),
)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(asked=asked)
def test_no_request_is_answered_5xx(server: Server, asked: Asked) -> None:
    answered = ask(server.url, asked)
    assert answered.status < 500, answered
    if answered.status >= 400:
        assert list(json.loads(answered.body)) == ["message"]
        assert ("content-type", "application/json") in answered.headers


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", b"GET /score HTTP/1.1\r\n", b"POST /score HTTP/1.1\r\nhost: x\r\n", b"\x16\x03\x01"]),
    rest=st.binary(max_size=200),
)
def test_no_bytes_on_a_socket_bring_it_down(server: Server, start: bytes, rest: bytes) -> None:
    told = raw_exchange(server.url, start + rest + b"\r\n\r\n", end=True)
    assert b" 500 " not in told.partition(b"\r\n")[0]
    if told.startswith(b"HTTP/1.1 400"):
        head, _, body = told.partition(b"\r\n\r\n")
        assert b"content-type: application/json" in head.lower()
        assert list(json.loads(body)) == ["message"]
    assert ask(server.url, Asked("GET", "/")).body == b"Healthy"


def test_what_is_no_http_is_refused_in_the_usual_shape(server: Server) -> None:
    told = raw_exchange(server.url, b"NOT HTTP AT ALL\r\n\r\n", end=True)
    assert told.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert told.endswith(b'{"message": "Invalid HTTP request received."}')
