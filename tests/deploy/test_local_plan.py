"""What would be run, before the engine is asked."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.deploy.local import plan
from scorewright.errors import BundleError, UsageError

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden" / "plan.txt"


def test_the_plan_is_a_docker_run_without_values(hand_made: Bundle, command: Command) -> None:
    ran = command(
        *("deploy", "local", "Registry.example/Team/churn:3", "--port", "8080", "--bundle", hand_made.root),
        *("--env", "API_KEY=hunter2", "--env", "LEVEL=x", "--memory", "512m", "--cpus", "0.5", "--plan"),
    )
    assert ran.exit_code == 0
    assert ran.out.replace(str(hand_made.root), "BUNDLE") == GOLDEN.read_text("utf-8")


def test_the_plan_as_json(hand_made: Bundle, command: Command) -> None:
    ran = command(
        "deploy", "local", "churn:3", "--env", "API_KEY=hunter2", "--bundle", hand_made.root, "--plan", "--json"
    )
    assert json.loads(ran.out) == {
        "target": "local",
        "name": "churn",
        "image": "churn:3",
        "url": "http://127.0.0.1:5001",
        "bundle": str(hand_made.root),
        "data": None,
        "environment": ["API_KEY"],
        "memory": None,
        "cpus": None,
        "timeout": 300.0,
    }


def test_a_data_folder_is_mounted_for_who_owns_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    todo = plan("churn", data=tmp_path)
    assert f"{tmp_path}:/var/lib/scorewright" in shlex.split(todo.describe())
    owner = tmp_path.stat()
    assert todo.user == (f"{owner.st_uid}:{owner.st_gid}" if owner.st_uid else None)


def test_a_data_folder_that_the_container_could_not_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        plan("churn", data=tmp_path / "missing")
    tmp_path.chmod(0o755)
    if os.getuid() == 0:
        with pytest.raises(UsageError, match="may only be written by root") as refused:
            plan("churn", data=tmp_path)
        assert refused.value.hint == f"chown 10001 {tmp_path}"


def test_no_value_of_the_environment_is_shown_anywhere() -> None:
    todo = plan("churn:3", environment={"API_KEY": "hunter2"})
    assert "hunter2" not in f"{todo} {todo!r} {todo.describe()} {todo.to_dict()}"


def test_the_printed_command_keeps_odd_folders_together(hand_made: Bundle, tmp_path: Path) -> None:
    odd = tmp_path / "a folder; $(id)"
    hand_made.root.rename(odd)
    words = shlex.split(plan("churn", bundle=odd).describe())
    assert f"{odd}:/bundle:ro" in words


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("churn", "churn"),
        ("churn:3", "churn"),
        ("registry.example:5000/team/churn:3", "churn"),
        ("churn@sha256:0123", "churn"),
    ],
)
def test_the_name_is_the_images(image: str, name: str) -> None:
    assert plan(image).name == name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "a b"}, "'a b' cannot be a container's name"),
        ({"port": 70000}, "70000 is no port"),
        ({"memory": "much"}, "'much' is no amount of memory"),
        ({"cpus": 0}, "0 CPUs are none"),
        ({"timeout": 0}, "cannot be healthy within 0 seconds"),
        ({"environment": {"A B": ""}}, "'A B' cannot be an environment variable's name"),
        ({"environment": {"SCOREWRIGHT_PORT": "1"}}, "SCOREWRIGHT_PORT is for the deployment to set"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan("churn", **given)


def test_a_changed_bundle_is_refused(hand_made: Bundle) -> None:
    (hand_made.root / "score.py").write_text("another\n", "utf-8")
    with pytest.raises(BundleError, match="has changed"):
        plan("churn", bundle=hand_made.root)


@pytest.mark.parametrize("shut", [".", "model", "model/model.joblib"])
def test_a_bundle_that_the_container_could_not_read_is_refused(hand_made: Bundle, shut: str) -> None:
    path = hand_made.root / shut
    path.chmod(path.stat().st_mode & ~0o077)
    with pytest.raises(BundleError, match="may only be read by its owner") as caught:
        plan("churn", bundle=hand_made.root)
    assert caught.value.hint == f"chmod -R a+rX {hand_made.root}"


def test_a_variable_without_a_value_is_this_shells(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hunter2")
    ran = command("deploy", "local", "churn", "--env", "API_KEY", "--plan")
    assert "--env API_KEY='***'" in ran.out
    assert "hunter2" not in ran.out


def test_a_variable_that_this_shell_does_not_have_is_refused(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_KEY", raising=False)
    ran = command("deploy", "local", "churn", "--env", "API_KEY", "--plan")
    assert ran.exit_code == 2
    assert "this shell has no such variable" in ran.err


def test_options_may_come_before_the_image(command: Command) -> None:
    short = command("deploy", "local", "--port", "8080", "churn", "--plan")
    long = command("deploy", "local", "apply", "churn", "--port", "8080", "--plan")
    assert short.out == long.out
    assert short.exit_code == 0


@pytest.mark.parametrize("words", [("churn",), ("status", "churn"), ("list",), ("logs", "churn"), ("delete", "churn")])
def test_no_engine_is_an_error_with_a_hint(
    words: tuple[str, ...], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    ran = command("deploy", "local", *words)
    assert ran.exit_code == 10
    assert "No Docker engine answers" in ran.err
    assert "Start Docker" in ran.err
