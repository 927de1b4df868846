"""What must be installed to score a bundle, as requirements.txt, requirements-batch.txt and conda.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.versions import installed

if TYPE_CHECKING:
    from collections.abc import Mapping

INFERENCE_SERVER = "azureml-inference-server-http>=1.5,<2"
"""What Azure ML's own images need to run the entry script; the scorewright image does not."""

BATCH = {"pandas": ">=2.2,<4", "pyarrow": ">=18"}
"""What batch_score.py needs to read and answer tables, and which releases will do where none is installed here."""


def requirements(versions: Mapping[str, str]) -> list[str]:
    """Pinned requirement lines for online scoring.

    On Linux x86-64 TensorFlow is its CPU build: the image has no GPU libraries, and the other build is
    several times its size.
    """
    lines = []
    for name, version in versions.items():
        if name == "python":
            continue
        if name == "tensorflow":
            linux = 'sys_platform == "linux" and platform_machine == "x86_64"'
            other = 'sys_platform != "linux" or platform_machine != "x86_64"'
            lines += [f"tensorflow-cpu=={version}; {linux}", f"tensorflow=={version}; {other}"]
        else:
            lines.append(f"{name}=={version}")
    return lines


IMAGES = {"pillow": ">=11,<14"}
"""What it needs besides to read images."""


def batch_requirements(versions: Mapping[str, str], *, images: bool) -> list[str]:
    """What batch_score.py needs beyond requirements.txt, pinned to what is installed here.

    images  whether the model takes images, which the script can read from image files
    """
    needed = {**BATCH, **IMAGES} if images else BATCH
    here = installed(needed)
    wanted = {name: f"{name}=={here[name]}" if name in here else f"{name}{loose}" for name, loose in needed.items()}
    return [line for name, line in wanted.items() if name not in versions]


def conda(name: str, versions: Mapping[str, str], lines: list[str]) -> str:
    """An environment for Azure ML's own inference images."""
    python = ".".join(versions["python"].split(".")[:2])
    pip = "".join(f"      - {_quoted(line)}\n" for line in [INFERENCE_SERVER, *lines])
    return f"name: {name}\nchannels:\n  - conda-forge\ndependencies:\n  - python={python}\n  - pip\n  - pip:\n{pip}"


def _quoted(line: str) -> str:
    return "'" + line + "'" if ";" in line or ">" in line else line
