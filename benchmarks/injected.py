"""The faults that are injected, and the script whose requests make them."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.servers import Server

SCRIPT = """
import collections, ctypes, itertools, json, os, resource, sys, time

kept = []


def init():
    pass


def run(raw):
    return globals()[json.loads(raw)["do"]]()


def run_many(raws):
    return [run(raw) for raw in raws]


def echo():
    return "right"


def segfault():
    ctypes.string_at(0)


def end():
    os._exit(3)


def run_out_of_memory():
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1, before[1]))
    try:
        return len(bytearray(1 << 30))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def hang():
    while True:
        pass


def hang_in_c():
    collections.deque(itertools.repeat(0), maxlen=0)


def leak():
    kept.append(bytearray(200_000_000))
    return "leaked"


def close_stdout():
    sys.stdout.close()
    for number in (0, 1):
        try:
            os.close(number)
        except OSError:
            pass
    print("said after stdout was closed")
    return "closed"


def fork_and_end():
    if os.fork() == 0:
        time.sleep(600)
    os._exit(3)
"""
DIED = "The process scoring this request ended unexpectedly. Check the logs for more info."
FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
LATE = "Scoring timeout after 500 ms"


@dataclass(frozen=True)
class Fault:
    """A fault: a request that makes it (`do`), or a signal to one of the `victims`.

    `answer` is what that request itself is answered. `cuts` says that clients of the victim may be cut off.
    """

    name: str
    do: str = ""
    answer: str = ""
    victims: Callable[[Server], list[int]] | None = None
    number: signal.Signals = signal.SIGKILL
    cuts: bool = False
    flags: tuple[str, ...] = ()
    replaced: bool = True


FAULTS = (
    Fault("A scorer is killed (SIGKILL)", victims=lambda server: server.scorers()),
    Fault("A scorer is sent SIGTERM", victims=lambda server: server.scorers(), number=signal.SIGTERM, replaced=False),
    Fault("One of two fronts is killed", victims=lambda server: server.fronts(), cuts=True, replaced=False),
    Fault("run() segfaults", "segfault", DIED),
    Fault("run() ends the process", "end", DIED),
    Fault("run() runs out of memory (RLIMIT_AS)", "run_out_of_memory", FAILED, replaced=False),
    Fault("run() hangs in Python, 500 ms allowed", "hang", LATE, replaced=False),
    Fault("run() hangs in C, 500 ms allowed", "hang_in_c", LATE),
    Fault(
        "run() leaks 200 MB, 150 MB allowed", "leak", "leaked", flags=("--max-scorer-bytes", "150000000"), replaced=True
    ),
    Fault("run() closes stdout and its descriptor", "close_stdout", "closed", replaced=False),
    Fault("run() forks a child, and ends", "fork_and_end", DIED),
)
