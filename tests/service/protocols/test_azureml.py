"""Azure ML's ids, queries and errors: each rule of server/routes.py and server/input_parsers.py."""

from __future__ import annotations

import json
from uuid import RFC_4122, UUID

import pytest

from scorewright.errors import RequestError
from scorewright.service.protocols import azureml

NEW = b"new-id"


def test_a_new_id_is_a_uuid_of_version_4() -> None:
    made = {azureml.new_id() for _ in range(100)}
    assert len(made) == 100
    for text in made:
        found = UUID(text.decode())
        assert (str(found).encode(), found.version, found.variant) == (text, 4, RFC_4122)


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ({}, {"x-request-id": "new-id", "x-ms-request-id": "new-id"}),
        ({"x-request-id": "r"}, {"x-request-id": "r", "x-ms-request-id": "r"}),
        (
            {"x-ms-client-request-id": "c"},
            {"x-request-id": "new-id", "x-ms-request-id": "c", "x-ms-client-request-id": "c"},
        ),
        ({"x-ms-request-id": "l"}, {"x-request-id": "new-id", "x-ms-request-id": "l", "x-ms-client-request-id": "l"}),
        (
            {"x-ms-request-id": "l", "x-ms-client-request-id": "c"},
            {"x-request-id": "new-id", "x-ms-request-id": "l", "x-ms-client-request-id": "c"},
        ),
        ({"traceid": "t"}, {"x-request-id": "new-id", "x-ms-request-id": "new-id", "traceid": "t"}),
    ],
)
def test_ids(given: dict[str, str], answered: dict[str, str]) -> None:
    ids = azureml.read_ids([(name.encode(), value.encode()) for name, value in given.items()], NEW)
    assert not ids.refusal
    assert {name.decode(): value.decode() for name, value in ids.headers} == answered


@pytest.mark.parametrize("name", ["x-request-id", "x-ms-request-id", "x-ms-client-request-id"])
def test_an_id_over_100_characters_is_refused(name: str) -> None:
    assert not azureml.read_ids([(name.encode(), b"i" * 100)], NEW).refusal
    assert "must not exceed 100 characters" in azureml.read_ids([(name.encode(), b"i" * 101)], NEW).refusal


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("", {}),
        ("a=1&b=[1,2]&c=a&d=null", {"a": 1, "b": [1, 2], "c": "a", "d": None}),
        ("foo=bar1&foo=bar2&x=y", {"foo": ["bar1", "bar2"], "x": "y"}),
        ("a=&b=%7B%22k%22%3A+1%7D", {"a": "", "b": {"k": 1}}),
        ("n=%C3%A9", {"n": "é"}),
    ],
)
def test_a_query_becomes_a_json_object(query: str, given: object) -> None:
    assert azureml.query_to_json(query.encode()) == json.dumps(given).encode()


def test_a_query_nested_too_deep_is_refused() -> None:
    with pytest.raises(RequestError) as refused:
        azureml.query_to_json(b"a=" + b"[" * 200_000)
    assert refused.value.status == 400


def test_a_script_cannot_set_the_services_own_headers() -> None:
    given = [(b"x-request-id", b"mine"), (b"content-length", b"1"), (b"x-mine", b"kept")]
    ids = azureml.read_ids([], b"new")
    assert azureml.scored_headers(given, ids, failed=True, milliseconds=1.23456, length=False) == [
        (b"x-mine", b"kept"),
        (b"x-ms-run-function-failed", b"True"),
        (b"x-ms-run-fn-exec-ms", b"1.235"),
    ]


def test_a_script_may_answer_a_clients_id_where_the_client_gave_none() -> None:
    given = [(b"x-ms-client-request-id", b"mine")]
    for headers, kept in (([], True), ([(b"x-ms-client-request-id", b"yours")], False)):
        ids = azureml.read_ids(headers, b"new")
        found = azureml.scored_headers(given, ids, failed=False, milliseconds=-1, length=False)
        assert (given[0] in found) is kept


def test_the_length_of_an_answer_in_pieces_is_the_scripts_to_know() -> None:
    given = [(b"content-length", b"7")]
    found = azureml.scored_headers(given, azureml.read_ids([], b"n"), failed=False, milliseconds=-1, length=True)
    assert found == [(b"content-length", b"7"), (b"x-ms-run-function-failed", b"False")]


def test_a_refusal_for_want_of_room_says_when_to_come_back() -> None:
    assert {status: b"retry-after" in dict(azureml.error_headers(status)) for status in (400, 429, 503)} == {
        400: False,
        429: True,
        503: True,
    }
