"""How a script's run() wants to be called.

Contract: azureml-inference-server-http 1.5.1, server/user_script.py and server/input_parsers.py:

    text      undecorated: the body as str, for a GET the query as a JSON str
    object    @input_schema of inference-schema: each parameter by its name out of a JSON object
    request   @rawhttp: the request object, of whatever method

In each form a parameter `request_headers` is given the headers as a dict.
"""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from scorewright.contract import shim
from scorewright.contract.request import query_values
from scorewright.errors import RequestError, ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorewright.contract.request import HttpRequest

METHOD_NOT_ALLOWED = "Method not allowed"


class Takes(StrEnum):
    """What run() is given."""

    TEXT = "text"
    OBJECT = "object"
    REQUEST = "request"


@dataclass(frozen=True)
class RunForm:
    """The form of one run(): what it takes, and its parameters without `request_headers`."""

    takes: Takes
    parameters: tuple[inspect.Parameter, ...]
    headers: bool

    @classmethod
    def of(cls, run: Callable[..., Any]) -> RunForm:
        """Look at a script's run() once the script is loaded.

        Raises ScriptError if it could not be called: *args, **kwargs, positional-only parameters, no parameter
        beside request_headers, or both @rawhttp and @input_schema.
        """
        every = tuple(inspect.signature(run).parameters.values())
        for parameter in every:
            if parameter.kind not in {parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
                raise ScriptError(
                    f"run() takes {parameter}, which cannot be given by name.",
                    hint="run() cannot have positional-only parameters, *args or **kwargs: name each, run(raw_data).",
                )
        parameters = tuple(parameter for parameter in every if parameter.name != "request_headers")
        if not parameters:
            raise ScriptError("run() takes no argument for the request.", hint="Write run(raw_data).")
        raw, schema = shim.raw_http_requested(), _is_schema_decorated(run)
        if raw and schema:
            raise ScriptError(
                "run() is decorated with both @rawhttp and @input_schema.", hint="Keep one of them, as Azure asks."
            )
        takes = Takes.REQUEST if raw else Takes.OBJECT if schema else Takes.TEXT
        return cls(takes, parameters, len(every) > len(parameters))

    @property
    def needs_request(self) -> bool:
        """Whether more of a request is needed than its body."""
        return self.takes is not Takes.TEXT or self.headers

    def arguments(self, request: HttpRequest) -> dict[str, Any]:
        """What run() is called with, by name.

        Raises RequestError 400 or 415 if the request cannot be read, 405 for other methods than GET and POST,
        of which only @rawhttp is given any.
        """
        if self.takes is Takes.REQUEST:
            given = {self.parameters[0].name: request.object()}
        elif request.method not in {"GET", "POST"}:
            raise RequestError(405, METHOD_NOT_ALLOWED)
        elif self.takes is Takes.OBJECT:
            given = self._extracted(query_values(request.query) if request.method == "GET" else _json_object(request))
        elif request.method == "GET":
            given = {self.parameters[0].name: json.dumps(query_values(request.query))}
        else:
            given = {self.parameters[0].name: decoded(request.body)}
        if self.headers:
            given["request_headers"] = request.header_dict()
        return given

    def _extracted(self, body: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for parameter in self.parameters:
            value = body.get(parameter.name, parameter.default)
            if value is inspect.Parameter.empty:
                raise RequestError(400, f"A value is not provided for the {parameter.name!r} parameter.")
            values[parameter.name] = value
        return values


def decoded(body: bytes | memoryview) -> str:
    """A body as text. Raises RequestError 400 if it is not UTF-8."""
    try:
        return str(body, "utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(400, f"Input cannot be decoded as UTF-8: {error}") from None


def _json_object(request: HttpRequest) -> dict[str, Any]:
    if not request.is_json():
        raise RequestError(415, "Expects Content-Type to be application/json")
    if not request.body:
        raise RequestError(400, "POST body is empty. Expecting a JSON dictionary.")
    try:
        body = json.loads(request.body)
    except RecursionError:
        raise RequestError(400, "POST body could not be decoded as JSON: it is nested too deep") from None
    except ValueError as error:
        raise RequestError(400, f"POST body could not be decoded as JSON: {error}") from None
    if not isinstance(body, dict):
        raise RequestError(400, "POST body should be a JSON dictionary.")
    return body


def _is_schema_decorated(run: Callable[..., Any]) -> bool:
    if "inference_schema" not in sys.modules:
        return False
    from inference_schema.schema_util import is_schema_decorated

    return bool(is_schema_decorated(run))
