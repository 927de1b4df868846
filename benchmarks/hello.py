"""The ceiling: an ASGI application that only answers, on the HTTP server of Scorewright's front, in one process."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import uvloop

from scorewright.service.http_limits import HttpLimits
from scorewright.service.http_server import HttpServer
from scorewright.service.listener import listen

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

ANSWER = b'{"predict_proba": [[0.0, 1.0, 0.0]]}'


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with the same bytes whatever is asked."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def main(port: int) -> None:
    """Serve until SIGTERM."""
    with listen("127.0.0.1", port) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(HttpServer.of(hello, HttpLimits()).serve([listener]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
