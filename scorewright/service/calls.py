"""A request as the scorer calls the script for it, in whatever protocol it came."""

from __future__ import annotations

import contextlib
import importlib.util
from typing import TYPE_CHECKING, Any, Protocol

from scorewright.contract.answer import Answer, answer
from scorewright.contract.run_form import decoded
from scorewright.errors import RequestError
from scorewright.service import head
from scorewright.service.protocols import azureml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from scorewright.contract.request import HttpRequest
    from scorewright.contract.script import EntryScript
    from scorewright.service.frames import Request
    from scorewright.service.v2_calls import V2Calls

    Check = Callable[[str], None]
    Context = Callable[[HttpRequest, str], AbstractContextManager[object]]


class Call(Protocol):
    """One request: what the script is given, and how its protocol answers."""

    texts: list[str] | None
    """What run() takes, once for each call it needs, where that is the text which run_many() takes too; else None."""

    def invoke(self) -> list[Any]:
        """Call run() as often as it needs; what it returned each time. Raises RequestError and what run() raises."""

    def answer(self, values: list[Any]) -> Answer:
        """Encode what run() returned, once for each call. Raises whatever the encoding of a strange value raises."""

    def error(self, status: int, message: str) -> Answer:
        """Say in the protocol's shape why there is no answer."""


class Calls:
    """Makes calls of requests, for one script; `v2` for a bundle's, in the Open Inference Protocol."""

    def __init__(self, script: EntryScript, v2: V2Calls | None = None) -> None:
        self._script = script
        self._v2 = v2
        self._check = None if v2 is None else v2.check
        self._context = _flask_context() if script.run_many is None else None

    @property
    def need_request(self) -> bool:
        """Whether the script is given more of a request than its body."""
        return self._script.form.needs_request or self._context is not None

    def of(self, request: Request) -> Call:
        """The call of a request as it came from the front."""
        if not request.head:
            return TextCall(self._script, request.body, self._check)
        told = head.read(request.head)
        if self._v2 is not None and told["protocol"] == head.V2:
            return self._v2.of(told, request.body)
        return RequestCall(self._script, head.http_request(told, bytes(request.body)), self._context, request.id)


class TextCall:
    """A request of which the script is given the body alone."""

    __slots__ = ("_body", "_check", "_script", "texts")

    def __init__(self, script: EntryScript, body: memoryview, check: Check | None = None) -> None:
        self._script = script
        self._body = body
        self._check = check
        self.texts: list[str] | None
        try:
            self.texts = [self._text()]
        except RequestError:
            self.texts = None  # invoke() says why

    def _text(self) -> str:
        text = decoded(self._body)
        if self._check is not None:
            self._check(text)
        return text

    def invoke(self) -> list[Any]:
        """Call."""
        text = self.texts[0] if self.texts else self._text()
        return [self._script.run(**{self._script.form.parameters[0].name: text})]

    def answer(self, values: list[Any]) -> Answer:
        """Call."""
        return answer(values[0])

    def error(self, status: int, message: str) -> Answer:
        """Call."""
        return Answer(status, azureml.error_body(message))


class RequestCall:
    """A request of which the script is given more: headers, parameters by name, or the request object."""

    texts: list[str] | None = None

    def __init__(
        self,
        script: EntryScript,
        request: HttpRequest,
        context: Context | None,
        request_id: str,
    ) -> None:
        self._script = script
        self._request = request
        self._context = context
        self._request_id = request_id

    def invoke(self) -> list[Any]:
        """Call."""
        with contextlib.nullcontext() if self._context is None else self._context(self._request, self._request_id):
            return [self._script.call(self._request)]

    def answer(self, values: list[Any]) -> Answer:
        """Call."""
        return answer(values[0])

    def error(self, status: int, message: str) -> Answer:
        """Call."""
        return Answer(status, azureml.error_body(message))


def _flask_context() -> Context | None:
    """flask's request context, where flask is installed: run() may use flask.request, flask.g, jsonify and the like.

    Contract: azureml-inference-server-http 1.5.1 is a flask application, so run() has this context there.
    """
    if importlib.util.find_spec("flask") is None:
        return None
    import flask

    app = flask.Flask("entry_module")

    @contextlib.contextmanager
    def context(request: HttpRequest, request_id: str) -> Iterator[None]:
        with app.request_context(request.environ()):
            flask.g.request_id = request_id
            flask.g.client_request_id = request.header("x-ms-client-request-id") or request.header("x-ms-request-id")
            yield

    return context
