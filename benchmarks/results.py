"""What a run measured: every round, as results.json has it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from pydantic import BaseModel

from benchmarks.cases import Key  # noqa: TC001  # pydantic needs it at run time
from benchmarks.load import Load  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterable


class Spread(BaseModel):
    """The median of several rounds, and their least and greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None if there are no values."""
        found = list(values)
        return cls(median=statistics.median(found), low=min(found), high=max(found)) if found else None


class Phase(BaseModel):
    """One server under one load in one round."""

    round: int
    connections: int
    load: Load | None = None
    fault: str | None = None
    """Why the figure does not count."""


class Row(BaseModel):
    """One server of a case."""

    key: Key
    title: str
    failed: str | None = None
    """Why it did not take part."""
    phases: list[Phase] = []

    def values(self, connections: int, figure: str) -> dict[int, float]:
        """A figure of Load by round, of the rounds that count."""
        return {
            phase.round: float(getattr(phase.load, figure))
            for phase in self.phases
            if phase.connections == connections and phase.load is not None
        }


class CaseResult(BaseModel):
    """One model under all its servers."""

    key: str
    title: str
    rows: list[Row]
    floor: list[dict[str, float]]
    """For each round, the milliseconds of one row in the model itself, by the way it is called."""

    def row(self, key: Key) -> Row | None:
        """A server's row, if it was to take part."""
        return next((row for row in self.rows if row.key == key), None)

    def values(self, key: Key, connections: int, figure: str) -> dict[int, float]:
        """A server's figure by round; nothing if there is none."""
        row = self.row(key)
        return row.values(connections, figure) if row else {}

    def ratio(self, ours: Key, peer: Key, connections: int, figure: str = "requests_per_second") -> Spread | None:
        """One server's figure by another's, round by round: the two of a round were measured within seconds."""
        above, below = self.values(ours, connections, figure), self.values(peer, connections, figure)
        return Spread.of(above[at] / below[at] for at in above.keys() & below.keys())


class Start(BaseModel):
    """Starts of one server, alone on the machine, with the first case's model."""

    key: Key
    title: str
    failed: str | None = None
    processes: int = 0
    seconds: list[float] = []
    """Until its health check answered 200."""
    memory_bytes: list[int] = []
    """PSS of all its processes, before the first request."""


class Machine(BaseModel):
    """What it ran on."""

    processor: str
    processors: int
    used: int
    """How many of them everything shared, the load generator too."""
    memory_bytes: int
    kernel: str
    load_average: float
    """Of the minute before the run: what else the machine was doing."""


class Verdict(BaseModel):
    """A target, and what was reached."""

    what: str
    asked: str
    reached: str | None
    met: bool | None
    """None if it was not measured."""


class Results(BaseModel):
    """A whole run."""

    when: str
    command: str
    rounds: int
    seconds: int
    connections: list[int]
    machine: Machine
    versions: dict[str, dict[str, str]]
    """By environment, the releases of what matters in it."""
    cases: list[CaseResult]
    starts: list[Start]
    verdicts: list[Verdict] = []

    def case(self, key: str) -> CaseResult | None:
        """A case by its letter, if it was run."""
        return next((case for case in self.cases if case.key == key), None)

    def start(self, key: Key) -> Start | None:
        """A server's starts, if they were measured."""
        return next((start for start in self.starts if start.key == key), None)
