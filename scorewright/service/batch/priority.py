"""Giving way to everything else on the machine."""

from __future__ import annotations

import os

NICE = 19


def lower() -> None:
    """Have this process, and what it starts from now on, use only processor time that nobody else wants."""
    os.nice(NICE)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
