"""What a check is, and what it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")

Result = Literal["ok", "warning", "failed", "not looked at"]


@dataclass(frozen=True)
class Outcome:
    """How one thing is. `remedy` says what to do; of what was not looked at, `said` says why not."""

    result: Result
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class Check(Generic[S]):
    """One thing that is looked at. `look` is given the subject; a ScorewrightError that it raises is its failure."""

    name: str
    looks_at: str
    look: Callable[[S], Outcome]


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    check: str
    looks_at: str
    result: Result
    said: str
    remedy: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def ok(said: str) -> Outcome:
    return Outcome("ok", said)


def warning(said: str, remedy: str) -> Outcome:
    """It works, and may not for long or not for everybody."""
    return Outcome("warning", said, remedy)


def failed(said: str, remedy: str) -> Outcome:
    return Outcome("failed", said, remedy)


def skipped(why: str, remedy: str = "") -> Outcome:
    return Outcome("not looked at", why, remedy)
