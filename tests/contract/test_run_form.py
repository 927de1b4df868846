"""How run() wants to be called, read from its signature and decorators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema

from scorewright.contract.request import HttpRequest
from scorewright.contract.run_form import RunForm, Takes
from scorewright.errors import RequestError, ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = [("content-type", "application/json")]


@input_schema("a", StandardPythonParameterType(1))  # type: ignore[untyped-decorator]
def by_schema(a: int, b: str = "default") -> list[object]:
    return [a, b]


def plain(raw: str) -> str:
    return raw


def with_headers(request_headers: dict[str, str], raw: str) -> list[object]:
    return [raw, request_headers]


def by_name(*, data: str, other: int = 3) -> str:
    return data


@pytest.mark.parametrize(
    ("run", "takes", "headers", "names"),
    [
        (plain, Takes.TEXT, False, ["raw"]),
        (with_headers, Takes.TEXT, True, ["raw"]),
        (by_name, Takes.TEXT, False, ["data", "other"]),
        (by_schema, Takes.OBJECT, False, ["a", "b"]),
    ],
)
def test_the_form_is_read(run: Callable[..., Any], takes: Takes, headers: bool, names: list[str]) -> None:
    form = RunForm.of(run)
    assert (form.takes, form.headers, [parameter.name for parameter in form.parameters]) == (takes, headers, names)
    assert form.needs_request is (headers or takes is not Takes.TEXT)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda: None, "takes no argument for the request"),
        (lambda request_headers: None, "takes no argument for the request"),
        (lambda raw, *more: None, r"takes \*more, which cannot be given by name"),
        (lambda raw, **more: None, r"takes \*\*more, which cannot be given by name"),
        (lambda raw, /: None, "takes raw, which cannot be given by name"),
    ],
)
def test_what_could_not_be_called_is_refused(run: Callable[..., Any], said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        RunForm.of(run)


@pytest.mark.parametrize(
    ("run", "request_", "arguments"),
    [
        (plain, HttpRequest(body="é".encode()), {"raw": "é"}),
        (plain, HttpRequest(method="GET", query="a=1&b=x", body=b"unread"), {"raw": '{"a": 1, "b": "x"}'}),
        (
            with_headers,
            HttpRequest(body=b"x", headers=[("x-mine", "1")]),
            {"raw": "x", "request_headers": {"X-Mine": "1"}},
        ),
        (by_name, HttpRequest(body=b"x"), {"data": "x"}),
        (by_schema, HttpRequest(body=b'{"a": 2, "c": 3}', headers=JSON), {"a": 2, "b": "default"}),
        (by_schema, HttpRequest(method="GET", query="a=2&b=null"), {"a": 2, "b": None}),
    ],
)
def test_what_run_is_called_with(run: Callable[..., Any], request_: HttpRequest, arguments: dict[str, Any]) -> None:
    assert RunForm.of(run).arguments(request_) == arguments


@pytest.mark.parametrize(
    ("run", "request_", "status", "message"),
    [
        (plain, HttpRequest(body=b"\xff"), 400, "Input cannot be decoded as UTF-8: "),
        (plain, HttpRequest(method="HEAD"), 405, "Method not allowed"),
        (by_schema, HttpRequest(method="OPTIONS"), 405, "Method not allowed"),
        (by_schema, HttpRequest(body=b'{"a": 2}'), 415, "Expects Content-Type to be application/json"),
        (by_schema, HttpRequest(headers=JSON), 400, "POST body is empty. Expecting a JSON dictionary."),
        (by_schema, HttpRequest(headers=JSON, body=b"[1]"), 400, "POST body should be a JSON dictionary."),
        (
            by_schema,
            HttpRequest(headers=JSON, body=b"x"),
            400,
            "POST body could not be decoded as JSON: Expecting value",
        ),
        (
            by_schema,
            HttpRequest(headers=JSON, body=b"[" * 100_000),
            400,
            "POST body could not be decoded as JSON: it is",
        ),
        (by_schema, HttpRequest(headers=JSON, body=b"{}"), 400, "A value is not provided for the 'a' parameter."),
    ],
)
def test_what_cannot_be_read_is_refused(
    run: Callable[..., Any], request_: HttpRequest, status: int, message: str
) -> None:
    with pytest.raises(RequestError) as refused:
        RunForm.of(run).arguments(request_)
    assert refused.value.status == status
    assert refused.value.message.startswith(message)
