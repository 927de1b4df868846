"""The part of Azure's server that scripts import: provided where it is missing, left alone where it is there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def run(program: str, *folders: Path) -> str:
    """Run a program in a process of its own, with these folders importable."""
    path = ":".join(map(str, folders))
    words = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={"PYTHONPATH": path})
    return done.stdout.strip()


BOTH = """
from scorewright.azureml import AMLResponse, provide
provide()
provide()
from azureml_inference_server_http.api.aml_response import AMLResponse as new
from azureml.contrib.services.aml_response import AMLResponse as old
print(new is AMLResponse, old is AMLResponse)
"""


def test_both_homes_are_provided() -> None:
    assert run(BOTH) == "True True"


def test_an_installed_package_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "azureml_inference_server_http" / "api"
    home.mkdir(parents=True)
    (home.parent / "__init__.py").touch()
    (home / "__init__.py").touch()
    (home / "aml_response.py").write_text("class AMLResponse:\n    pass\n")
    assert run(BOTH, tmp_path) == "False True"


def test_other_modules_of_azureml_stay_importable(tmp_path: Path) -> None:
    """azureml-core brings a package azureml without contrib.services."""
    (tmp_path / "azureml" / "core").mkdir(parents=True)
    (tmp_path / "azureml" / "__init__.py").write_text(
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"
    )
    (tmp_path / "azureml" / "core" / "__init__.py").write_text("VALUE = 7\n")
    assert run(BOTH + "from azureml.core import VALUE\nprint(VALUE)", tmp_path) == "True True\n7"
