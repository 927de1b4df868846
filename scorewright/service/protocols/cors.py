"""Cross-origin requests: which pages a browser lets use the service. Pure.

Contract: azureml-inference-server-http 1.5.1 has flask-cors 6 do this, for GET and POST.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]

_METHODS = "GET, POST"
_PATTERN = re.compile(r"[*\\\[\]?$^()]")


@dataclass(frozen=True)
class Cors:
    """The origins that are allowed, each as it is or as a regular expression; `*` is all."""

    origins: tuple[str, ...]

    @classmethod
    def of(cls, listed: str) -> Cors:
        """From a list separated by commas."""
        origins = (origin.strip() for origin in listed.split(","))
        return cls(tuple(".*" if origin == "*" else origin for origin in origins if origin))

    def headers(self, method: str, request: Headers) -> Headers:
        """What an answer carries for a request with these headers (lower-case names)."""
        asked = {name: value.decode("latin-1") for name, value in request}
        allowed = self._allowed(asked.get(b"origin", ""))
        if not allowed:
            return []
        headers = [("access-control-allow-origin", origin) for origin in allowed]
        wanted = asked.get(b"access-control-request-method", "").upper()
        if method == "OPTIONS" and wanted in _METHODS.split(", "):
            names = sorted(name.strip() for name in asked.get(b"access-control-request-headers", "").split(","))
            if any(names):
                headers.append(("access-control-allow-headers", ", ".join(names)))
            headers.append(("access-control-allow-methods", _METHODS))
        several = len(self.origins) > 1 or any(_PATTERN.search(origin) for origin in self.origins)
        if several and allowed != ["*"]:
            headers.append(("vary", "Origin"))
        return [(name.encode(), value.encode("latin-1")) for name, value in headers]

    def _allowed(self, origin: str) -> list[str]:
        if origin:
            return [origin] if any(_matches(pattern, origin) for pattern in self.origins) else []
        if ".*" in self.origins:
            return ["*"]
        return sorted(origin for origin in self.origins if not _PATTERN.search(origin))


def _matches(pattern: str, origin: str) -> bool:
    if not _PATTERN.search(pattern):
        return pattern.casefold() == origin.casefold()
    try:
        return re.match(pattern, origin, re.IGNORECASE) is not None
    except re.error:
        return False
