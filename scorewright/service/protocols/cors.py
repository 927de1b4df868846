"""Cross-origin requests: which pages a browser lets use the service. Pure.

Contract: azureml-inference-server-http 1.5.1 has flask-cors 6 do this, for GET and POST.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers = list[tuple[bytes, bytes]]

_METHODS = ("GET", "POST")
_PATTERN = re.compile(r"[*\\\[\]?$^()]")


@dataclass(frozen=True)
class Cors:
    """The origins that are allowed, each as it is or as a regular expression; `*` is all."""

    origins: tuple[str, ...]

    @classmethod
    def of(cls, listed: str) -> Cors:
        """From a list separated by commas. Raises UsageError if one is neither an origin nor a regular expression."""
        origins = (origin.strip() for origin in listed.split(","))
        patterns = tuple(".*" if origin == "*" else origin for origin in origins if origin)
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise UsageError(
                    f"AML_CORS_ORIGINS has {pattern!r}, which is no regular expression: {error}.",
                    hint="Name origins as https://example.com, or * for all.",
                ) from None
        return cls(patterns)

    def headers(self, method: str, request: Headers, methods: Sequence[str] = ()) -> Headers:
        """What an answer carries for a request with these headers (lower-case names).

        `methods` is what pages may do where that is not what Azure's routes take.
        """
        asked = {name: value.decode("latin-1") for name, value in request}
        allowed = self._allowed(asked.get(b"origin", ""))
        if not allowed:
            return []
        headers = [("access-control-allow-origin", allowed)]
        wanted = asked.get(b"access-control-request-method", "").upper()
        if method == "OPTIONS" and wanted in (methods or _METHODS):
            names = sorted(name.strip() for name in asked.get(b"access-control-request-headers", "").split(","))
            if any(names):
                headers.append(("access-control-allow-headers", ", ".join(names)))
            headers.append(("access-control-allow-methods", ", ".join(methods or _METHODS)))
        several = len(self.origins) > 1 or any(_PATTERN.search(origin) for origin in self.origins)
        if several and allowed != "*":
            headers.append(("vary", "Origin"))
        return [(name.encode(), value.encode("latin-1")) for name, value in headers]

    def _allowed(self, origin: str) -> str:
        """The origin that may read the answer; where a request names none, the first that is allowed."""
        if origin:
            return origin if any(_matches(pattern, origin) for pattern in self.origins) else ""
        if ".*" in self.origins:
            return "*"
        return min((origin for origin in self.origins if not _PATTERN.search(origin)), default="")


def _matches(pattern: str, origin: str) -> bool:
    if not _PATTERN.search(pattern):
        return pattern.casefold() == origin.casefold()
    return re.match(pattern, origin, re.IGNORECASE) is not None
