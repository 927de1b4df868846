"""A deployed service as its clients see it, asked with what Python brings."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from scorewright.errors import RequestError, ServiceError, UsageError


def healthy(host: str, port: int) -> bool:
    """Whether the service answers its health route."""
    try:
        return _ask(host, port, "GET", "/", timeout=2)[0] == 200
    except (OSError, HTTPException):
        return False


def score(host: str, port: int, data: object, *, timeout: float) -> Any:
    """POST `data` to /score and return the parsed answer.

    bytes and str are sent as they are, a mapping as JSON; rows (lists, numpy, a DataFrame) as {"data": rows}.
    Raises RequestError with the service's own message if the answer is not 200, ServiceError if none comes,
    UsageError for data that JSON does not know.
    """
    try:
        status, body = _ask(host, port, "POST", "/score", _body(data), timeout)
    except (OSError, HTTPException) as error:
        raise ServiceError(
            f"http://{host}:{port}/score gave no answer: {error or type(error).__name__}.",
            hint="`scorewright deploy local status` tells whether it runs.",
        ) from None
    try:
        answer = json.loads(body)
    except ValueError:
        answer = body.decode("utf-8", "replace")
    if status != 200:
        raise RequestError(status, str(answer.get("message", answer) if isinstance(answer, dict) else answer))
    return answer


def _ask(
    host: str, port: int, method: str, path: str, body: bytes | None = None, timeout: float = 2
) -> tuple[int, bytes]:
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _body(data: object) -> bytes:
    if isinstance(data, bytes | str):
        return data.encode() if isinstance(data, str) else data
    if isinstance(data, dict):
        return json.dumps(data, default=_plain).encode()
    # A DataFrame has both methods; its rows need their names.
    rows = data.to_dict(orient="records") if hasattr(data, "to_dict") else data
    return json.dumps({"data": rows}, default=_plain).encode()


def _plain(value: object) -> object:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise UsageError(f"{type(value).__name__} cannot be sent as JSON.", hint="Send numbers, strings, lists or dicts.")
