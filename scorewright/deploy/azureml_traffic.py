"""How an Azure ML endpoint divides its requests among its deployments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from scorewright.deploy.shares import HINT, read_shares, require_whole
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_MIRRORED = 50
"""Percent of the requests that Azure ML copies at most."""


@dataclass(frozen=True)
class Traffic:
    """Percents of the requests by deployment, and of those that are copied to one that answers nobody."""

    shares: Mapping[str, int]
    mirror: Mapping[str, int]

    @classmethod
    def parse(cls, shares: Sequence[str], mirror: str | None = None) -> Self:
        """From words like blue=90. Raises UsageError for what Azure ML does not take, with its limit."""
        made = cls(read_shares(shares), read_shares([mirror]) if mirror else {})
        made.check()
        return made

    def check(self) -> None:
        """Raises UsageError for what Azure ML does not take, with its limit."""
        if not self.shares and not self.mirror:
            raise UsageError("How is the traffic to be divided?", hint=HINT)
        require_whole(self.shares, or_none=True)
        for name, percent in self.mirror.items():
            if percent > MOST_MIRRORED:
                raise UsageError(f"--mirror {name}={percent}: Azure ML copies {MOST_MIRRORED} % at most.")
            if self.shares.get(name):
                raise UsageError(
                    f"{name} cannot both answer {self.shares[name]} % of the requests and be sent copies.",
                    hint="Mirror to a deployment without traffic.",
                )

    def check_known(self, endpoint: str, deployments: Sequence[str]) -> None:
        """Raises UsageError for a deployment that the endpoint does not have."""
        if unknown := sorted({*self.shares, *self.mirror} - {*deployments}):
            raise UsageError(
                f"{endpoint} has no deployment {unknown[0]}; it has {', '.join(sorted(deployments)) or 'none'}.",
                hint=f"Deploy it: scorewright deploy azureml IMAGE --name {endpoint} --slot {unknown[0]}",
            )
