"""What run() returned, as an HTTP answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PLAIN_HEADERS = [("Content-Type", "application/json")]
"""The headers of whatever is no response of the script's own."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `failed` becomes the header x-ms-run-function-failed.

    `pieces` is given in place of `body` if the script makes its answer piece by piece: they are to be sent as they
    come, and `close` called in the end, whatever happened.
    """

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=PLAIN_HEADERS.copy)
    failed: bool = False
    pieces: Iterable[bytes] | None = None
    close: Callable[[], object] | None = None


def answer(value: Any) -> Answer:
    """Encode what run() returned.

    Contract: azureml-inference-server-http 1.5.1: AMLResponse and flask's Response pass through, their generators
    piece by piece; None is `{}`; anything else is `json.dumps`ed and sent as application/json. Better than the
    contract: numpy and pandas values and dates, on which json.dumps raises there, are encoded.

    Raises TypeError or ValueError if the value cannot be encoded.
    """
    if hasattr(value, "status_code") and hasattr(value, "get_data"):
        return _response(value)
    return Answer(200, json.dumps({} if value is None else value, default=_plain).encode())


_FAILED = "x-ms-run-function-failed"


def _response(response: Any) -> Answer:
    streamed = bool(response.is_streamed)
    dropped = {_FAILED} if streamed else {_FAILED, "content-length"}
    headers = [(name, str(text)) for name, text in response.headers.items() if name.lower() not in dropped]
    failed = any(name.lower() == _FAILED and str(text).lower() == "true" for name, text in response.headers.items())
    status = int(response.status_code)
    if streamed:
        return Answer(status, b"", headers, failed, response.iter_encoded(), response.close)
    body = response.get_data()
    response.close()
    return Answer(status, body, headers, failed)


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict(orient="records")
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(
        f"run() returned a {type(value).__name__}, which JSON cannot carry: return lists, dicts, strings, numbers."
    )
