"""A further front: a process that speaks HTTP beside the main one.

Started by the main process as `python -m scorewright.service.front_process CONTROL LISTENER...`: the socket over which
it is told what to serve and of scorers, and what it listens on. It ends when it is told to, or the socket ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from scorewright.errors import ScorewrightError
from scorewright.service import log
from scorewright.service.channel import Channel
from scorewright.service.event_loop import loop_factory
from scorewright.service.frames import Kind, Ready
from scorewright.service.front import Front
from scorewright.service.link import Link
from scorewright.service.settings import Settings
from scorewright.service.target import Target

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from scorewright.service.engine import Engine


def main() -> int:
    """Serve until told to end. The exit code is the process's."""
    control, *listeners = [socket.socket(fileno=int(word)) for word in sys.argv[1:]]
    channel = Channel(control)
    first = channel.read()
    if first is None:
        return 0
    settings = Settings(**json.loads(first[1]))
    logger = log.set_up(settings.log_level, log.Current())
    try:
        target = Target.of(settings)
        log.replace([target.app_root, *([target.entry_script.parent] if target.entry_script is not None else [])])
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(channel, settings, target, listeners, logger))
    except ScorewrightError as error:
        logger.error("%s %s", error.message, error.hint)
        return error.exit_code
    return 0


async def _serve(
    channel: Channel, settings: Settings, target: Target, listeners: Sequence[socket.socket], logger: logging.Logger
) -> None:
    front = Front(settings, target, listeners, logger)
    told = _Told(front.engine)
    threading.Thread(target=_listen, args=(channel, asyncio.get_running_loop(), told), daemon=True).start()
    serving = asyncio.create_task(front.serve())
    draining = asyncio.create_task(told.drain.wait())
    await asyncio.wait({serving, draining}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    await front.drain(serving, told.hurry)


def _listen(channel: Channel, loop: asyncio.AbstractEventLoop, told: _Told) -> None:
    while (given := channel.read_with_descriptor()) is not None:
        kind, payload, descriptor = given
        loop.call_soon_threadsafe(told.hear, kind, json.loads(payload), descriptor)
    # The main process is gone, and the scorers go with it.
    os._exit(1)


class _Told:
    """What the main process has told this one."""

    def __init__(self, engine: Engine) -> None:
        self.drain = asyncio.Event()
        self.hurry = asyncio.Event()
        self._engine = engine
        self._links: dict[int, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, kind: Kind, content: Any, descriptor: int | None) -> None:
        """One frame."""
        if kind is Kind.SCORER and descriptor is not None:
            task = asyncio.create_task(self._follow(content, socket.socket(fileno=descriptor)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif kind is Kind.GONE:
            link = self._links.get(content)
            if link is not None:
                link.close()
        elif kind is Kind.CLOSED:
            self._engine.close(content)
        elif kind is Kind.DRAIN:
            self.drain.set()
        elif kind is Kind.HURRY:
            self.hurry.set()

    async def _follow(self, told: dict[str, Any], sock: socket.socket) -> None:
        """Use a scorer for as long as there is a link to it."""
        link = await Link.over(sock, self._engine, lambda _, __: None)
        link.script = Ready(**told["script"])
        self._links[told["number"]] = link
        self._engine.join(link)
        await link.closed
        del self._links[told["number"]]
        self._engine.leave(link)


if __name__ == "__main__":
    sys.exit(main())
