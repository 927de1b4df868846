"""What is asked of a deployment: parsed once, refused in words, secrets never shown."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.deploy.image_name import ImageName
from scorewright.deploy.settings import DeploySettings, without_secrets
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("churn", ("", "churn", "", "")),
        ("churn:3", ("", "churn", "3", "")),
        ("team/churn:3", ("", "team/churn", "3", "")),
        ("localhost:5000/churn", ("localhost:5000", "churn", "", "")),
        ("acme.azurecr.io/team/churn:3", ("acme.azurecr.io", "team/churn", "3", "")),
        (f"acme.azurecr.io/churn:3@{DIGEST}", ("acme.azurecr.io", "churn", "3", DIGEST)),
    ],
)
def test_an_images_name_is_taken_apart_and_put_together(text: str, parts: tuple[str, ...]) -> None:
    name = ImageName.parse(text)
    assert (name.registry, name.repository, name.tag, name.digest) == parts
    assert str(name) == text
    assert name.short == "churn"


@pytest.mark.parametrize("text", ["", "a b", "churn:", "churn@sha256:12", "/churn", "churn;id", "churn\n", "Churn"])
def test_what_is_no_images_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be an image's name"):
        ImageName.parse(text)


def test_an_image_is_held_by_its_digest_alone() -> None:
    assert str(ImageName.parse("acme.azurecr.io/churn:3").at(DIGEST)) == f"acme.azurecr.io/churn@{DIGEST}"


@pytest.mark.parametrize(
    ("text", "amount"),
    [("512m", 512 * 2**20), ("2g", 2**31), ("1.5Gi", 1536 * 2**20), ("2GB", 2**31), ("1048576", 2**20)],
)
def test_memory_as_people_write_it(text: str, amount: int) -> None:
    assert DeploySettings.of("churn", memory=text).memory == amount


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"cpu": 0}, "--cpu: input should be greater than 0"),
        ({"cpu": float("inf")}, "--cpu: input should be a finite number"),
        ({"memory": "much"}, "--memory: 'much' is no amount of memory"),
        ({"memory": "1k"}, "--memory: input should be greater than"),
        ({"replicas": 0}, "--replicas: input should be greater"),
        ({"replicas": 2, "autoscale": {"max": 3}}, "exclude each other"),
        ({"autoscale": {"min": 4, "max": 3}}, "at least 4 replicas and at most 3"),
        ({"probes": {"start": 0}}, "--timeout: input should be greater"),
        ({"probes": {"period": 0}}, "--probe-period: input should be greater"),
        ({"env": {"A B": ""}}, "'A B' cannot be an environment variable's name"),
        ({"env": {"SCOREWRIGHT_PORT": "1"}}, "SCOREWRIGHT_PORT is for the deployment to set"),
        ({"env": {"SCORING_TIMEOUT_MS": "1"}}, "use --request-timeout-ms"),
        ({"env": {"A": "1"}, "secrets": {"A": "hunter2"}}, "A is given both"),
        ({"auth": "key", "auth_keys": ("K",)}, "the key K is not among the secrets"),
        ({"auth_keys": ("K",), "secrets": {"K": "hunter2"}}, "auth is none"),
        ({"tags": {"io.scorewright.endpoint": "other"}}, "io.scorewright.endpoint is for the deployment to set"),
        ({"tags": {"scorewright": "x"}}, "the tag scorewright is for the deployment to set"),
        ({"cpu": -1, "replicas": 0}, "--cpu: .*; --replicas: "),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        DeploySettings.of("churn", **asked)
    assert "hunter2" not in str(caught.value)


def test_a_secret_of_the_wrong_kind_is_refused_without_being_shown() -> None:
    with pytest.raises(UsageError) as caught:
        DeploySettings.of("churn", secrets={"KEY": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


@given(st.text(string.ascii_letters + string.digits, min_size=8))
def test_no_secret_is_ever_shown(value: str) -> None:
    settings = DeploySettings.of("churn", secrets={"KEY": f"secret-{value}"}, auth="key", auth_keys=("KEY",))
    assert f"secret-{value}" not in f"{settings} {settings!r} {settings.to_dict()} {settings.service_variables()}"
    assert settings.revealed() == {"KEY": f"secret-{value}"}


def test_the_service_is_told_what_is_its_own() -> None:
    settings = DeploySettings.of(
        "churn", request_timeout_ms=1, max_concurrent_requests=2, max_queue_wait_ms=3, env={"LEVEL": "x"}
    )
    assert settings.service_variables() == {
        "SCORING_TIMEOUT_MS": "1",
        "SCOREWRIGHT_MAX_CONCURRENT_REQUESTS_PER_INSTANCE": "2",
        "SCOREWRIGHT_MAX_QUEUE_WAIT_MS": "3",
        "LEVEL": "x",
    }


@pytest.mark.parametrize(("text", "expected"), [("2-10", (2, 10, 70)), ("1-3@50", (1, 3, 50)), ("1-3@50%", (1, 3, 50))])
def test_autoscale_is_written_as_a_span(text: str, expected: tuple[int, int, int], command: Command) -> None:
    ran = command("deploy", "aks", "churn", "--namespace", "ml", "--autoscale", text, "--plan", "--json")
    spec = json.loads(ran.out)["files"]["production/horizontalpodautoscaler.yaml"]["spec"]
    target = spec["metrics"][0]["resource"]["target"]["averageUtilization"]
    assert (spec["minReplicas"], spec["maxReplicas"], target) == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--autoscale", "many"), "--autoscale 'many' cannot be read"),
        (("--env", "NOT_SET_ANYWHERE"), "this shell has no such variable"),
        (("--secret", "NOT_SET_ANYWHERE"), "this shell has no such variable"),
        (("--secret", "KEY=hunter2"), "stays in the shell's history"),
        (("--secret", "KEY=@/no/such/file"), "/no/such/file cannot be read: No such file"),
        (("--tag", "team"), "--tag 'team' cannot be read"),
    ],
)
def test_flags_that_cannot_be_read_are_refused(flags: tuple[str, str], message: str, command: Command) -> None:
    ran = command("deploy", "local", "churn", *flags, "--plan")
    assert ran.exit_code == 2
    assert message in ran.err
    assert "hunter2" not in ran.err + ran.out


def test_values_come_from_the_shell_and_from_files(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEVEL", "x")
    monkeypatch.setenv("API_KEY", "hunter2")
    (tmp_path / "key").write_text("hunter3\n", "utf-8")
    ran = command(
        *("deploy", "local", "churn", "--env", "LEVEL", "--secret", "API_KEY"),
        *("--secret", f"OTHER=@{tmp_path}/key", "--plan"),
    )
    assert "--env LEVEL=x" in ran.out
    assert "--env API_KEY" in ran.out
    assert "--env OTHER" in ran.out
    assert "hunter" not in ran.out + ran.err


def test_a_log_shows_no_secret_whatever_the_others_are() -> None:
    assert without_secrets("key hunter2", {"SHORT": "hunter", "LONG": "hunter2", "EMPTY": ""}) == "key ***"


@pytest.mark.parametrize("target", [("local",), ("aks", "--namespace", "ml")])
def test_a_folder_that_cannot_be_written_is_told(command: Command, tmp_path: Path, target: tuple[str, ...]) -> None:
    (tmp_path / "taken").write_text("", "utf-8")
    ran = command("deploy", *target, "acme.azurecr.io/churn:3", "--out", str(tmp_path / "taken"))
    assert ran.exit_code == 2
    assert "taken" in ran.err
    assert "cannot be written" in ran.err
