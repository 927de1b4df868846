"""What the stand-in is asked, and what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Call:
    """One request that the stand-in was sent."""

    method: str
    path: str
    """Without the query, as it was sent."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By names in lower case."""
    raw: bytes = b""

    @property
    def body(self) -> Any:
        """The JSON that was sent; None if there was none."""
        return json.loads(self.raw) if self.raw else None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """A response. A body that is not bytes is sent as JSON; None sends nothing."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Service(Protocol):
    """A part of the cloud that the stand-in speaks for."""

    def answer(self, call: Call) -> Answer | None:
        """The answer to a call; None if it is another's to answer."""


def arm_error(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error as Azure Resource Manager words it; `Retry_After` in `headers` becomes Retry-After."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(status, {"error": {"code": code, "message": message}}, named)


QUOTA = arm_error(409, "QuotaExceeded", "Resource usage exceeds quota: StandardCores, limit 10, used 10, requested 2.")
THROTTLED = arm_error(429, "TooManyRequests", "The request is being throttled.", Retry_After="1")
FORBIDDEN = arm_error(
    403,
    "AuthorizationFailed",
    "The client 'someone@acme.example' does not have authorization to perform action "
    "'Microsoft.ContainerInstance/containerGroups/write' over scope '/subscriptions/s'.",
)
NOT_LOGGED_IN = arm_error(401, "InvalidAuthenticationToken", "The access token is invalid.")
CONFLICT = arm_error(409, "Conflict", "Another operation is in progress on this resource.", Retry_After="1")
