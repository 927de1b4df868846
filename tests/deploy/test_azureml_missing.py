"""Without Azure ML's SDKs the commands say what to install, and plans are still made."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.command import Command

PLACE = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")


@pytest.fixture(autouse=True)
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("azure.ai.ml", "azureml", "azureml.exceptions"):
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("azureml", "status", "churn"), "pip install 'scorewright[azureml]'"),
        (("azureml", "batch", "list"), "pip install 'scorewright[azureml]'"),
        (("azureml-v1", "status", "churn"), "pip install 'scorewright[azureml-v1]', in an environment of its own"),
    ],
)
def test_what_to_install_is_said(command: Command, words: tuple[str, ...], hint: str) -> None:
    ran = command("deploy", *words, *PLACE)
    assert (ran.exit_code, ran.out) == (15, "")
    assert "cannot be imported" in ran.err
    assert hint in ran.err


def test_a_plan_needs_no_sdk(command: Command) -> None:
    ran = command("deploy", "azureml", "acme.azurecr.io/churn:3", *PLACE, "--plan")
    assert ran.exit_code == 0, ran.err
    assert "instance_type: Standard_DS3_v2" in ran.out
