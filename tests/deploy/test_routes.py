"""Who gets which requests of an endpoint, and what HAProxy is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.deploy.local_plan import make_plan
from scorewright.deploy.routes import Route, Routes
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden"
CHURN = Routes("churn", {"blue": Route("churn-blue", 90), "green": Route("churn-green", 10), "red": Route("r", 0)})


def test_the_configuration_is_as_it_was() -> None:
    assert CHURN.config() == (GOLDEN / "haproxy.cfg").read_text("utf-8")


def test_the_first_gets_all_and_one_that_is_replaced_keeps_its_share() -> None:
    routes = Routes("churn", {}).with_host("blue", "a").with_host("green", "b")
    assert routes.weights == {"blue": 100, "green": 0}
    shared = routes.with_weights({"blue": 30, "green": 70}).with_host("green", "c")
    assert shared.routes == {"blue": Route("a", 30), "green": Route("c", 70)}
    assert shared.without("blue").weights == {"green": 70}


@given(st.dictionaries(st.sampled_from(["blue", "green", "red"]), st.integers(-10, 110)))
def test_shares_are_100_together_or_refused(weights: dict[str, int]) -> None:
    fits = sum(weights.values()) == 100 and min(weights.values()) >= 0
    if not fits:
        with pytest.raises(UsageError, match="must be 100"):
            CHURN.with_weights(weights)
        return
    changed = CHURN.with_weights(weights)
    assert changed.weights == {name: weights.get(name, 0) for name in CHURN.routes}
    assert Routes.from_json(changed.to_json()) == changed
    assert (changed.digest == CHURN.digest) is (changed == CHURN)


def test_the_plan_of_a_first_deployment(command: Command, tmp_path: Path) -> None:
    words = ("deploy", "local", "churn:3", "--name", "churn", "--deployment", "blue")
    ran = command(*words, "--plan")
    assert ran.out == (GOLDEN / "plan_endpoint.txt").read_text("utf-8")
    assert command(*words, "--out", tmp_path).exit_code == 0
    assert (tmp_path / "haproxy.cfg").read_text() == Routes("churn", {}).with_host("blue", "churn-blue").config()


@pytest.mark.parametrize("deployment", ["", "Blue", "a b", "9", "a" * 33, "blue }"])
def test_a_deployments_name(deployment: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a deployment"):
        make_plan(DeploySettings.of("churn:3"), 5001, None, deployment)


def test_bad_words(command: Command) -> None:
    ran = command("deploy", "local", "churn:3", "--router-image", "haproxy:3.2")
    assert (ran.exit_code, "--router-image says nothing without --deployment" in ran.err) == (2, True)
    ran = command("deploy", "local", "traffic", "churn", "blue")
    assert (ran.exit_code, "'blue' is no share of the requests" in ran.err) == (2, True)
