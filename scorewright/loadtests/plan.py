"""What one load generator is told: where to send which requests how fast, and what the answers are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from scorewright.errors import LoadTestError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter


@dataclass(frozen=True)
class Payload:
    """A request's body, its number of rows, and the body of the right answer; None is not to be compared."""

    body: str
    rows: int
    answer: str | None


@dataclass(frozen=True)
class Plan:
    """One run of Locust. It holds no key: that is handed on in the environment."""

    url: str
    name: str
    """What Locust's own statistics call the requests."""
    deployment: str | None
    """The deployment to pin, as the header azureml-model-deployment."""
    payloads: tuple[Payload, ...]
    users: int
    """How many ask at once; with a rate, how many may."""
    rate: float | None
    """Requests a second to send, whatever comes back; None: each user asks again when it has its answer."""
    warm_up: float
    """Seconds before anything is counted."""
    seconds: float | None
    """Seconds that are counted; None runs until it is told to stop, and leaves the counting to Locust."""
    timeout: float
    """Seconds that an answer may take."""

    def to_json(self) -> str:
        """Itself as JSON, for `read`."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def read(cls, path: Path) -> Plan:
        """What `to_json` wrote. Raises LoadTestError if the file is missing or holds something else."""
        from pydantic import ValidationError

        try:
            return _adapter().validate_json(path.read_bytes())
        except OSError as error:
            raise LoadTestError(f"The plan {path} cannot be read: {error.strerror}.") from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"]) or "the top level"
            raise LoadTestError(
                f"{path} is no plan of a load test: at {place}: {first['msg']}.",
                hint="Write one with `scorewright loadtest URL --bundle BUNDLE --plan FILE`.",
            ) from None


@cache
def _adapter() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter

    return TypeAdapter(Plan)
