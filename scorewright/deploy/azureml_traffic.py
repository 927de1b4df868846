"""How an Azure ML endpoint divides its requests among its deployments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

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
        given = dict(_share(one) for one in shares)
        copied = dict([_share(mirror)]) if mirror else {}
        if len(given) != len(shares):
            raise UsageError("A deployment is named twice.", hint="Write each one once: blue=90 green=10")
        total = sum(given.values())
        if given and total not in (0, 100):
            raise UsageError(
                f"{' + '.join(map(str, given.values()))} is {total}: the shares must add up to 100, or to 0 "
                "for an endpoint that answers nobody."
            )
        for name, percent in copied.items():
            if percent > MOST_MIRRORED:
                raise UsageError(f"--mirror {name}={percent}: Azure ML copies {MOST_MIRRORED} % at most.")
            if given.get(name):
                raise UsageError(
                    f"{name} cannot both answer {given[name]} % of the requests and be sent copies.",
                    hint="Mirror to a deployment without traffic.",
                )
        if not given and not copied:
            raise UsageError("How is the traffic to be divided?", hint="Write it like blue=90 green=10.")
        return cls(given, copied)

    def check_known(self, endpoint: str, deployments: Sequence[str]) -> None:
        """Raises UsageError for a deployment that the endpoint does not have."""
        if unknown := sorted({*self.shares, *self.mirror} - {*deployments}):
            raise UsageError(
                f"{endpoint} has no deployment {unknown[0]}; it has {', '.join(sorted(deployments)) or 'none'}.",
                hint=f"Deploy it: scorewright deploy azureml IMAGE --name {endpoint} --slot {unknown[0]}",
            )


def _share(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"([a-zA-Z][-a-zA-Z0-9]*)=(\d{1,3})%?", text)
    if found is None or int(found[2]) > 100:
        raise UsageError(f"{text!r} is no share of the traffic.", hint="Write it like blue=90, in percent.")
    return found[1], int(found[2])
