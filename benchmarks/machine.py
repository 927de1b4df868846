"""What a run ran on: processor, kernel, releases."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contenders import JUDGE, MLSERVER, ROOT
from benchmarks.results import Machine
from benchmarks.servers import processors

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIBRARIES = ("scikit-learn", "numpy", "pandas", "keras", "tensorflow")
_PACKAGES = {
    "Scorewright": ("uvicorn", "uvloop", "httptools", "orjson", "onnxruntime", "skl2onnx", *_LIBRARIES),
    "azmlinfsrv": ("azureml-inference-server-http", "gunicorn", "flask", *_LIBRARIES),
    "MLServer": ("mlserver", "mlserver-sklearn", "uvicorn", "uvloop", *_LIBRARIES[:3]),
}
_ASK = """
import json, platform, sys
from importlib import metadata
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def machine() -> Machine:
    """This machine, as Linux tells of it."""
    cpu = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in cpu if line.startswith("model name")]
    return Machine(
        processor=(names or [platform.machine()])[0],
        processors=os.cpu_count() or 0,
        used=len(processors()),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=f"{platform.system()} {platform.release()}",
        load_average=round(os.getloadavg()[0], 2),
    )


def own_versions() -> dict[str, dict[str, str]]:
    """The commit of this checkout, and the releases in its environment."""
    return {"Scorewright": {"commit": _commit(), **_installed(sys.executable, _PACKAGES["Scorewright"])}}


def versions(wrk: str) -> dict[str, dict[str, str]]:
    """The releases in each environment, the commit of this checkout, and wrk's version."""
    pythons = {"azmlinfsrv": JUDGE / "python", "MLServer": MLSERVER / "python"}
    peers = {name: _installed(str(python), _PACKAGES[name]) for name, python in pythons.items()}
    return {**own_versions(), **peers, "wrk": {"wrk": wrk}}


def _installed(python: str, packages: Iterable[str]) -> dict[str, str]:
    done = subprocess.run([python, "-c", _ASK, *packages], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _commit() -> str:
    """The commit that is checked out, and whether files differ from it."""
    words = ["git", "describe", "--always", "--dirty=, with changes", "--exclude=*"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
