"""What a load test is told, read from the words of its flags."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from scorewright.errors import UsageError
from scorewright.loadtests.measurements import ScenarioName

if TYPE_CHECKING:
    from pathlib import Path

SCENARIOS: tuple[ScenarioName, ...] = get_args(ScenarioName)
USERS = 8
MOST_CONNECTIONS = 256
"""How many requests may be on their way at once at a fixed rate, unless --users says."""

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RAMP = re.compile(r"(\d+)\.\.(\d+)(/s)?")


@dataclass(frozen=True)
class Load:
    """How hard it is asked: by so many users at once, or at a rate, requests a second, by at most so many."""

    users: int
    rate: float | None = None


@dataclass(frozen=True)
class Ramp:
    """Load that is raised step by step."""

    steps: tuple[Load, ...]


@dataclass(frozen=True)
class Settings:
    """All that a run needs besides the endpoint and its requests. Times are seconds."""

    scenarios: tuple[ScenarioName, ...]
    load: Load
    ramp: Ramp | None
    rows: tuple[int, ...]
    """The client-batched requests' numbers of rows."""
    duration: float
    warm_up: float
    workers: int = 1
    web_port: int | None = None
    bulk_input: str | None = None
    bulk_data: Path | None = None
    bulk_rows: int = 100_000

    @property
    def sizes(self) -> tuple[int, ...]:
        """Every number of rows that a request has, each once."""
        single = {1} & {1 for name in self.scenarios if name in ("realtime", "mixed")}
        return tuple(sorted(single | ({*self.rows} if "client-batch" in self.scenarios else set())))


def read_scenarios(text: str) -> tuple[ScenarioName, ...]:
    """`realtime,bulk` as names. Raises UsageError."""
    found: list[ScenarioName] = []
    for word in text.split(","):
        name = next((name for name in SCENARIOS if name == word.strip()), None)
        if name is None:
            raise UsageError(f"--scenario {word.strip() or text!r}: there are {', '.join(SCENARIOS)}.")
        if name not in found:
            found.append(name)
    return tuple(found)


def read_seconds(text: str, flag: str, *, least: float) -> float:
    """`30s`, `500ms`, `2m` or `1h` in seconds. Raises UsageError."""
    found = _SECONDS.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{flag} {text!r} is no time; give one like 30s, 500ms or 2m.")
    seconds = float(found[1]) * _UNITS[found[2] or "s"]
    if not least <= seconds <= 86_400:
        raise UsageError(f"{flag} {text} must be from {least:g}s to 24h.")
    return seconds


def read_rows(text: str) -> tuple[int, ...]:
    """`1,10,100` as numbers. Raises UsageError."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 0 < int(word) <= 1_000_000 for word in words):
        raise UsageError(f"--rows {text!r} must be numbers of rows, from 1, separated by commas, like 1,10,100.")
    return tuple(sorted({int(word) for word in words}))


def read_load(users: int | None, rate: float | None, *, workers: int) -> Load:
    """The load from --users and --rate. Raises UsageError."""
    if workers < 1 or workers > 64:
        raise UsageError(f"--workers {workers} must be from 1 to 64.")
    if users is not None and not workers <= users <= 10_000:
        raise UsageError(f"--users {users} must be from {workers}, one for each worker, to 10000.")
    if rate is None:
        return Load(users if users is not None else max(USERS, workers))
    if not 0 < rate <= 1_000_000 or not math.isfinite(rate):
        raise UsageError(f"--rate {rate:g} must be a number of requests a second, more than 0.")
    return Load(users if users is not None else max(MOST_CONNECTIONS, workers), rate)


def read_ramp(text: str, *, workers: int) -> Ramp:
    """`1..256` users, doubled from step to step, or `100..800/s`, a rate. Raises UsageError."""
    found = _RAMP.fullmatch(text.replace(" ", ""))
    low, high = (int(found[1]), int(found[2])) if found else (0, 0)
    if not found or not 1 <= low < high:
        raise UsageError(f"--ramp {text!r} must be two numbers of users like 1..256, or two rates like 100..800/s.")
    amounts = []
    while low < high:
        amounts.append(low)
        low *= 2
    amounts.append(high)
    if found[3]:
        return Ramp(tuple(Load(max(MOST_CONNECTIONS, workers), float(amount)) for amount in amounts))
    if high > 10_000:
        raise UsageError(f"--ramp {text}: there may be at most 10000 users.")
    if amounts[0] < workers:
        raise UsageError(f"--ramp {text}: its first step has fewer users than there are --workers.")
    return Ramp(tuple(Load(amount) for amount in amounts))
