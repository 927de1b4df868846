"""Whether what Scorewright requires is installed here, in releases that it takes."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped, warning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorewright.doctor.wanted import Wanted

_LINE = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?$")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([^\"']+)")
PARTS = (
    *("sklearn", "skops", "keras", "onnx", "batch", "abfs", "docker"),
    *("azure", "azureml", "azureml-v1", "loadtest"),
)
"""The extras that are for users; the others are for whoever works on Scorewright."""


def look(_: Wanted) -> Outcome:
    try:
        found = distribution("scorewright")
    except PackageNotFoundError:
        return skipped("scorewright is imported from a folder and not installed", "pip install scorewright")
    return judge(found.version, found.requires or [])


def judge(release: str, requires: Iterable[str]) -> Outcome:
    """What is wrong with the packages that `requires` (as a distribution's metadata has it) names."""
    base: list[str] = []
    of_extras: dict[str, list[str]] = {}
    for line in requires:
        extra = _EXTRA.search(line)
        if extra is None:
            base += _faults(line)
        elif extra[1] in PARTS:
            of_extras.setdefault(extra[1], []).extend(_faults(line))
    if base:
        return failed("; ".join(base), "pip install --upgrade scorewright")
    # A part that lacks nothing can be used. One of which something is too old is broken, not left out.
    wrong = sorted({fault for faults in of_extras.values() for fault in faults if "not installed" not in fault})
    usable = [name for name in PARTS if name in of_extras and not of_extras[name]]
    missing = [name for name in PARTS if of_extras.get(name)]
    said = f"scorewright {release} with {', '.join(usable) or 'no extra'}"
    if wrong:
        return warning(f"{said}; {'; '.join(wrong)}", f"pip install --upgrade 'scorewright[{','.join(missing)}]'")
    return ok(said + (f"; without {', '.join(missing)}" if missing else ""))


def _faults(line: str) -> list[str]:
    """What is wrong with one requirement, empty if nothing."""
    found = _LINE.match(line.strip())
    if found is None or "win32" in line:  # a requirement of Linux: another system has been told so
        return []
    name, wanted = found[1], found[2].strip()
    if name == "scorewright":
        return []
    try:
        here = version(name)
    except PackageNotFoundError:
        return [f"{name} is not installed"]
    return [] if fits(here, wanted) else [f"{name} is {here}, {wanted} is wanted"]


def fits(release: str, wanted: str) -> bool:
    """Whether a release is within bounds like `>=1.5,<2`; of a bound that is written otherwise, it is taken to be."""
    for bound in filter(None, (part.strip() for part in wanted.split(","))):
        found = re.fullmatch(r"(>=|<=|<|>|==)\s*([0-9.]+)", bound)
        if found is None:
            continue
        have, limit = _numbers(release), _numbers(found[2])
        size = max(len(have), len(limit))
        have, limit = have + (0,) * (size - len(have)), limit + (0,) * (size - len(limit))
        within = {
            ">=": have >= limit,
            "<=": have <= limit,
            "<": have < limit,
            ">": have > limit,
            "==": have == limit,
        }
        if not within[found[1]]:
            return False
    return True


def _numbers(release: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", release)
    return tuple(int(part) for part in leading[0].split(".")) if leading else ()


CHECK: Check[Wanted] = Check("packages", "what Scorewright requires, and which of its parts can be used", look)
