"""What would be run, before the engine is asked."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.deploy.local_target import Local
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import BundleError, UsageError

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from scorewright.deploy.local_plan import LocalPlan
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden" / "plan.txt"


def plan(
    image: str, *, port: int = 5001, bundle: Path | None = None, data: Path | None = None, **given: Any
) -> LocalPlan:
    return Local(port, bundle, data=data).plan(DeploySettings.of(image, **given))


def test_the_plan_is_a_docker_run_without_secrets(
    hand_made: Bundle, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "hunter2")
    ran = command(
        *("deploy", "local", "Registry.example/team/churn:3", "--port", "8080", "--bundle", hand_made.root),
        *("--secret", "API_KEY", "--env", "LEVEL=x y", "--memory", "512m", "--cpu", "0.5", "--tag", "team=churn"),
        *("--request-timeout-ms", "30000", "--max-concurrent-requests", "8", "--max-queue-wait-ms", "500", "--plan"),
    )
    assert ran.exit_code == 0, ran.err
    assert ran.out.replace(str(hand_made.root), "BUNDLE") == GOLDEN.read_text("utf-8")


def test_the_plan_as_json(hand_made: Bundle, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hunter2")
    ran = command("deploy", "local", "churn:3", "--secret", "API_KEY", "--bundle", hand_made.root, "--plan", "--json")
    assert json.loads(ran.out) == {
        "target": "local",
        "url": "http://127.0.0.1:5001",
        "bundle": str(hand_made.root),
        "data": None,
        "name": "churn",
        "image": "churn:3",
        "probes": {"start": 300, "period": 10, "timeout": 5, "failures": 3},
        "auth": "none",
        "auth_keys": [],
        "env": {},
        "secrets": {"API_KEY": "***"},
        "tags": {},
    }


def test_the_plan_is_written_as_a_script(command: Command, tmp_path: Path) -> None:
    ran = command("deploy", "local", "churn:3", "--out", tmp_path / "plan")
    assert ran.out == f"{tmp_path}/plan/run.sh\n"
    assert (tmp_path / "plan" / "run.sh").read_text("utf-8").startswith("#!/bin/sh\ndocker run --detach")


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


def test_the_variable_of_the_data_folder_is_not_to_be_set() -> None:
    with pytest.raises(UsageError, match="SCOREWRIGHT_BATCH_DATA is for the deployment to set") as refused:
        plan("churn", env={"SCOREWRIGHT_BATCH_DATA": "/tmp"})
    assert refused.value.hint == "Use --data."


def test_no_secret_is_shown_anywhere() -> None:
    todo = plan("churn:3", secrets={"API_KEY": "hunter2"})
    assert "hunter2" not in f"{todo} {todo!r} {todo.describe()} {todo.to_dict()}"


def test_keys_are_put_into_a_volume_and_no_variable_has_them() -> None:
    todo = plan("churn:3", auth="key", auth_keys=("ONE", "TWO"), secrets={"ONE": "a" * 20, "TWO": "b" * 20, "X": "y"})
    said = todo.describe()
    assert "aaaa" not in f"{said} {todo} {todo!r} {todo.to_dict()}"
    assert said.startswith("docker create ")
    assert "--env ONE" not in said
    assert "--env X" in said
    assert todo.variables == {"SCOREWRIGHT_KEYS_PATH": "/run/scorewright/keys"}
    assert said.splitlines()[-1] == "docker start churn"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ONE": "short"}, "--auth-key ONE: a key has 16 to 1000 characters, this one 5"),
        ({"ONE": "a b" * 10}, "--auth-key ONE: it has characters that a header cannot carry, or spaces"),
        (dict.fromkeys("abc", "a" * 20), "A service has a primary and a secondary key, no third"),
    ],
)
def test_keys_that_the_service_would_refuse_are_refused_before(keys: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        plan("churn:3", auth="key", auth_keys=tuple(keys), secrets=keys)
    assert "a b" not in refused.value.message


def test_a_key_is_given_as_one_alone() -> None:
    for where in ("env", "secrets"):
        given: dict[str, Any] = {where: {"SCOREWRIGHT_PRIMARY_KEY": "a" * 20}}
        with pytest.raises(UsageError, match="SCOREWRIGHT_PRIMARY_KEY is for the deployment to set; use --auth-key"):
            plan("churn:3", **given)


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
        ("churn@sha256:" + "01" * 32, "churn"),
    ],
)
def test_the_name_is_the_images(image: str, name: str) -> None:
    assert plan(image).name == name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "a b"}, "'a b' cannot be a deployment's name on this machine: it takes letters"),
        ({"port": 70000}, "70000 is no port"),
        ({"replicas": 2}, "one container: there are no replicas"),
        ({"autoscale": {"max": 3}}, "one container: there are no replicas"),
        ({"auth": "key"}, r"which key\? The service is given yours, and makes none"),
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
