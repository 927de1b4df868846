"""What the HTTP server takes of its clients: headers, connections, and how slow they may be."""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from scorewright.service.settings import Settings

SPARE_DESCRIPTORS = 128
"""File descriptors that are left for everything but connections: scorers, logs, jobs, and connections turned away."""


@dataclass(frozen=True)
class HttpLimits:
    """What one front allows. Times are in seconds, infinite where there is no limit.

    header_bytes, headers   of the request line and the headers of a request, and of what comes beside a body's bytes
    header                  from the first byte of a request, or a new connection, until its headers are whole
    body, body_rate         a body has `body` seconds, and one more for each `body_rate` bytes of it
    keep_alive              between two requests of a connection
    send                    the client may take nothing of an answer for so long
    connections             open at once
    """

    header_bytes: int = 64 * 1024
    headers: int = 100
    header: float = math.inf
    body: float = math.inf
    body_rate: int = 1024
    keep_alive: float = math.inf
    send: float = math.inf
    connections: int = 4096

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that the settings name; each of several fronts has its share of the connections.

        There are never more than this process has file descriptors for.
        """
        descriptors = max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS)
        return cls(
            header_bytes=settings.max_header_bytes,
            headers=settings.max_headers,
            header=settings.header_timeout or math.inf,
            body=settings.body_timeout or math.inf,
            body_rate=settings.min_body_rate,
            keep_alive=settings.keep_alive_timeout or math.inf,
            send=settings.send_timeout or math.inf,
            connections=min(math.ceil(settings.max_connections / settings.fronts), descriptors),
        )
