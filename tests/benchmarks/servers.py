"""A little HTTP server that answers each row with what a function says, and remembers what it was asked."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Asked(list[str]):
    """The bodies that came, and where to send them."""

    url = ""


@contextmanager
def answering(answer: Callable[[Any], tuple[int, Any]]) -> Iterator[Asked]:
    """A server whose status and JSON are the function's, called with the one row of the request."""
    asked = Asked()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the client would wait for the second

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append(body)
            status, content = answer(json.loads(body)["data"][0])
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        asked.url = f"http://127.0.0.1:{server.server_address[1]}/score"
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()
