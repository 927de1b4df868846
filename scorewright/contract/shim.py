"""The part of Azure's inference server that entry scripts import.

Scripts import `rawhttp`, `AMLRequest` and `AMLResponse` from `azureml_inference_server_http.api.aml_request` and
`.aml_response` or, older ones, from `azureml.contrib.services`, which is in no package of today: Azure's server puts
it in place before it loads the script. `provide()` does the same, for both, wherever the real ones are not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import time
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

from scorewright.contract.monitoring import BasicCorrelationContext, CorrelationContext, collector_class

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from scorewright.contract.monitoring import Collect

_REAL = "azureml_inference_server_http"
_OLDER = "azureml.contrib.services"
_REQUESTED = "_rawHttpRequested"
"""The name under which Azure's own modules remember that @rawhttp was used."""

_MONITORING = "azureml.ai.monitoring"
_PACKAGES = {_REAL, f"{_REAL}.api", "azureml", "azureml.contrib", _OLDER, "azureml.ai", _MONITORING}
_HOMES = {
    f"{_REAL}.api.aml_request": "request",
    f"{_REAL}.api.aml_response": "response",
    f"{_REAL}.log_config": "log",
    f"{_OLDER}.aml_request": "request",
    f"{_OLDER}.aml_response": "response",
    _MONITORING: "monitoring",
    f"{_MONITORING}.collector": "monitoring",
    f"{_MONITORING}.context": "monitoring",
}


def provide(collect: Collect | None = None) -> None:
    """Make the modules importable where they are not installed. What is installed is found before and left alone.

    But for `azureml.ai.monitoring` if there is a `collect`: that is given what scripts collect, where Azure's would
    send it to a process that only Azure's images have.
    """
    if collect is not None:
        sys.meta_path.insert(0, _MonitoringFinder(collect))
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
    for home, content in _HOMES.items():
        if content == "request" and home in sys.modules:
            setattr(sys.modules[home], _REQUESTED, False)


def raw_http_requested() -> bool:
    """Whether the script has decorated anything with @rawhttp: a fact of the process, as in Azure's server."""
    return any(
        getattr(sys.modules.get(home), _REQUESTED, False) for home, content in _HOMES.items() if content == "request"
    )


class _Finder(MetaPathFinder):
    """Last on sys.meta_path: asked only for what no installed package has."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname in _PACKAGES or fullname in _HOMES:
            return ModuleSpec(fullname, _Loader(), is_package=fullname in _PACKAGES)
        return None


class _MonitoringFinder(MetaPathFinder):
    """First on sys.meta_path, for one package."""

    def __init__(self, collect: Collect) -> None:
        self._collect = collect

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if _HOMES.get(fullname) == "monitoring":
            return ModuleSpec(fullname, _Loader(self._collect), is_package=fullname in _PACKAGES)
        return None


class _Loader(Loader):
    def __init__(self, collect: Collect | None = None) -> None:
        self._collect = collect

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        content = _HOMES.get(name)
        if content is None:
            return
        if name.startswith(_OLDER):
            # One module under both names: what @rawhttp notes in one is seen in the other.
            sys.modules[name] = importlib.import_module(name.replace(_OLDER, f"{_REAL}.api"))
        elif content == "request":
            _fill_request(module)
        elif content == "monitoring":
            contexts = {kind.__name__: kind for kind in (CorrelationContext, BasicCorrelationContext)}
            module.__dict__.update(Collector=collector_class(self._collect), **contexts)
        elif content == "response":
            _fill_response(module)
        else:
            module.__dict__.update(AMLLogFormatter=AMLLogFormatter, RootAccessFilter=RootAccessFilter)


def _wrappers() -> tuple[Any, Any]:
    """The request and response classes that AMLRequest and AMLResponse are made from.

    flask's where it is installed, since a script may ask whether it was given one; flask makes its own from
    werkzeug's.
    """
    if importlib.util.find_spec("flask") is not None:
        import flask

        return flask.Request, flask.Response
    from werkzeug.wrappers import Request, Response

    return Request, Response


def _fill_request(module: ModuleType) -> None:
    base, _ = _wrappers()

    def rawhttp(func: Any) -> Any:
        """Have run() given the request itself."""
        setattr(module, _REQUESTED, True)
        return func

    request = type("AMLRequest", (base,), {"__doc__": "The request that a @rawhttp run() is given."})
    module.__dict__.update({"rawhttp": rawhttp, "AMLRequest": request, _REQUESTED: False})


def _fill_response(module: ModuleType) -> None:
    import json

    _, base = _wrappers()

    class AMLResponse(base):  # type: ignore[misc, valid-type]
        """An answer with a status and headers of the script's own.

        Contract: azureml-inference-server-http 1.5.1, api/aml_response.py. `message` None answers `{}`; with
        `json_str` the message is dumped to JSON, else it is sent as it is: text, bytes or a generator of them; a
        header value is split at commas into repeated headers; `run_function_failed` becomes the header
        x-ms-run-function-failed.
        """

        default_mimetype = "text/html"

        def __init__(
            self,
            message: Any,
            status_code: int,
            response_headers: dict[str, str] | None = None,
            json_str: bool = False,
            run_function_failed: bool = False,
        ) -> None:
            given = response_headers or {}
            if message is None or json_str:
                body = json.dumps({} if message is None else message)
                super().__init__(body, status=status_code, mimetype="application/json")
            else:
                super().__init__(message, status=status_code)
                if "Content-Type" in given:
                    self.headers.remove("Content-Type")
            self.headers["x-ms-run-function-failed"] = str(run_function_failed)
            for name, value in given.items():
                for part in value.split(","):
                    self.headers.add(name, part.strip())

    module.__dict__["AMLResponse"] = AMLResponse


class AMLLogFormatter(logging.Formatter):
    """The formatter that a logging.json written for Azure's server names: its format, times in UTC."""

    converter = staticmethod(time.gmtime)

    def __init__(
        self,
        fmt: str = "%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(message)s",
        datefmt: str | None = None,
        style: Any = "%",
    ) -> None:
        super().__init__(fmt, datefmt, style)


class RootAccessFilter(logging.Filter):
    """The filter that such a file names: drops access lines of the health probe."""

    def filter(self, record: logging.LogRecord) -> bool:
        """logging.Filter."""
        return "GET / HTTP/1.1" not in record.getMessage()
