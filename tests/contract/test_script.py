"""The entry script, loaded as Azure's server loads it. Each case runs in a process of its own: loading changes it."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.contract.module import LISTING_LIMIT, listing
from scorewright.contract.script import EntryScript
from scorewright.errors import ScriptError

if TYPE_CHECKING:
    from pathlib import Path

LOAD = """
import json, os, sys
from pathlib import Path
from scorewright.errors import ScorewrightError
from scorewright.contract.request import HttpRequest
from scorewright.contract.script import EntryScript
path, model = Path(sys.argv[1]), Path(sys.argv[2])
try:
    script = EntryScript.load(path, model_dir=model)
    script.start(model)
    print(json.dumps({"answer": script.call(HttpRequest(body=b"x")), "many": script.run_many is not None}))
except ScorewrightError as error:
    print(json.dumps({"code": error.exit_code, "message": error.message, "hint": error.hint}))
"""


def loaded(script: str, folder: Path, **environment: str) -> Any:
    """Write a script, load and start it, and run it once; what came of that."""
    (folder / "code").mkdir()
    (folder / "model" / "inner").mkdir(parents=True)
    (folder / "model" / "inner" / "weights.bin").write_bytes(b"12345")
    (folder / "code" / "score.py").write_text(textwrap.dedent(script))
    (folder / "code" / "sibling.py").write_text("VALUE = 42\n")
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", LOAD, str(folder / "code" / "score.py"), str(folder / "model")],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_its_surroundings_are_azures(tmp_path: Path) -> None:
    script = """
    import os
    import sibling
    from azureml_inference_server_http.api.aml_response import AMLResponse
    from azureml.contrib.services.aml_response import AMLResponse as Older
    def init():
        assert AMLResponse is Older
    def run(raw):
        return [__name__, sibling.VALUE, os.environ["AZUREML_MODEL_DIR"], os.environ["AML_APP_ROOT"],
                os.environ["AZUREML_ENTRY_SCRIPT"], __file__, raw]
    """
    code = str(tmp_path / "code")
    assert loaded(script, tmp_path) == {
        "answer": ["entry_module", 42, str(tmp_path / "model"), code, f"{code}/score.py", f"{code}/score.py", "x"],
        "many": False,
    }


def test_an_app_root_that_is_set_stays(tmp_path: Path) -> None:
    script = "import os\ndef init(): pass\ndef run(raw): return os.environ['AML_APP_ROOT']\ndef run_many(raws): ..."
    assert loaded(script, tmp_path, AML_APP_ROOT="/srv") == {"answer": "/srv", "many": True}


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        ("def run(raw): pass", "score.py has no function init().", "An entry script defines init()"),
        ("def init(): pass", "score.py has no function run().", "An entry script defines init()"),
        ("run = init = 3", "score.py has no function init().", "An entry script defines init()"),
        ("def init(): pass\ndef run(): pass", "takes no argument for the request.", "Write run(raw_data)."),
        ("import nothing_like_it", "score.py cannot be imported:", "ModuleNotFoundError: No module named"),
        ("def f(:", "score.py cannot be imported:", "SyntaxError"),
        ("raise SystemExit(3)", "score.py cannot be imported:", "SystemExit: 3"),
        ("def init(): raise OSError('no GPU')\ndef run(raw): pass", "score.py failed:", "OSError: no GPU"),
        ("def init(): raise SystemExit\ndef run(raw): pass", "score.py failed:", "SystemExit"),
    ],
)
def test_what_cannot_be_started_is_refused(script: str, message: str, hint: str, tmp_path: Path) -> None:
    refused = loaded(script, tmp_path)
    assert refused["code"] == 3
    assert message in refused["message"]
    assert hint in refused["hint"]


def test_a_failing_init_shows_its_own_traceback_and_the_model_folder(tmp_path: Path) -> None:
    message = loaded("def init():\n    open('/no/model')\ndef run(raw): pass", tmp_path)["message"]
    assert f"File \"{tmp_path}/code/score.py\", line 2, in init\n    open('/no/model')" in message
    assert "scorewright/contract/script.py" not in message
    assert message.endswith(f"AZUREML_MODEL_DIR is {tmp_path}/model and holds:\n  inner/\n    weights.bin  5 bytes")


def test_no_such_script(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="There is no entry script"):
        EntryScript.load(tmp_path / "score.py", model_dir=tmp_path)


def test_a_listing_ends(tmp_path: Path) -> None:
    for number in range(LISTING_LIMIT + 50):
        (tmp_path / f"{number:04}").touch()
    lines = list(listing(tmp_path))
    assert len(lines) == LISTING_LIMIT + 1
    assert lines[-1] == f"  … (the first {LISTING_LIMIT} entries)"
    assert list(listing(tmp_path / "nowhere")) == ["  (there is no such folder)"]
