"""Listening sockets."""

from __future__ import annotations

import socket

from scorewright.errors import ServiceError

BACKLOG = 2048


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; several may share a port if each is `shared`.

    Raises ServiceError naming the address if it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ServiceError(
            f"There is no address {host!r} to listen on: {error.strerror}.",
            hint="Give --host an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all.",
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServiceError(
            f"Port {port} of {host} cannot be listened on: {error.strerror}.",
            hint="Choose another with --port, or stop what uses it.",
        ) from error
    return listener
