"""What every target of a deployment does, and what it hands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scorewright.deploy.settings import DeploySettings

Report = Callable[[str], None]
"""Told what is going on, a line at a time."""


class Plan(Protocol):
    """What would be sent. Making one asks nobody, and nothing in it shows a secret."""

    @property
    def name(self) -> str:
        """The deployment's name."""

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON carries it."""

    def describe(self) -> str:
        """The plan for people: what `--plan` prints."""

    def write(self, folder: Path) -> Sequence[Path]:
        """Write what would be sent into `folder`, in the forms that the target's own tools take; the files."""


@dataclass(frozen=True)
class Status:
    """How a deployment is."""

    name: str
    target: str
    image: str
    state: str
    """In the target's own word."""
    healthy: bool
    url: str
    """Empty where it has none (yet)."""
    detail: str = ""
    """What is wrong, in words; empty if nothing is."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return asdict(self)


@runtime_checkable
class Deployment(Protocol):
    """A handle on a service that was deployed."""

    @property
    def name(self) -> str:
        """The deployment's name."""

    @property
    def scoring_uri(self) -> str:
        """Where requests are POSTed."""

    def run(self, data: object, *, timeout: float = 60) -> Any:
        """Score: a mapping is the request, anything else its rows. The parsed answer.

        Raises RequestError if the service refuses, ServiceError if it does not answer within `timeout` seconds.
        """

    def get_keys(self) -> tuple[str, ...]:
        """The keys that a request may carry, the primary first; empty where none is asked for."""

    def status(self) -> Status:
        """How it is."""

    def logs(self, tail: int | None = None) -> str:
        """What it has logged; only the last `tail` lines if given."""

    def delete(self) -> None:
        """Remove it, and all that was made for it."""


P = TypeVar("P", bound=Plan)


class Target(Protocol[P]):
    """A place where images are run. Its own choices (which cluster, which group) are in the object.

    All but `plan` raise DeployError (DockerError on this machine) for what the place refuses.
    """

    def plan(self, settings: DeploySettings) -> P:
        """Translate the settings; pure. Raises UsageError with the limit named where they do not fit."""

    def apply(self, plan: P, report: Report) -> Deployment:
        """Send what was planned and wait until it is healthy. Applied again it converges: nothing is doubled."""

    def get(self, name: str) -> Deployment:
        """A handle on what was deployed as `name`."""

    def status(self, name: str) -> Status:
        """How the deployment is."""

    def logs(self, name: str, tail: int | None = None) -> str:
        """What it has logged; only the last `tail` lines if given."""

    def delete(self, name: str) -> None:
        """Remove the deployment, and all that was made for it."""

    def deployments(self) -> list[Status]:
        """All that was deployed there, by name."""


def silent(_: str) -> None:
    """A report that nobody hears."""
