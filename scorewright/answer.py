"""What run() returned, as the bytes of an HTTP answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `failed` becomes the header x-ms-run-function-failed."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", JSON)])
    failed: bool = False


def answer(value: Any) -> Answer:
    """Encode what run() returned.

    Contract: azureml-inference-server-http 1.5.1: an AMLResponse passes through, anything else is `json.dumps`ed
    and sent as application/json. Better than the contract: numpy and pandas values and dates, on which
    json.dumps raises there, are encoded.

    Raises TypeError or ValueError if the value cannot be encoded.
    """
    if hasattr(value, "status_code") and hasattr(value, "get_data"):
        headers = value.headers if isinstance(value.headers, list) else list(value.headers.items())
        kept = [(name, str(text)) for name, text in headers if name.lower() not in _OURS]
        failed = str(dict(headers).get("x-ms-run-function-failed", getattr(value, "run_function_failed", False)))
        return Answer(int(value.status_code), value.get_data(), kept, failed.lower() == "true")
    return Answer(200, json.dumps(value, default=_plain).encode())


_OURS = {"content-length", "x-ms-run-function-failed"}


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
