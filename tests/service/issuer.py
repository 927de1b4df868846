"""A local issuer of tokens: a real HTTP server with keys of its own, which can be changed and be away."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "api://scores"

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issuer:
    """Signs tokens, and tells by which keys."""

    def __init__(self) -> None:
        self.keys: dict[str, Private] = {"one": new_rsa()}
        self.away = False
        self.fetched = 0
        self.more: list[dict[str, Any]] = []
        """Entries of the key set besides."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/tenant/v2.0"
        self.calls_itself = self.url
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, kid: str = "one", *, by: Private | None = None, alg: str = "RS256", **claims: object) -> str:
        """A token that is good, but for what is told otherwise; a claim of None is left out."""
        now = time.time()
        told = {"iss": self.url, "aud": AUDIENCE, "exp": now + 600, "nbf": now - 1, "sub": "me", **claims}
        kept = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(kept, by or self.keys[kid], algorithm=alg, headers={"kid": kid})

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.away:
            handler.send_error(503)
            return
        if handler.path.endswith("/keys"):
            self.fetched += 1
            content: dict[str, Any] = {"keys": [public(kid, key) for kid, key in self.keys.items()] + self.more}
        else:
            content = {"issuer": self.calls_itself, "jwks_uri": f"{self.url}/keys"}
        body = json.dumps(content).encode()
        handler.send_response(200)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def new_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(kid: str, key: Private) -> dict[str, Any]:
    """As a key set has it, without `alg`, as Entra's."""
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig"}  # type: ignore[arg-type]


class Answering:
    """Answers these bytes to whatever it is asked, and hangs up; a real TCP server.

    With `then`, these go on, again and again, for as long as somebody listens.
    """

    THREADS = "answering"

    def __init__(self, begin: bytes, then: bytes = b"") -> None:
        self.asked = 0
        self._begin, self._then = begin, then
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name=self.THREADS, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), name=self.THREADS, daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            self.asked += 1
            connection.sendall(self._begin)
            while self._then and not self._closed.wait(0.05):
                connection.sendall(self._then)
