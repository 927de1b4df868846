"""What is made of the engine's answers during a build."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.build.image import follow
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.bundle import Bundle
    from tests.command import Command


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, str]] = []
        self.lines: list[str] = []

    def step(self, number: int, total: int, instruction: str) -> None:
        self.steps.append((number, total, instruction))

    def line(self, text: str) -> None:
        self.lines.append(text)


def failing(*lines: str) -> Iterator[dict[str, object]]:
    yield {"stream": "Step 1/2 : FROM base\n"}
    yield {"stream": "of the first step\n"}
    yield {"stream": "Step 2/2 : RUN pip   install\n"}
    for line in lines:
        yield {"stream": f"{line}\n"}
    yield {"errorDetail": {"code": 1}, "error": "returned a non-zero code: 1"}


def test_steps_and_lines_are_reported_without_noise() -> None:
    told = Told()
    follow(
        [
            {"stream": "Step 1/2 : FROM ${BASE_IMAGE}\n"},
            {"status": "Pulling fs layer", "id": "0"},
            {"stream": " ---> 0123456789ab\n"},
            {"stream": "Step 2/2 : RUN  a\\ \n"},
            {"stream": " ---> Running in 0123456789ab\n"},
            {"stream": "\x1b[91mcareful\x1b[0m\n"},
            {"stream": "Removing intermediate container 0123456789ab\n"},
            {"aux": {"ID": "sha256:1"}},
        ],
        told,
        "base",
    )
    assert told.steps == [(1, 2, "FROM base"), (2, 2, "RUN a\\")]
    assert told.lines == ["Pulling fs layer", "careful"]


def test_a_failure_shows_the_step_and_its_last_lines_only() -> None:
    with pytest.raises(DockerError) as caught:
        follow(failing(*(f"line {number}" for number in range(30))), None, "base")
    message = caught.value.message
    assert message.startswith("The build failed at `RUN pip install`:")
    assert message.endswith("returned a non-zero code: 1")
    assert "line 29" in message
    assert "line 14" not in message
    assert "of the first step" not in message


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("ERROR: No matching distribution found for numpy==9", "No wheel of this release"),
        ("ERROR: ResolutionImpossible: for help", "different releases"),
        ("SSLError(SSLCertVerificationError(1, 'certificate verify failed", "PIP_CERT"),
        ("Failed to establish: NewConnectionError", "HTTPS_PROXY"),
        ("write /opt: no space left on device", "docker system prune"),
        ("something else", ""),
    ],
)
def test_a_failure_comes_with_what_to_do(said: str, hint: str) -> None:
    with pytest.raises(DockerError) as caught:
        follow(failing(said), None, "base")
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)


def test_a_base_image_that_cannot_be_had_is_named() -> None:
    events = [{"stream": "Step 1/9 : FROM ${BASE_IMAGE} AS a\n"}, {"error": "dial tcp: no such host"}]
    with pytest.raises(DockerError, match="FROM team/base:1 AS a") as caught:
        follow(events, None, "team/base:1")
    assert "--base-image" in caught.value.hint


def test_no_engine_is_an_error_with_a_hint(
    hand_made: Bundle, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    ran = command("build", hand_made.root)
    assert ran.exit_code == 10
    assert "No Docker engine answers" in ran.err
    assert "DOCKER_HOST" in ran.err


def test_no_sdk_is_an_error_that_names_the_extra(
    hand_made: Bundle, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_docker(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "docker":
            raise ImportError("No module named 'docker'")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_docker)
    ran = command("build", hand_made.root)
    assert ran.exit_code == 10
    assert "pip install 'scorewright[docker]'" in ran.err
