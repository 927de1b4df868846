"""A further front: a process that speaks HTTP beside the main one.

Started by the main process as `python -m scorewright.service.front_process CONTROL COUNTERS`: the socket over which it
is told what to serve, and of scorers, and the memory it counts in. It ends when it is told to, or the socket ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from scorewright.errors import ScorewrightError
from scorewright.service import line_stream, log
from scorewright.service.channel import Channel
from scorewright.service.counters import Counters
from scorewright.service.event_loop import loop_factory
from scorewright.service.frames import Kind, Ready
from scorewright.service.front import Front
from scorewright.service.link import Link
from scorewright.service.listener import listen
from scorewright.service.settings import Settings
from scorewright.service.status import Status
from scorewright.service.target import Target

if TYPE_CHECKING:
    import logging

    from scorewright.service.engine import Engine


def main() -> int:
    """Serve until told to end. The exit code is the process's."""
    # What all processes of a service are sent is for the main one, which tells the others what to do.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    first = channel.read()
    if first is None:
        return 0
    told = json.loads(first[1])
    settings = Settings(**told["settings"])
    own = line_stream.apart() if settings.log_format == "json" else None
    logger = log.set_up(settings.log_level, log.Current(), settings.log_format, own)
    if own is not None:
        line_stream.take(logger)
    try:
        target = Target.of(settings)
        log.replace([target.app_root, *([target.entry_script.parent] if target.entry_script is not None else [])])
        with contextlib.ExitStack() as stack, asyncio.Runner(loop_factory=loop_factory()) as runner:
            listeners = [stack.enter_context(listen(told["host"], port, shared=True)) for port in told["ports"]]
            counters = Counters(int(sys.argv[2]), settings.fronts)
            runner.run(_serve(channel, told["number"], settings, target, listeners, logger, counters))
    except ScorewrightError as error:
        logger.error("%s %s", error.message, error.hint)
        return error.exit_code
    return 0


async def _serve(
    channel: Channel,
    number: int,
    settings: Settings,
    target: Target,
    listeners: list[socket.socket],
    logger: logging.Logger,
    counters: Counters,
) -> None:
    front = Front(settings, target, listeners, logger, counters, number)
    told = _Told(front.engine, number)
    threading.Thread(target=_listen, args=(channel, asyncio.get_running_loop(), told), daemon=True).start()
    serving = asyncio.create_task(front.serve())
    draining = asyncio.create_task(told.drain.wait())
    await asyncio.wait({serving, draining}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    await front.drain(serving, told.hurry)


def _listen(channel: Channel, loop: asyncio.AbstractEventLoop, told: _Told) -> None:
    while (given := channel.read_with_descriptors()) is not None:
        kind, payload, descriptors = given
        loop.call_soon_threadsafe(told.hear, kind, json.loads(payload), descriptors)
    # The main process is gone, and the scorers go with it.
    os._exit(1)


class _Told:
    """What the main process has told this front."""

    def __init__(self, engine: Engine, number: int) -> None:
        self.drain = asyncio.Event()
        self.hurry = asyncio.Event()
        self._engine = engine
        self._number = number
        self._gone: dict[int, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, kind: Kind, content: Any, descriptors: list[int]) -> None:
        """One frame."""
        if kind is Kind.SCORER:
            self._gone[content["number"]] = asyncio.Event()
            task = asyncio.create_task(self._follow(content, *descriptors))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif kind is Kind.GONE:
            self._gone[content].set()
        elif kind is Kind.CLOSED:
            self._engine.close(content)
        elif kind is Kind.DRAIN:
            self.drain.set()
        elif kind is Kind.HURRY:
            self.hurry.set()

    async def _follow(self, told: dict[str, Any], connection: int, page: int) -> None:
        """Use a scorer until it is gone, or the link to it."""
        gone = self._gone[told["number"]]
        status = Status(page)
        link = await Link.over(socket.socket(fileno=connection), self._engine, status, self._number, lambda _, __: None)
        link.script = Ready(**told["script"])
        self._engine.join(link)
        link.closed.add_done_callback(lambda _: gone.set())
        await gone.wait()
        link.close()
        await asyncio.wait({link.closed})
        self._engine.leave(link)
        status.close()


if __name__ == "__main__":
    sys.exit(main())
