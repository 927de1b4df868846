"""The `scorewright` command, run inside the test's own process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scorewright.cli import main

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it wrote."""

    exit_code: int
    out: str
    err: str


class Command(Protocol):
    """Takes the words after `scorewright`."""

    def __call__(self, *words: object) -> Ran: ...


def command_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command whose output is caught by `capsys`. A traceback is the test's failure."""

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["scorewright", *(str(word) for word in words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        caught = capsys.readouterr()
        return Ran(code, caught.out, caught.err)

    return run
