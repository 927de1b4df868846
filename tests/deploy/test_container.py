"""What is told of a container that does not get healthy, and what is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from scorewright.deploy.container import wait_until_healthy
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from docker.models.containers import Container


def container(status: str) -> Container:
    """One that has said its key, and has no port."""
    attrs = {"State": {"ExitCode": 3}, "NetworkSettings": {"Ports": {}}}
    said = b"no weights, key is hunter2\n"
    made = SimpleNamespace(status=status, attrs=attrs, reload=lambda: None, logs=lambda tail: said)
    return cast("Container", made)


@pytest.mark.parametrize(("status", "says"), [("exited", "exit code 3"), ("running", "not healthy within 0 s")])
def test_its_last_words_show_no_secret(status: str, says: str) -> None:
    with pytest.raises(DockerError, match=says) as caught:
        wait_until_healthy(container(status), "churn", 0, {"API_KEY": "hunter2", "EMPTY": ""}, lambda _: None)
    assert "  no weights, key is ***" in caught.value.message


def test_what_is_told_meanwhile_shows_none_either() -> None:
    told: list[str] = []
    with pytest.raises(DockerError, match="not healthy within"):
        wait_until_healthy(container("running"), "churn", 0.1, {"API_KEY": "hunter2"}, told.append)
    assert told
    assert not [line for line in told if "hunter2" in line]
