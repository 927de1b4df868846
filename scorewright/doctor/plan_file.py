"""A deployment's plan, as `scorewright deploy TARGET ... --plan --json` prints it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}

_LITERAL = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
"""A variable as Kustomize's configMapGenerator has it."""

_MILLISECONDS = ("request_timeout_ms", "scoring_timeout_ms")
"""What a plan for Azure ML calls a request's time, in whatever else it is set by."""


@dataclass(frozen=True)
class Planned:
    """What a plan says of the service. None: it says nothing of that."""

    place: str
    variables: dict[str, str]
    memory: int | None
    """Bytes."""
    start: float | None
    """Seconds that start-up probes leave it."""
    probe_timeout: float | None
    """Seconds that a probe may take."""


def read_plan(path: Path) -> Planned:
    """Raises UsageError if the file cannot be read or is no plan."""
    hint = "Write one with: scorewright deploy TARGET IMAGE ... --plan --json > FILE"
    try:
        plan = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise UsageError(f"--plan {path} cannot be read: {reason}.", hint=hint) from None
    if not isinstance(plan, dict) or "target" not in plan:
        raise UsageError(f"--plan {path} is no plan of a deployment.", hint=hint)
    # Of a group with a Caddy beside the service, the service comes first.
    found: dict[str, Any] = {}
    for name, value in _words(plan):
        found.setdefault(name, value)
    variables = {name: str(value) for name, value in found.items() if re.fullmatch(r"[A-Z][A-Z0-9_]*", name)}
    for name in _MILLISECONDS:
        if found.get(name) is not None:
            variables.setdefault("SCORING_TIMEOUT_MS", str(found[name]))
    return Planned(str(plan["target"]), variables, _memory(found), _start(found), _probe_timeout(found))


def _words(value: Any) -> Iterator[tuple[str, Any]]:
    """Every name with what it is given, at any depth; of variables in a list, their own names."""
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and "value" in value:
            yield value["name"], value["value"]
        for name, inner in value.items():
            yield name, inner
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    elif isinstance(value, str) and (literal := _LITERAL.fullmatch(value)):
        yield literal[1], literal[2]


def _memory(found: dict[str, Any]) -> int | None:
    for name, unit in (("memoryInGB", 2**30), ("memory_gb", 2**30), ("memory", 1)):
        value = found.get(name)
        if isinstance(value, int | float):
            return int(value * unit)
        if isinstance(value, str) and (parts := re.fullmatch(r"([\d.]+)([KMG]?i?)B?", value, re.IGNORECASE)):
            return int(float(parts[1]) * _UNITS.get(parts[2].lower(), 1))
    return None


def _start(found: dict[str, Any]) -> float | None:
    startup, probes = found.get("startupProbe"), found.get("probes")
    if isinstance(startup, dict):
        return float(startup.get("periodSeconds", 10)) * float(startup.get("failureThreshold", 3))
    if isinstance(probes, dict) and "start" in probes:
        return float(probes["start"])
    given = found.get("initial_delay_seconds")
    return float(given) if given is not None else None


def _probe_timeout(found: dict[str, Any]) -> float | None:
    probes = found.get("probes")
    if isinstance(probes, dict) and "timeout" in probes:
        return float(probes["timeout"])
    given = found.get("timeoutSeconds", found.get("timeout_seconds"))
    return float(given) if given is not None else None
