"""The command: what it prints, for people and for programs, and how it ends."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from scorewright.cli_doctor import _table
from scorewright.doctor.finding import Check, Finding, Outcome, failed, ok
from scorewright.doctor.machine.checks import CHECKS
from scorewright.doctor.runner import examine
from scorewright.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an engine, an Azure login, and what the service would read in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("scorewright.doctor.machine.docker.find_spec", lambda _: None)


def test_every_check_is_named_once_and_says_what_it_looks_at() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert all(check.looks_at for check in CHECKS)


def test_this_machine_as_json(command: Command) -> None:
    ran = command("doctor", "--port", 0, "--json")
    told = json.loads(ran.out)
    assert (ran.exit_code, told["kind"], told["subject"]) == (0, "machine", None)
    assert [one["check"] for one in told["findings"]] == [check.name for check in CHECKS]
    assert sum(told["counts"].values()) == len(CHECKS)
    assert all(one["remedy"] for one in told["findings"] if one["result"] in ("warning", "failed"))


def test_a_bad_setting_of_the_environment_is_a_finding(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_COUNT", "many")
    ran = command("doctor", "--port", 0)
    assert ran.exit_code == 18
    assert "failed        settings     worker_count is 'many'" in ran.out
    assert "1 of 8 checks failed: settings." in ran.err


def test_what_fails_by_an_error_does_not_keep_others_from_looking() -> None:
    def breaks(_: None) -> Outcome:
        raise BundleError("gone", hint="Make it.")

    checks = [Check("a", "a", breaks), Check("b", "b", lambda _: ok("there"))]
    first, second = examine(checks, None)
    assert (first.result, first.said, first.remedy) == ("failed", "gone", "Make it.")
    assert second.result == "ok"


def test_the_table_shows_all_words_as_they_are() -> None:
    out = io.StringIO()
    outcome = failed("[bold]all[/] of it", "Do this.")
    _table(Console(file=out, width=100), [Finding("a", "b", outcome.result, outcome.said, outcome.remedy)])
    assert "[bold]all[/] of it" in out.getvalue()
    assert "→ Do this." in out.getvalue()


@pytest.mark.parametrize(
    "words", [("--bundle", "."), ("--key-file", "key"), ("--memory", "much"), ("--plan", "none"), ("--target", "moon")]
)
def test_flags_that_say_nothing(words: tuple[str, ...], command: Command) -> None:
    assert command("doctor", *words).exit_code == 2
