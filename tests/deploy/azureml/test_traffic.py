"""How requests are divided, as words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.deploy.azureml_traffic import Traffic
from scorewright.errors import UsageError


@given(st.integers(0, 100))
def test_two_shares_that_make_a_hundred(percent: int) -> None:
    found = Traffic.parse([f"blue={percent}", f"green={100 - percent}%"])
    assert found == Traffic({"blue": percent, "green": 100 - percent}, {})


def test_copies_go_to_who_answers_nobody() -> None:
    assert Traffic.parse(["blue=100"], "green=10") == Traffic({"blue": 100}, {"green": 10})


@pytest.mark.parametrize(
    ("shares", "mirror", "said"),
    [
        (["blue=90"], None, r"90 together \(90\); they must be 100 or 0"),
        (["blue=90", "green=20"], None, r"110 together \(90 \+ 20\)"),
        (["blue=50", "blue=50"], None, "named twice"),
        (["blue"], None, "'blue' is no share"),
        (["blue=101"], None, "no share"),
        (["blue=-1"], None, "no share"),
        ([], "green=51", "copies 50 % at most"),
        (["blue=90", "green=10"], "green=5", "cannot both answer 10 %"),
        ([], None, "How is the traffic to be divided"),
    ],
)
def test_what_azure_does_not_take(shares: list[str], mirror: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Traffic.parse(shares, mirror)


def test_a_deployment_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="churn has no deployment green; it has blue") as caught:
        Traffic.parse(["green=100"]).check_known("churn", ["blue"])
    assert "--slot green" in caught.value.hint
