"""This machine: what is well, and what is made to be wrong."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scorewright.doctor.machine import azure_login, docker, memory, packages, port, python, settings
from scorewright.doctor.wanted import Wanted
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

WANTED = Wanted(port=0)


def test_this_python_will_do_and_others_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert python.CHECK.look(WANTED).result == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    found = python.CHECK.look(WANTED)
    assert (found.result, found.remedy) == ("failed", "Make an environment with one of these.")
    monkeypatch.undo()
    monkeypatch.setattr("platform.system", lambda: "Windows")
    assert python.CHECK.look(WANTED).result == "warning"


def test_the_packages_here_will_do() -> None:
    found = packages.CHECK.look(WANTED)
    assert found.result == "ok", found
    assert "sklearn" in found.said


@pytest.mark.parametrize(
    ("requires", "result", "says"),
    [
        (["pytest>=1"], "ok", "with no extra"),
        (["pytest>=1", 'nowhere-to-be-found>=1; extra == "onnx"', 'pytest>=1; extra == "docker"'], "ok", "with docker"),
        (['nowhere-to-be-found>=1; extra == "onnx"'], "ok", "without onnx"),
        (["pytest>=1000"], "failed", "pytest is "),
        (["nowhere-to-be-found>=1"], "failed", "nowhere-to-be-found is not installed"),
        (['pytest<1; extra == "batch"'], "warning", "<1 is wanted"),
    ],
)
def test_packages_by_what_is_required(requires: list[str], result: str, says: str) -> None:
    found = packages.judge("0.1.0", requires)
    assert (found.result, says in found.said) == (result, True), found


@pytest.mark.parametrize(
    ("release", "wanted", "fits"),
    [
        ("1.5", ">=1.5,<2", True),
        ("1.5.0", ">=1.5", True),
        ("1.10.1", ">=1.9", True),
        ("2.0.0rc1", "<2", False),
        ("2.0", "<=2", True),
        ("1.4.9", ">=1.5,<2", False),
        ("3", "==3.0", True),
        ("2", ">2", False),
        ("1", "~=1.0", True),
        ("1", "", True),
    ],
)
def test_bounds(release: str, wanted: str, fits: bool) -> None:
    assert packages.fits(release, wanted) is fits


def test_settings() -> None:
    assert settings.CHECK.look(WANTED).result == "ok"
    found = settings.CHECK.look(replace(WANTED, fault=UsageError("worker_count is 'x'")))
    assert (found.result, found.said) == ("failed", "worker_count is 'x'")
    assert found.remedy


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        found = port.CHECK.look(Wanted(port=taken))
        assert (found.result, f"127.0.0.1:{taken} is taken" in found.said) == ("warning", True)
        assert port.CHECK.look(Wanted(port=taken, port_given=True)).result == "failed"
    assert port.CHECK.look(Wanted(port=taken)).said == f"127.0.0.1:{taken} is free"
    assert port.CHECK.look(WANTED).result == "ok"


def test_an_address_of_another_machine() -> None:
    assert port.CHECK.look(Wanted(host="192.0.2.1")).result == "not looked at"


def test_memory() -> None:
    assert memory.CHECK.look(WANTED).result == "ok"
    found = memory.CHECK.look(Wanted(worker_count=8, memory=512 * 2**20))
    assert (found.result, "8 scorers" in found.said) == ("warning", True)
    assert "--worker-count" in found.remedy


def test_no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    found = docker.CHECK.look(WANTED)
    assert (found.result, "No Docker engine answers" in found.said) == ("warning", True)
    monkeypatch.setattr(docker, "find_spec", lambda _: None)
    found = docker.CHECK.look(WANTED)
    assert (found.result, found.remedy) == ("not looked at", "pip install 'scorewright[docker]'")


@pytest.fixture
def az(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An Azure CLI, alone on the PATH, whose program the test writes."""
    for name in azure_login.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "az"
    path.touch(0o755)
    return path


def write(path: Path, body: str) -> None:
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")


def test_logged_in_by_the_azure_cli(az: Path) -> None:
    write(az, """print('{"name": "Main", "id": "x", "user": {"name": "ada@acme.example"}}')""")
    found = azure_login.CHECK.look(WANTED)
    assert (found.result, found.said) == ("ok", "as ada@acme.example, subscription Main")


def test_not_logged_in(az: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(az, "sys.exit('Please run az login')")
    found = azure_login.CHECK.look(WANTED)
    assert (found.result, "az login" in found.remedy) == ("warning", True)
    write(az, "print('no json')")
    assert "cannot be read" in azure_login.CHECK.look(WANTED).said
    monkeypatch.setattr(azure_login, "PATIENCE", 0.3)
    write(az, "time.sleep(60)")
    assert "has not answered in 0.3 s" in azure_login.CHECK.look(WANTED).said
    az.unlink()
    assert azure_login.CHECK.look(WANTED).result == "not looked at"


def test_a_service_principal_that_is_refused_and_half_of_one(az: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "11111111-1111-1111-1111-111111111111")
    found = azure_login.CHECK.look(WANTED)
    assert (found.result, "AZURE_TENANT_ID, AZURE_CLIENT_SECRET is not" in found.said) == ("warning", True)
    monkeypatch.setenv("AZURE_TENANT_ID", "22222222-2222-2222-2222-222222222222")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "s3cret-value")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1")  # nobody listens there
    found = azure_login.CHECK.look(WANTED)
    assert found.result in ("failed", "warning"), found
    assert "s3cret-value" not in found.said
    assert found.remedy


def test_without_azures_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_login, "find_spec", lambda _: None)
    found = azure_login.CHECK.look(WANTED)
    assert (found.result, found.remedy) == ("not looked at", "pip install 'scorewright[azure]'")
