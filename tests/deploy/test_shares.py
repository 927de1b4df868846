"""Shares of an endpoint's requests, as people write them."""

from __future__ import annotations

import pytest

from scorewright.deploy.shares import read_shares, require_whole
from scorewright.errors import UsageError


def test_shares_are_read() -> None:
    assert read_shares(["blue=90", "green=10%"]) == {"blue": 90, "green": 10}
    assert read_shares([]) == {}


@pytest.mark.parametrize(
    "word",
    ["blue", "blue=", "=5", "blue=x", "blue=-1", "blue=1.5", "blue=1000", "blue=101", "9=1", "a b=1", "blue=\u0665"],
)
def test_what_is_no_share(word: str) -> None:
    with pytest.raises(UsageError, match=f"'{word}' is no share of the requests"):
        read_shares([word])


def test_a_deployment_is_named_once() -> None:
    with pytest.raises(UsageError, match="blue is named twice"):
        read_shares(["blue=90", "blue=10"])


def test_shares_are_100_together() -> None:
    require_whole({"blue": 90, "green": 10})
    require_whole({"blue": 0, "green": 0}, or_none=True)
    with pytest.raises(UsageError, match=r"The shares are 110 together \(90 \+ 20\); they must be 100\."):
        require_whole({"blue": 90, "green": 20})
    with pytest.raises(UsageError, match="must be 100 or 0"):
        require_whole({"blue": 50}, or_none=True)
    with pytest.raises(UsageError, match="must be 100"):
        require_whole({"blue": 110, "green": -10})
    with pytest.raises(UsageError, match="must be 100"):
        require_whole({})
