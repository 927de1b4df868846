"""A deployed service as its clients see it, asked with what Python brings."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scorewright.errors import RequestError, ServiceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def healthy(url: str) -> bool:
    """Whether the service at `url` answers its health route."""
    try:
        return _ask("GET", url, timeout=2)[0] == 200
    except (OSError, HTTPException):
        return False


def bearer(keys: Sequence[str]) -> dict[str, str]:
    """The header that carries the first of these keys; none if there are none."""
    return {"Authorization": f"Bearer {keys[0]}"} if keys else {}


def etag(url: str) -> str:
    """What the answer at `url` calls its content; empty if nothing."""
    return _ask("GET", url, timeout=2)[2].get("ETag", "")


def score(uri: str, data: object, *, timeout: float, headers: Mapping[str, str] | None = None) -> Any:
    """POST `data` to `uri`, a service's /score, and return the parsed answer.

    bytes and str are sent as they are, a mapping as JSON; rows (lists, numpy, a DataFrame) as {"data": rows}.
    Raises RequestError with the service's own message if the answer is not 200, ServiceError if none comes,
    UsageError for data that JSON does not know.
    """
    try:
        status, body, _ = _ask("POST", uri, _body(data), timeout, headers)
    except (OSError, HTTPException) as error:
        raise ServiceError(
            f"{uri} gave no answer: {error or type(error).__name__}.",
            hint="`scorewright deploy TARGET status` tells whether it runs.",
        ) from None
    try:
        answer = json.loads(body)
    except ValueError:
        answer = body.decode("utf-8", "replace")
    if status != 200:
        raise RequestError(status, str(answer.get("message", answer) if isinstance(answer, dict) else answer))
    return answer


def _ask(
    method: str, url: str, body: bytes | None = None, timeout: float = 2, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, HTTPMessage]:
    place = urlsplit(url)
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    connection = kind(place.netloc, timeout=timeout)
    path = (place.path or "/") + (f"?{place.query}" if place.query else "")
    try:
        connection.request(
            method, path, body, {**({"Content-Type": "application/json"} if body else {}), **(headers or {})}
        )
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
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
