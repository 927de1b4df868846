"""Where a load test was made, and of what."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from scorewright import __version__
from scorewright.loadtests.measurements import Environment

_TOLD = ("server", "via", "x-ms-server-version", "azureml-model-deployment", "x-ms-azureml-model-deployment")
"""Headers of an answer that say what the endpoint is."""


def environment(server: dict[str, str]) -> Environment:
    """This machine and its versions, and what an answer's headers (lower case) say of the endpoint."""
    return Environment(
        versions={"scorewright": __version__, "locust": version("locust"), "python": platform.python_version()},
        machine={
            "system": platform.platform(terse=True),
            "processor": _processor(),
            "cores": str(os.cpu_count()),
        },
        server={name: server[name] for name in _TOLD if name in server},
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
