"""A call in a thread that nobody has to wait for: the loop and the process end without it.

asyncio.to_thread() is not that: what it has begun, asyncio.Runner and the interpreter wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")


def run(call: Callable[[], Answer]) -> asyncio.Future[Answer]:
    """Begin the call; what it returns or raises, once it has."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer | None, error: Exception | None) -> None:
        if done.done():
            return  # nobody waits any more
        if error is None:
            done.set_result(answer)  # type: ignore[arg-type]  # without an error there is an answer
        else:
            done.set_exception(error)

    def called() -> None:
        answer, failed = None, None
        try:
            answer = call()
        except Exception as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, answer, failed)

    threading.Thread(target=called, daemon=True).start()
    return done
