"""`scorewright register` and `scorewright registry`, as they are typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from scorewright.registry.folder import FolderRegistry
from tests.registry.models import NAME, variant
from tests.service.servers import serving

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from tests.command import Command


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The registry of the environment; commands run beside it."""
    monkeypatch.setenv("SCOREWRIGHT_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "registry"


def test_the_whole_way(hand_made: Bundle, root: Path, tmp_path: Path, command: Command) -> None:
    assert command("registry", "list").out == f"Nothing is registered in {root}.\n"
    ran = command("register", hand_made.root, "--metric", "accuracy=0.93", "--tag", "stage=trial")
    assert (ran.exit_code, ran.out) == (0, f"{NAME}:1 is registered.\n")
    assert command("register", hand_made.root).out == f"{NAME}:1 is registered already.\n"
    variant(tmp_path / "second", "second")
    shown = json.loads(command("register", "second", "--json").out)
    assert (shown["version"], shown["new"], shown["metrics"]) == ("2", True, {})

    lines = command("registry", "list").out.splitlines()
    assert lines[0].split() == ["model", "registered", "kind", "metrics", "tags"]
    assert [line.split()[0] for line in lines[1:]] == [f"{NAME}:2"]
    lines = command("registry", "list", NAME).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [f"{NAME}:1", f"{NAME}:2"]
    assert lines[1].endswith("DecisionTreeClassifier  accuracy=0.93  stage=trial")
    assert [one["version"] for one in json.loads(command("registry", "list", NAME, "--json").out)] == ["1", "2"]
    assert command("registry", "list", "churn").out == f"Nothing is registered as churn in {root}.\n"

    shown = json.loads(command("registry", "show", f"{NAME}:1", "--json").out)
    assert shown["folder"] == str(root.resolve() / NAME / "1" / "bundle")
    assert "metrics    accuracy=0.93\n" in command("registry", "show", f"{NAME}:1").out

    assert command("registry", "fetch", f"{NAME}:latest").out == f"{NAME}:2 is in {NAME}.\n"
    assert (tmp_path / NAME / "bundle.json").is_file()
    assert command("registry", "fetch", f"{NAME}:1", "--out", "first").exit_code == 0
    again = command("registry", "fetch", f"{NAME}:1", "--out", "first")
    assert (again.exit_code, "first is there already" in again.err) == (6, True)


def test_another_registry_is_named_by_its_folder(hand_made: Bundle, tmp_path: Path, command: Command) -> None:
    other = tmp_path / "other"
    assert command("register", hand_made.root, "--registry", other, "--own-version").out == f"{NAME}:3 is registered.\n"
    assert FolderRegistry(other).names() == [NAME]
    assert command("registry", "show", f"{NAME}:3", "--registry", other).exit_code == 0
    assert command("registry", "show", f"{NAME}:3").exit_code == 16


def test_one_that_is_not_better_is_told_by_an_exit_code(hand_made: Bundle, tmp_path: Path, command: Command) -> None:
    command("register", hand_made.root, "--metric", "rmse=1.5", "--metric", "seconds=9")
    variant(tmp_path / "worse", "worse")
    ran = command("register", "worse", "--metric", "rmse=1.6", "--only-if-better", "--lower-is-better")
    assert ran.exit_code == 17
    assert f"rmse 1.6 is not better (lower) than the 1.5 of {NAME}:1" in ran.err
    assert "Nothing was registered" in ran.err
    ran = command("register", "worse", "--metric", "rmse=1.4", "--only-if-better", "--lower-is-better")
    assert (ran.exit_code, ran.out) == (0, f"{NAME}:2 is registered.\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--metric", "accuracy"), 2, "--metric 'accuracy' is not NAME=VALUE"),
        (("--metric", "accuracy=high"), 2, "--metric accuracy=high: that is no finite number"),
        (("--metric", "accuracy=nan"), 2, "that is no finite number"),
        (("--metric", "accuracy=inf"), 2, "that is no finite number"),
        (("--metric", "a=1", "--metric", "a=2"), 2, "--metric a is given twice"),
        (("--tag", "=x"), 2, "--tag '=x' is not NAME=VALUE"),
        (("--only-if-better",), 2, "--only-if-better needs a --metric"),
        (("--lower-is-better",), 2, "says nothing without --only-if-better"),
        (("--registry", "abfs://models"), 2, "'abfs://models' is no registry"),
        (("--registry", "docker://"), 2, "'docker://' is no registry"),
        (("--registry", "azureml://s/g"), 2, "'azureml://s/g' is no workspace"),
        (("--registry", "azureml://"), 2, "Which workspace?"),
        (("--registry", "azureml://s/g/w", "--metric", "a=1", "--only-if-better"), 2, "needs a folder as the registry"),
        (("--registry", "docker://r.io", "--metric", "a=1", "--only-if-better"), 2, "needs a folder as the registry"),
        (("--registry", "bundle/score.py"), 16, "cannot be used"),
    ],
)
def test_bad_words(hand_made: Bundle, command: Command, words: tuple[str, ...], code: int, message: str) -> None:
    ran = command("register", hand_made.root, *words)
    assert ran.exit_code == code
    assert message in ran.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("register", "nowhere"), 6, "nowhere is not a folder"),
        (("registry", "show", "iris"), 2, "'iris' is no registered model"),
        (("registry", "show", "../x:1"), 2, "'../x:1' is no registered model"),
        (("registry", "fetch", "iris:1"), 16, "No model iris is registered in"),
        (("registry", "list", "--registry", "docker://r.io"), 2, "docker://r.io is not a folder"),
    ],
)
def test_bad_references(command: Command, words: tuple[str, ...], code: int, message: str) -> None:
    ran = command(*words)
    assert ran.exit_code == code
    assert message in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("build", "--print"),
        ("serve",),
        ("batch", "run", "--input", "x", "--output", "y"),
        ("deploy", "aks", "acme.azurecr.io/iris:7", "--namespace", "ml", "--bundle"),
        ("deploy", "azureml", "batch", "--compute", "cpu"),
        ("deploy", "azureml-v1", "ubuntu", "--bundle"),
        ("loadtest", "http://127.0.0.1:1", "--bundle"),
    ],
)
def test_a_reference_to_nothing_is_told_by_every_command(command: Command, words: tuple[str, ...]) -> None:
    ran = command(*words, "iris:7")
    assert ran.exit_code == 16
    assert "No model iris is registered in" in ran.err


def test_build_takes_a_registered_model(hand_made: Bundle, command: Command) -> None:
    command("register", hand_made.root)
    shown = command("build", f"{NAME}:latest", "--print")
    assert shown.exit_code == 0, shown.err
    assert "docker build -t iris.tree:1 " in shown.out
    assert "io.scorewright.bundle.version=1" in shown.out


def test_a_registered_model_is_served(hand_made: Bundle, command: Command) -> None:
    command("register", hand_made.root)
    with serving() as start:
        server = start(f"{NAME}:latest", "--allow-version-skew").ready()
        assert httpx.post(f"{server.url}/score", content=b"as it is").json() == "as it is"
