"""The same requests to azmlinfsrv and to us, and what is compared of the answers."""

from __future__ import annotations

import http.client
import json
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = tuple[tuple[str, str], ...]

PASSING = {"server", "date", "connection", "x-ms-server-version", "x-ms-run-fn-exec-ms", "keep-alive"}
"""Headers of the connection or the server, and the time that run() took."""

_EXPIRES = re.compile(r"Expires=[^;]+ GMT")
_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


@dataclass(frozen=True)
class Asked:
    """One request. `headers` are sent as they are, beside Host and Content-Length."""

    method: str = "POST"
    target: str = "/score"
    body: bytes | None = None
    headers: Headers = ()

    def __str__(self) -> str:
        words = [self.method, self.target, *(f"{name}={value[:30]}" for name, value in self.headers)]
        return " ".join([*words, (self.body or b"")[:40].decode("latin-1")]).strip()


@dataclass(frozen=True)
class Answered:
    """An answer: status, body, and the headers that count, sorted, with fresh ids as `<id>`."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(hash=False)
    timed: bool = False
    """Whether it says how long run() took."""


def ask(url: str, asked: Asked) -> Answered:
    """Send one request over a connection of its own, and read the answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", "scoring.example")
        for name, value in asked.headers:
            connection.putheader(name, value)
        if asked.body is not None:
            connection.putheader("Content-Length", str(len(asked.body)))
        connection.endheaders(asked.body)
        answer = connection.getresponse()
        body = answer.read()
        headers = [(name.lower(), value) for name, value in answer.getheaders()]
    finally:
        connection.close()
    timed = any(name == "x-ms-run-fn-exec-ms" and re.fullmatch(r"\d+\.\d{3}", value) for name, value in headers)
    # flask names what it allows in an order of its own each time.
    headers = [(name, ", ".join(sorted(value.split(", "))) if name == "allow" else value) for name, value in headers]
    # A cookie's end is reckoned from now, and the two servers are asked one after the other.
    headers = [(name, _EXPIRES.sub("Expires=<time>", value)) for name, value in headers]
    kept = [(name, "<id>" if _UUID.match(value) else value) for name, value in headers if name not in PASSING]
    return Answered(answer.status, body, sorted(kept), timed)


def without(answered: Answered, names: Iterable[str]) -> Answered:
    """The same answer without some headers."""
    dropped = set(names)
    kept = [(name, value) for name, value in answered.headers if name not in dropped]
    return Answered(answered.status, answered.body, kept, answered.timed)


def post(content: object, *headers: tuple[str, str]) -> Asked:
    """A POST of JSON."""
    return Asked(body=json.dumps(content).encode(), headers=(("Content-Type", "application/json"), *headers))


def raw_exchange(url: str, request: bytes, *, end: bool) -> bytes:
    """All that comes back for these bytes on a socket until the other side closes it; `end` closes this side first."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port), timeout=30) as connection:
        pieces = []
        try:
            connection.sendall(request)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                pieces.append(piece)
        except ConnectionError:
            pass
    return b"".join(pieces)
