"""Going through the checks of a subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from scorewright.doctor.finding import Finding, failed
from scorewright.errors import ScorewrightError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scorewright.doctor.finding import Check

S = TypeVar("S")


def examine(
    checks: Iterable[Check[S]], subject: S, on_finding: Callable[[Finding], None] = lambda _: None
) -> list[Finding]:
    """What each check finds, in their order. One that fails does not keep the others from looking."""
    findings = []
    for check in checks:
        try:
            outcome = check.look(subject)
        except ScorewrightError as error:
            outcome = failed(error.message, error.hint)
        findings.append(Finding(check.name, check.looks_at, outcome.result, outcome.said, outcome.remedy))
        on_finding(findings[-1])
    return findings
