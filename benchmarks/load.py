"""wrk, the load generator."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmarks.errors import BenchmarkError, ContenderError
from benchmarks.servers import pinned

SCRIPT = Path(__file__).parent / "wrk.lua"
PATIENCE_SECONDS = 60


class Load(BaseModel):
    """What wrk saw. Times are milliseconds; percentiles are wrk's, corrected for requests it could not send in time."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


def require() -> str:
    """wrk's version. Raises BenchmarkError where it is not installed."""
    if shutil.which("wrk") is None:
        raise BenchmarkError("wrk, which makes the load, is not installed. On Debian: apt-get install wrk")
    # It has no way to be asked for the version that ends well.
    shown = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return shown.split()[1]


def load(url: str, bodies: Path, *, connections: int, seconds: int) -> Load:
    """Post the bodies of a file, one a line, in turn over so many connections.

    Raises ContenderError if anything was not answered 2xx: such a figure does not count.
    """
    words = ["wrk", "--latency", "-t", "1", "-c", str(connections), "-d", f"{seconds}s"]
    words += ["--timeout", f"{PATIENCE_SECONDS}s", "-s", str(SCRIPT), url, "--", str(bodies)]
    done = subprocess.run(pinned(words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return read(done.stdout)


def read(output: str) -> Load:
    """The last line that wrk.lua wrote. Raises ContenderError if requests failed or none was answered."""
    try:
        seen: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        requests, seconds = seen["requests"], seen["microseconds"] / 1e6
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise BenchmarkError(f"wrk wrote something else than wrk.lua makes it write: {output[-500:]!r}") from error
    faults = {"not 2xx": seen["refused"], "connections broken": seen["broken"], "too late": seen["late"]}
    if any(faults.values()):
        told = ", ".join(f"{count} {what}" for what, count in faults.items() if count)
        raise ContenderError(f"of {requests} requests: {told}")
    if not requests:
        raise ContenderError(f"nothing was answered in {seconds:.0f} s")
    times = {f"{name}_ms": seen[name] / 1000 for name in ("p50", "p90", "p99", "max")}
    return Load(requests=requests, requests_per_second=requests / seconds, **times)
