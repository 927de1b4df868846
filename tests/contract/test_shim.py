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


WITHOUT_FLASK = "import sys; sys.modules['flask'] = None"
"""What our tests need brings flask along."""

WITH_ANY = """
from scorewright.contract import shim
shim.provide()
shim.provide()
"""

HOMES = WITHOUT_FLASK + WITH_ANY

PRINTED = """
from azureml.contrib.services.aml_response import AMLResponse as old
from azureml_inference_server_http.api.aml_response import AMLResponse as new
print(new is old, new.__mro__[1].__module__)
"""

BOTH = HOMES + PRINTED


def test_both_homes_give_the_same() -> None:
    assert run(BOTH) == "True werkzeug.wrappers.response"


def test_an_installed_package_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "azureml_inference_server_http" / "api"
    home.mkdir(parents=True)
    (home.parent / "__init__.py").touch()
    (home / "__init__.py").touch()
    (home / "aml_response.py").write_text("class AMLResponse(int):\n    pass\n")
    assert run(BOTH, tmp_path) == "True builtins"


def test_other_modules_of_azureml_stay_importable(tmp_path: Path) -> None:
    """azureml-core brings a package azureml without contrib.services."""
    (tmp_path / "azureml" / "core").mkdir(parents=True)
    (tmp_path / "azureml" / "__init__.py").write_text(
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"
    )
    (tmp_path / "azureml" / "core" / "__init__.py").write_text("VALUE = 7\n")
    told = run(BOTH + "from azureml.core import VALUE\nprint(VALUE)", tmp_path)
    assert told == "True werkzeug.wrappers.response\n7"


def test_flasks_classes_are_the_base_where_flask_is_installed(tmp_path: Path) -> None:
    (tmp_path / "flask.py").write_text("class Request: pass\nclass Response: pass\n")
    assert run(WITH_ANY + PRINTED, tmp_path) == "True flask"


def test_rawhttp_is_noted_under_either_name_and_forgotten_for_the_next_script() -> None:
    program = (
        HOMES
        + """
from azureml.contrib.services.aml_request import rawhttp, AMLRequest
before = shim.raw_http_requested()
rawhttp(len)
after = shim.raw_http_requested()
shim.provide()
print(before, after, shim.raw_http_requested())
"""
    )
    assert run(program) == "False True False"


def test_nothing_is_imported_before_a_script_asks() -> None:
    assert run(HOMES + "import sys\nprint('werkzeug' in sys.modules)") == "False"


def test_what_a_logging_json_names_is_there() -> None:
    program = (
        HOMES
        + """
import logging
from azureml_inference_server_http.log_config import AMLLogFormatter, RootAccessFilter
record = logging.makeLogRecord({"msg": "GET / HTTP/1.1", "name": "n", "levelname": "INFO", "process": 7})
record.created = record.msecs = 0
print(AMLLogFormatter().format(record), RootAccessFilter().filter(record))
"""
    )
    assert run(program) == "1970-01-01 00:00:00,000 I [7] n - GET / HTTP/1.1 False"
