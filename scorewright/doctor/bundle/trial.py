"""A process that does what a scorer does to get ready: import the entry script, call init(). Run as a program.

`try_start` starts it and waits; what the script prints cannot be taken for its report, which comes by a pipe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scorewright.errors import CheckFailedError

if TYPE_CHECKING:
    from scorewright.bundle import Bundle

LAST_LINES = 20

_SERVER_VARIABLES = {"AML_APP_ROOT", "AZUREML_MODEL_DIR", "AZUREML_ENTRY_SCRIPT", "AZUREML_SOURCE_DIRECTORY"}


@dataclass(frozen=True)
class Started:
    """What a scorer needs to get ready."""

    seconds: float
    """From the start of the process to the end of init()."""
    memory: int | None
    """Bytes that are its alone; None where the system does not tell."""


def try_start(bundle: Bundle, patience: float) -> Started:
    """Start a scorer of a verified bundle and end it again.

    Raises CheckFailedError with the script's last words if init() fails or takes longer than `patience` seconds.
    """
    reader, writer = os.pipe()
    environment = {name: value for name, value in os.environ.items() if name not in _SERVER_VARIABLES}
    words = [str(bundle.entry_script), str(bundle.model_dir), str(writer)]
    with tempfile.TemporaryFile() as printed, os.fdopen(reader) as report:
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "scorewright.doctor.bundle.trial", *words],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            cwd=bundle.root,
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "2"},
            pass_fds=[writer],
        )
        os.close(writer)
        try:
            code = child.wait(patience)
        except subprocess.TimeoutExpired:
            raise CheckFailedError(
                f"init() has not ended in {patience:g} s.",
                hint="Is what it waits for reachable? Give it more time with --timeout.",
            ) from None
        finally:
            child.kill()
            child.wait()
        told = report.read()
        if code or not told:
            printed.seek(0)
            last = printed.read().decode(errors="replace").strip().splitlines()[-LAST_LINES:]
            ended = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise CheckFailedError(
                "\n".join([f"init() fails; the process was {ended}.", *last]),
                hint="`scorewright check` shows every step.",
            )
        found = json.loads(told)
        return Started(found["at"] - began, found["memory"])


def _main(script: str, model_dir: str, report_to: int) -> None:
    from scorewright.contract.script import EntryScript
    from scorewright.memory import private

    sys.argv = [script]
    entry = EntryScript.load(Path(script), model_dir=model_dir)
    entry.start(model_dir)
    # A clock that all processes of a machine share.
    found = {"at": time.monotonic(), "memory": private(os.getpid())}
    os.write(report_to, json.dumps(found).encode())
    os._exit(0)  # threads of the script's own may keep the process from ending


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
