"""The docs against the code: what they list is what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import scorewright
from scorewright import errors

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def cli_reference() -> str:
    """docs/cli.md as the commands themselves say it. `make docs` writes it."""
    words = [sys.executable, "-m", "typer", "scorewright.cli", "utils", "docs", "--name", "scorewright"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_the_cli_reference_is_what_the_commands_say() -> None:
    assert (ROOT / "docs/cli.md").read_text().strip() == cli_reference(), "run `make docs`"


def test_every_exit_code_is_listed() -> None:
    listed = dict(re.findall(r"^\| (\d+) \| `(\w+)`", (ROOT / "docs/exit-codes.md").read_text(), re.MULTILINE))
    owners: dict[str, str] = {}
    for name, kind in vars(errors).items():
        own = isinstance(kind, type) and issubclass(kind, errors.ScorewrightError) and "exit_code" in vars(kind)
        if own:
            owners[str(kind.exit_code)] = name
    assert listed == owners


def test_every_error_is_drawn_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.ScorewrightError):
            assert re.search(rf"\b{name}\b", tree), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_what_the_security_page_calls_proven_is_tested() -> None:
    proofs = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text())
    assert len(proofs) > 20
    for file, name in proofs:
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{name}"


def test_every_check_of_the_doctor_is_on_its_page() -> None:
    page = (ROOT / "docs/doctor.md").read_text()
    for kind in ("machine", "service", "bundle", "image"):
        for check in import_module(f"scorewright.doctor.{kind}.checks").CHECKS:
            assert f"`{check.name}`" in page, check.name


def test_everything_public_is_exported() -> None:
    for name in scorewright.__all__:
        assert getattr(scorewright, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        scorewright.nothing  # noqa: B018


def test_what_is_said_to_be_proven_is_tested_by_tests_that_exist() -> None:
    text = (ROOT / "docs/deploy.md").read_text()
    named = re.findall(r"`((?:tests/)?[\w/]*test_\w+\.py)?(?:::(test_\w+))?`", text)
    file = ROOT
    for path, test in (pair for pair in named if any(pair)):
        if path:
            file = ROOT / path if path.startswith("tests/") else ROOT / "tests/deploy" / path
        assert file.is_file(), f"docs/deploy.md names {path}"
        assert not test or f"def {test}(" in file.read_text(), f"docs/deploy.md names {path}::{test}"
    assert len(named) > 40
