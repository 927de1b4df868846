"""A request in the parts that the contract hands to scripts."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Request

from scorewright.contract.request import HttpRequest, query_values
from scorewright.errors import RequestError

TEXT = st.text(max_size=20).filter(lambda text: text.isprintable())


@given(st.dictionaries(TEXT, st.lists(TEXT, min_size=1, max_size=3), max_size=4))
def test_a_query_is_read_as_werkzeug_reads_it_and_each_value_as_json(sent: dict[str, list[str]]) -> None:
    query = urlencode(sent, doseq=True)

    def parsed(text: str) -> object:
        try:
            return json.loads(text)
        except ValueError:
            return text

    args = HttpRequest(query=query).object().args
    theirs = {
        name: [parsed(v) for v in args.getlist(name)] if len(args.getlist(name)) > 1 else parsed(args[name])
        for name in args
    }
    assert repr(query_values(query)) == repr(theirs)


def test_what_is_not_utf8_stays_quoted() -> None:
    assert query_values("a=%ff%C3%A9&%fe=1") == {"a": "%FFé", "%FE": 1}


def test_a_value_nested_too_deep_is_refused() -> None:
    with pytest.raises(RequestError, match="The query parameter 'a' is nested too deep") as refused:
        query_values("a=" + "[" * 100_000)
    assert refused.value.status == 400


def test_headers_are_joined_and_title_cased() -> None:
    request = HttpRequest(
        headers=[("content-type", "text/plain"), ("x-ms-request-id", "1"), ("x-ms-request-id", "2"), ("x_under", "no")]
    )
    assert request.header_dict() == {"Content-Type": "text/plain", "X-Ms-Request-Id": "1,2"}
    assert (request.header("content-type"), request.header("x-none")) == ("text/plain", "")


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/vnd.api+json", True),
        ("text/json", False),
        ("text/plain", False),
        ("application/jsonp", False),
        ("", False),
    ],
)
def test_what_counts_as_json_is_what_werkzeug_counts(content_type: str, is_json: bool) -> None:
    request = HttpRequest(headers=[("content-type", content_type)])
    assert (request.is_json(), request.object().is_json) == (is_json, is_json)


def test_the_request_object_has_what_was_sent() -> None:
    request = HttpRequest(
        method="PUT",
        path=quote("/a é"),
        query="x=1&x=2",
        headers=[("host", "h:81"), ("cookie", "k=v"), ("content-type", "text/plain")],
        body=b"body",
        client=("10.1.2.3", 4711),
        scheme="https",
    ).object()
    assert isinstance(request, Request)
    assert (request.method, request.path, request.args.getlist("x")) == ("PUT", "/a é", ["1", "2"])
    assert (request.url, request.remote_addr) == ("https://h:81/a%20é?x=1&x=2", "10.1.2.3")
    assert (request.cookies["k"], request.stream.read()) == ("v", b"body")
