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
from scorewright.service import frames, line_stream, log
from scorewright.service.channel import Channel
from scorewright.service.counters import Counters
from scorewright.service.credentials import Credentials
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
    from collections.abc import Coroutine

    from scorewright.service.front import Served


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
    if settings.log_format == "json":
        line_stream.take(logger)
    try:
        target = Target.of_told(told["target"])
        log.replace([target.app_root, *([target.entry_script.parent] if target.entry_script is not None else [])])
        with contextlib.ExitStack() as stack, asyncio.Runner(loop_factory=loop_factory()) as runner:
            listeners = [stack.enter_context(listen(told["host"], port, shared=True)) for port in told["ports"]]
            counters = Counters(int(sys.argv[2]), settings.fronts)
            runner.run(_serve(channel, told, settings, target, listeners, logger, counters))
    except ScorewrightError as error:
        logger.error("%s %s", error.message, error.hint)
        return error.exit_code
    return 0


async def _serve(
    channel: Channel,
    first: dict[str, Any],
    settings: Settings,
    target: Target,
    listeners: list[socket.socket],
    logger: logging.Logger,
    counters: Counters,
) -> None:
    credentials = Credentials.of_told(first["credentials"], settings, logger)
    front = Front(settings, target, listeners, logger, counters, first["number"], credentials)
    front.served.engine.reload = first["reload"]
    told = _Told(front, first["generation"], first["number"], channel)
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

    def __init__(self, front: Front, generation: int, number: int, channel: Channel) -> None:
        self.drain = asyncio.Event()
        self.hurry = asyncio.Event()
        self._front = front
        self._number = number
        self._channel = channel
        self._served: dict[int, asyncio.Future[Served]] = {generation: asyncio.get_running_loop().create_future()}
        self._served[generation].set_result(front.served)
        self._scorers: dict[int, _Scorer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, kind: Kind, content: Any, descriptors: list[int]) -> None:
        """One frame."""
        if kind is Kind.SCORER:
            scorer = self._scorers[content["number"]] = _Scorer(content["generation"])
            self._begin(self._follow(scorer, content, *descriptors))
        elif kind is Kind.GONE:
            if content in self._scorers:
                self._scorers[content].gone.set()
        elif kind is Kind.RETIRE:
            self._begin(self._retire(content))
        elif kind is Kind.PREPARE:
            self._front.served.engine.reload = "under way"
            self._served[content["generation"]] = asyncio.ensure_future(
                self._front.prepare(Target.of_told(content["target"]))
            )
        elif kind is Kind.SWAP:
            self._begin(self._swap(content))
        elif kind is Kind.FINISH:
            self._begin(self._finish(content))
        elif kind is Kind.DROP:
            self._front.served.engine.reload = "refused"
            self._served.pop(content, None)
        else:
            self._obey(kind, content)

    def _obey(self, kind: Kind, content: Any) -> None:
        if kind is Kind.CLOSED:
            self._begin(self._close(content))
        elif kind is Kind.DRAIN:
            self.drain.set()
        elif kind is Kind.HURRY:
            self.hurry.set()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _done(self, content: dict[str, Any]) -> None:
        # The main process may be gone.
        with contextlib.suppress(OSError):
            self._channel.send([frames.pack_json(Kind.DONE, content["ticket"])])

    async def _close(self, told: dict[str, Any]) -> None:
        served = self._served.get(told["generation"])
        if served is not None:
            (await asyncio.shield(served)).engine.close(told["reason"])

    async def _swap(self, told: dict[str, Any]) -> None:
        """Serve another generation, as soon as all of its scorers that were told of are in use."""
        served = await asyncio.shield(self._served[told["generation"]])
        for scorer in list(self._scorers.values()):
            if scorer.generation == told["generation"]:
                await scorer.settled.wait()
        self._front.swap(served)
        self._done(told)

    async def _finish(self, told: dict[str, Any]) -> None:
        served = self._served.pop(told["generation"], None)
        # A front that was started since has never served it.
        if served is not None:
            await self._front.finished(await served)
        self._done(told)

    async def _retire(self, told: dict[str, Any]) -> None:
        """Hang up on a scorer once it has answered all, and not before those that came for it are in use."""
        scorer = self._scorers.get(told["number"])
        for other in list(self._scorers.values()):
            await other.settled.wait()
        if scorer is not None and scorer.link is not None:
            served = await asyncio.shield(self._served[scorer.generation])
            gone = asyncio.create_task(scorer.gone.wait())
            waited: list[asyncio.Future[Any]] = [served.engine.retire(scorer.link), gone]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            scorer.gone.set()
        self._done(told)

    async def _follow(self, scorer: _Scorer, told: dict[str, Any], connection: int, page: int) -> None:
        """Use a scorer until it is gone, or the link to it."""
        status = Status(page)
        engine = (await asyncio.shield(self._served[scorer.generation])).engine
        link = await Link.over(socket.socket(fileno=connection), engine, status, self._number, lambda _, __: None)
        link.script = Ready(**told["script"])
        engine.join(link)
        scorer.link = link
        scorer.settled.set()
        link.closed.add_done_callback(lambda _: scorer.gone.set())
        await scorer.gone.wait()
        link.close()
        await asyncio.wait({link.closed})
        engine.leave(link)
        status.close()
        del self._scorers[told["number"]]


class _Scorer:
    """A scorer of one generation. `settled` is set once it is in use."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.link: Link | None = None
        self.settled = asyncio.Event()
        self.gone = asyncio.Event()


if __name__ == "__main__":
    sys.exit(main())
