"""`make sbom` and `make audit`: the bill names every pin, and an audit that knows nothing is no clean one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SUPPLY = REPOSITORY / ".cache" / "supply"
PINS = REPOSITORY / "scorewright" / "build"

VALID = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""

STUB = """#!/bin/sh
# As pip-audit does: what it has no data of, it passes over, unless it is told to be strict.
case "$*" in *constraints-told.txt*) {told} ;; esac
case " $* " in *" --strict "*) {strict} ;; esac
exit 0
"""


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", str(REPOSITORY), *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def supply() -> Path:
    """The environment that `make test` installs. Without it the test is skipped; on CI that is a failure."""
    if not (SUPPLY / ".done").exists():
        reason = f"{SUPPLY} is not there: make {SUPPLY.relative_to(REPOSITORY)}/.done"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return SUPPLY


@pytest.fixture(scope="module")
def bills(supply: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("sbom")
    ran = make("sbom", f"SBOM={folder}", f"SUPPLY={supply}")
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.mark.parametrize(
    ("bill", "pins"), [("service", "constraints.txt"), ("batch", "constraints-batch.txt")], ids=["service", "batch"]
)
def test_the_bill_is_valid_and_names_every_pin_with_its_version(
    bill: str, pins: str, supply: Path, bills: Path
) -> None:
    text = (bills / f"{bill}.cdx.json").read_text("utf-8")
    judged = subprocess.run(
        [supply / "bin" / "python", "-c", VALID], input=text, capture_output=True, text=True, check=True
    )
    assert judged.stdout.strip() == "None"
    content = json.loads(text)
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    wanted = re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", (PINS / pins).read_text("utf-8"), re.MULTILINE)
    assert len(wanted) > 5
    assert sorted((part["name"].lower(), part["version"]) for part in content["components"]) == sorted(
        (name.lower(), version) for name, version in wanted
    )
    for part in content["components"]:
        assert part["purl"] == f"pkg:pypi/{_plain(part['name'])}@{part['version']}"


@pytest.mark.parametrize(
    ("told", "strict", "code"),
    [
        (":", ":", 0),
        (":", "echo 'ERROR: uvicorn: Dependency not found on PyPI and could not be audited' >&2; exit 1", 2),
        ("echo 'uvicorn 0.1 GHSA-xxxx'; exit 1", ":", 2),
    ],
    ids=["clean", "nothing learned", "vulnerable"],
)
def test_an_audit_is_clean_only_if_all_was_looked_at(told: str, strict: str, code: int, tmp_path: Path) -> None:
    stub = tmp_path / "bin" / "pip-audit"
    stub.parent.mkdir()
    stub.write_text(STUB.format(told=told, strict=strict))
    stub.chmod(0o755)
    (tmp_path / ".done").touch()
    pins = [tmp_path / "constraints-other.txt", tmp_path / "constraints-told.txt"]
    ran = make("audit", f"SUPPLY={tmp_path}", f"AUDITED={' '.join(map(str, pins))}")
    assert ran.returncode == code, ran.stderr
    named = re.search(r"Not found clean: (.*?)\. What pip-audit found", ran.stderr)
    if code == 0:
        assert named is None
    else:
        assert named is not None
        assert named[1] == " ".join(map(str, pins if strict != ":" else pins[1:]))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
