"""What a plan says, of every target that makes one here, as the command itself prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.doctor.plan_file import read_plan
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

ASKED = ("--request-timeout-ms", 7000, "--max-queue-wait-ms", 900, "--timeout", 400, "--probe-timeout", 4)
PLACES = {
    "local": (),
    "aci": ("--subscription", "s", "-g", "g", "--location", "westeurope", "--dns-label", "churn"),
    "aks": ("--namespace", "n"),
}


@pytest.mark.parametrize("target", PLACES)
def test_times_memory_and_variables(target: str, command: Command, tmp_path: Path) -> None:
    image = "ghcr.io/acme/churn:3"
    words = (image, *PLACES[target], "--memory", "2g", "--env", "WORKER_COUNT=3", *ASKED)
    ran = command("deploy", target, *words, "--plan", "--json")
    assert ran.exit_code == 0, ran.err
    (tmp_path / "plan.json").write_text(ran.out)
    plan = read_plan(tmp_path / "plan.json")
    assert plan.place == target
    assert {name: plan.variables[name] for name in ("SCORING_TIMEOUT_MS", "WORKER_COUNT")} == {
        "SCORING_TIMEOUT_MS": "7000",
        "WORKER_COUNT": "3",
    }
    assert plan.memory == 2 * 2**30
    # ACI has no start-up probe.
    assert (plan.start, plan.probe_timeout) == (None if target == "aci" else 400, 4)


def test_the_chain_of_a_plan(command: Command, tmp_path: Path) -> None:
    ran = command("deploy", "local", "churn:3", *ASKED, "--plan", "--json")
    (tmp_path / "plan.json").write_text(ran.out)
    ran = command("doctor", "--plan", tmp_path / "plan.json", "--gateway-timeout", 5)
    assert ran.exit_code == 18
    assert "the gateway gives up after 5 s, the service only after 7 s" in ran.out


@pytest.mark.parametrize("text", ["", "[]", '{"name": 1}', "\0"])
def test_what_is_no_plan(text: str, tmp_path: Path) -> None:
    (tmp_path / "plan").write_text(text)
    with pytest.raises(UsageError, match="--plan") as caught:
        read_plan(tmp_path / "plan")
    assert "--plan --json" in caught.value.hint


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_plan(tmp_path / "plan")
