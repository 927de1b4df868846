"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available() -> int:
    """Cores it may run on, or as many as its container's quota comes to; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota(cores)))


def _quota(otherwise: int) -> int:
    """The quota of the control group (version 2), in whole cores."""
    try:
        most, period = _QUOTA.read_text("ascii").split()
        return otherwise if most == "max" else int(most) // int(period)
    except (OSError, ValueError):
        return otherwise
