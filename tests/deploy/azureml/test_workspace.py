"""Which workspace is meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scorewright.deploy.azureml_workspace import AzuremlWorkspace
from scorewright.errors import DeployError, UsageError
from tests.deploy.standin.answer import FORBIDDEN, arm_error
from tests.deploy.standin.login import LoggedOut

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.standin.azureml import Workspace
    from tests.deploy.standin.server import StandIn

CONFIG = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}


@pytest.mark.parametrize("place", ["config.json", ".azureml/config.json"])
def test_it_is_read_from_above_as_the_sdks_do(tmp_path: Path, ours: AzuremlWorkspace, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(json.dumps(CONFIG))
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert AzuremlWorkspace.find(start=tmp_path / "a" / "b") == ours
    assert AzuremlWorkspace.find(name="other", start=tmp_path) == AzuremlWorkspace("s", "g", "other")
    assert ours.to_config() == CONFIG


def test_what_sdk_v1_writes_is_read(tmp_path: Path, ours: AzuremlWorkspace) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"Id": None, "Scope": ours.id}))
    assert AzuremlWorkspace.find(start=tmp_path) == ours


def test_what_is_given_needs_no_file(tmp_path: Path, ours: AzuremlWorkspace) -> None:
    (tmp_path / "config.json").write_text("not json")
    assert AzuremlWorkspace.find("s", "g", "w", start=tmp_path) == ours


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "--workspace is not given, and there is no config.json here or above"),
        ("{}", "--workspace is not given, and .*config.json does not say, either"),
        ("not json", "cannot be read"),
        ("[]", "is no workspace's config.json"),
    ],
)
def test_who_does_not_say_is_asked(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match=said):
        AzuremlWorkspace.find("s", "g", start=tmp_path)


def test_nobody_is_logged_in(workspace: Workspace, ours: AzuremlWorkspace, standin: StandIn) -> None:
    with pytest.raises(DeployError, match="workspace w: not logged in to Azure") as caught, ours.client(LoggedOut()):
        pass
    assert "az login" in caught.value.hint
    assert standin.calls == []


def test_a_workspace_that_may_not_be_read(workspace: Workspace, ours: AzuremlWorkspace, standin: StandIn) -> None:
    standin.fail("GET", "workspaces/w$", FORBIDDEN)
    with pytest.raises(DeployError, match=r"workspace w: Azure refuses \(AuthorizationFailed\)"), ours.client():
        pass


def test_a_workspace_that_is_not_there(workspace: Workspace, standin: StandIn) -> None:
    with (
        pytest.raises(DeployError, match=r"workspace x: Azure refuses \(ResourceNotFound\)"),
        AzuremlWorkspace("s", "g", "x").client(),
    ):
        pass


def test_a_group_that_is_not_there(workspace: Workspace, ours: AzuremlWorkspace, standin: StandIn) -> None:
    standin.fail("GET", "workspaces/w$", arm_error(404, "ResourceGroupNotFound", "Resource group 'g' not found."))
    with pytest.raises(DeployError, match="ResourceGroupNotFound") as caught, ours.client():
        pass
    assert "az group create" in caught.value.hint
