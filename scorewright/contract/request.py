"""One HTTP request, as the contract hands it to a script: in parts, as headers, or as a request object."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from scorewright.errors import RequestError

Headers = list[tuple[str, str]]

_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came: the path as sent, the headers with lower-case names, all text in latin-1."""

    method: str = "POST"
    path: str = "/score"
    query: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    client: tuple[str, int] = ("127.0.0.1", 0)
    server: tuple[str, int] = ("127.0.0.1", 5001)
    scheme: str = "http"
    version: str = "1.1"

    def header(self, name: str) -> str:
        """The value of a header by its lower-case name, "" if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def is_json(self) -> bool:
        """Whether the body is said to be JSON: `application/json` or `application/*+json`, as flask's is_json."""
        media = self.header("content-type").partition(";")[0].strip().lower()
        return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))

    def header_dict(self) -> dict[str, str]:
        """What a parameter `request_headers` is given: title-cased names, repeated headers joined by commas.

        Contract: gunicorn joins repeated headers and drops those whose name has an underscore; flask title-cases.
        """
        joined: dict[str, str] = {}
        for name, value in self.headers:
            if "_" not in name:
                key = name.title()
                joined[key] = f"{joined[key]},{value}" if key in joined else value
        return joined

    def object(self) -> Any:
        """The request object of a @rawhttp script: flask's where the script has imported flask, else werkzeug's."""
        if "flask" in sys.modules:
            import flask

            return flask.Request(self.environ())
        from werkzeug.wrappers import Request

        return Request(self.environ())

    def environ(self) -> dict[str, Any]:
        """The request as WSGI has it (PEP 3333), from which request objects are made."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "QUERY_STRING": self.query,
            "RAW_URI": f"{self.path}?{self.query}" if self.query else self.path,
            "REMOTE_ADDR": self.client[0],
            "REMOTE_PORT": str(self.client[1]),
            "SERVER_NAME": self.server[0],
            "SERVER_PORT": str(self.server[1]),
            "SERVER_PROTOCOL": f"HTTP/{self.version}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in self.header_dict().items():
            key = name.upper().replace("-", "_")
            environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
        return environ


def query_values(query: str) -> dict[str, Any]:
    """A query's parameters as the contract reads them, by name.

    Each value is parsed as JSON if it parses, else it is a string; a repeated parameter becomes a list; what is not
    UTF-8 stays quoted, as %FF. Raises RequestError 400 if a value is nested too deep to be parsed.
    """
    values: dict[str, list[Any]] = {}
    for pair in parse_qsl(query, keep_blank_values=True, errors="surrogateescape"):
        name, text = (_NOT_UTF8.sub(_quoted, part) for part in pair)
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        except RecursionError:
            raise RequestError(400, f"The query parameter {name!r} is nested too deep.") from None
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _quoted(octet: re.Match[str]) -> str:
    return f"%{ord(octet[0]) - 0xDC00:02X}"
