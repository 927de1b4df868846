"""The part of Azure's inference server that entry scripts import.

Scripts answer with AMLResponse from `azureml_inference_server_http.api.aml_response` or, older ones, from
`azureml.contrib.services.aml_response`. Where the real package is not installed, `provide()` puts these in
its place; where it is, it is left alone.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class AMLResponse:
    """An answer with a status and headers of the script's own.

    Contract: azureml-inference-server-http 1.5.1, api/aml_response.py. `message` None answers `{}`; with
    `json_str` the message is dumped to JSON, else it is sent as text; a header value is split at commas into
    repeated headers; `run_function_failed` becomes the header x-ms-run-function-failed.
    """

    def __init__(
        self,
        message: Any,
        status_code: int,
        response_headers: Mapping[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        given = dict(response_headers or {})
        self.status_code = int(status_code)
        self.run_function_failed = run_function_failed
        if message is None or json_str:
            self.body = json.dumps({} if message is None else message).encode()
            content_type = "application/json"
        else:
            self.body = message if isinstance(message, bytes) else str(message).encode()
            content_type = "text/html; charset=utf-8"
        self.headers: list[tuple[str, str]] = []
        if "Content-Type" not in given:
            self.headers.append(("Content-Type", content_type))
        for name, value in given.items():
            self.headers.extend((name, part.strip()) for part in value.split(","))

    def get_data(self, as_text: bool = False) -> bytes | str:
        """The body, as flask's Response gives it."""
        return self.body.decode() if as_text else self.body


_HOMES = ("azureml_inference_server_http.api.aml_response", "azureml.contrib.services.aml_response")


def provide() -> None:
    """Make AMLResponse importable under both of its names, where the real one is not installed."""
    for home in _HOMES:
        if not _installed(home):
            _put(home, AMLResponse=AMLResponse)


def _installed(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):
        return False


def _put(name: str, **content: object) -> None:
    parent, _, leaf = name.rpartition(".")
    if parent and parent not in sys.modules and not _installed(parent):
        _put(parent, __path__=[])
    elif parent and parent not in sys.modules:
        importlib.import_module(parent)
    module = ModuleType(name)
    module.__dict__.update(content)
    sys.modules[name] = module
    if parent:
        setattr(sys.modules[parent], leaf, module)
