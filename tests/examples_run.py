"""The examples, run as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Example:
    """What an example printed, and the folder it left: the model, a sample and the bundle."""

    printed: str
    bundle: Path


def run_example(name: str, bundle: str, folder: Path) -> Example:
    """Run examples/<name>.py; a failure shows what it printed."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return Example(ran.stdout, folder / bundle)
