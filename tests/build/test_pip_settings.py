"""What of this machine's pip settings goes into a build."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scorewright.build.pip_settings import pip_files
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The one configuration file that pip reads here; not there yet."""
    for name in list(os.environ):
        if name.startswith("PIP_") or name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.delenv(name)
    # pip reads no file of the machine or the user if this is the null device: the tests name settings by environment.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "pip.conf"


def test_nothing_set_is_an_empty_configuration() -> None:
    assert pip_files() == {"pip.conf": b"[global]\n"}


def test_addresses_and_their_like_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "mirror.example")
    monkeypatch.setenv("PIP_TIMEOUT", "180")
    assert pip_files()["pip.conf"].decode() == (
        "[global]\nindex-url = https://mirror.example/simple\ntrusted-host = mirror.example\ntimeout = 180\n"
    )


def test_a_configuration_file_counts_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    config.write_text(
        "[global]\nindex-url = https://file.example/simple\ntimeout = 7\n[install]\ntimeout = 8\n", "utf-8"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment.example/simple")
    lines = pip_files()["pip.conf"].decode().splitlines()
    # The machine's own file is read besides; what it says after these lines is not this test's.
    assert lines[:3] == ["[global]", "index-url = https://environment.example/simple", "timeout = 8"]


def test_addresses_on_this_machines_disk_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///srv/wheels https://more.example/simple\n/srv/other")
    assert pip_files()["pip.conf"].decode() == "[global]\nextra-index-url = https://more.example/simple\n"


@pytest.mark.parametrize("address", ["https://me:word@feed.example/simple", "https://token@feed.example/simple"])
def test_an_address_with_a_password_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", address)
    with pytest.raises(DockerError, match=r"extra-index-url .* for feed\.example") as caught:
        pip_files()
    assert "word" not in caught.value.message.replace("password", "")
    assert "token" not in caught.value.message


@pytest.mark.parametrize("name", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_of_this_machine_go_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "ca.pem").write_text("certificates\n", "utf-8")
    monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    found = pip_files()
    assert found["ca.pem"] == b"certificates\n"
    assert found["pip.conf"] == b"[global]\ncert = /src/pip/ca.pem\n"


def test_certificates_that_are_not_there_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "missing.pem"))
    assert pip_files() == {"pip.conf": b"[global]\n"}
