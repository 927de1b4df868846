"""A document fetched by HTTP within a time, however slowly it comes.

The timeout of a socket is for each piece that comes. Who sends a byte now and then would be listened to for days.
"""

from __future__ import annotations

import functools
import http.client
import io
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from _typeshed import WriteableBuffer


def get(url: str, until: float, most_bytes: int) -> bytes:
    """What is at an address, `most_bytes` of it at most; by the environment's proxies, and without being led elsewhere.

    `until` is a time of time.monotonic(). Only the look-up of a name may take longer: the system bounds it.

    Raises OSError (TimeoutError once it takes too long), http.client.HTTPException or ValueError.
    """
    opener = urllib.request.build_opener(_NoRedirect, _Http(until), _Https(until))
    try:
        with opener.open(url, timeout=_left(until)) as answer:
            content: bytes = answer.read(most_bytes)
            return content
    except urllib.error.HTTPError as error:
        error.close()
        raise


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes too long")
    return left


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is at an address is there: it does not lead elsewhere, where nothing is encrypted perhaps."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _Http(urllib.request.HTTPHandler):
    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_connection(http.client.HTTPConnection, self._until), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        # The connection's own context checks certificates by the system's authorities.
        return self.do_open(_connection(http.client.HTTPSConnection, self._until), req)


def _connection(kind: Callable[..., http.client.HTTPConnection], until: float) -> Any:
    """What makes connections whose answers, a proxy's to CONNECT too, have come by then."""

    def connect(*arguments: Any, **options: Any) -> http.client.HTTPConnection:
        made = kind(*arguments, **options)
        made.response_class = functools.partial(_Answer, until)  # type: ignore[assignment]
        return made

    return connect


class _Answer(http.client.HTTPResponse):
    def __init__(self, until: float, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Until(sock, until))


class _Until(io.RawIOBase):
    """What comes over a socket, up to a time."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._socket = sock
        # It keeps the socket open, which the connection closes as soon as an answer has begun.
        self._stream = sock.makefile("rb", buffering=0)
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._socket.settimeout(_left(self._until))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()
