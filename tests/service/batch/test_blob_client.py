"""Which credentials are used for which storage account. Nothing is sent."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scorewright.service.batch import blob_client

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("CONNECTION_STRING", "ACCOUNT_NAME", "ACCOUNT_KEY", "SAS_TOKEN")
OF_MINE = "DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in NAMES:
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    blob_client.forget()
    yield
    blob_client.forget()


@pytest.mark.parametrize(
    ("environment", "account", "expected"),
    [
        ({"CONNECTION_STRING": OF_MINE}, "mine", "key of mine"),
        ({"CONNECTION_STRING": OF_MINE}, None, "key of mine"),
        ({"CONNECTION_STRING": OF_MINE}, "another", "identity"),
        ({"CONNECTION_STRING": OF_MINE, "ACCOUNT_KEY": "a2V5"}, "another", "key of another"),
        ({"ACCOUNT_KEY": "a2V5"}, "mine", "key of mine"),
        ({"ACCOUNT_KEY": "a2V5", "ACCOUNT_NAME": "mine"}, "another", "identity"),
        ({"ACCOUNT_KEY": "a2V5", "ACCOUNT_NAME": "mine"}, None, "key of mine"),
        ({"SAS_TOKEN": "?sv=2024&sig=secret"}, "mine", "signature"),
        ({"SAS_TOKEN": "sv=2024&sig=secret", "ACCOUNT_NAME": "mine"}, "another", "identity"),
        ({}, "mine", "identity"),
    ],
)
def test_credentials_are_used_for_the_account_they_belong_to(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], account: str | None, expected: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"AZURE_STORAGE_{name}", value)

    connection = blob_client.filesystem(account, "")

    client = connection.service_client
    if "sig=" in client.get_container_client("c").url:
        found = "signature"
    elif connection.credential is not None:
        found = "identity"
    else:
        found = f"key of {client.credential.account_name}"
    assert found == expected
    assert client.account_name == (account or "mine")


def test_azures_other_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    client = blob_client.filesystem("mine", "core.chinacloudapi.cn").service_client
    assert client.primary_hostname == "mine.blob.core.chinacloudapi.cn"


def test_one_connection_a_process() -> None:
    assert blob_client.filesystem("mine", "") is blob_client.filesystem("mine", "")


def test_a_process_that_has_connected_ends_without_a_word() -> None:
    script = "from scorewright.service.batch import blob_client; blob_client.filesystem('mine', '')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
