"""A proxy that leads every host to the stand-in, so that the SDKs can ask the addresses that they really ask."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Self


class Proxy(ThreadingTCPServer):
    """Answers CONNECT; what follows goes to `port` of this machine, whichever host was named."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.port = port
        self.hosts: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Tunnel(StreamRequestHandler):
    server: Proxy
    rbufsize = 0
    disable_nagle_algorithm = True

    def handle(self) -> None:
        head = self.rfile.readline().split()
        while self.rfile.readline().strip():
            pass
        self.server.hosts.append(head[1].decode())
        with socket.create_connection(("127.0.0.1", self.server.port)) as there:
            self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            with contextlib.suppress(OSError):
                _pump(self.connection, there)


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either says until one has nothing more to say."""
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # they are sockets
                if not data:
                    return
                key.data.sendall(data)
