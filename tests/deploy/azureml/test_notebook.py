"""What a notebook deploys with, in one call: to Azure ML by both its SDKs, at the stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import scorewright
from scorewright.deploy.azureml_v1_plan import NOTICE, OnThisMachine
from scorewright.deploy.target import Deployment
from scorewright.errors import CheckFailedError, DeployError, UsageError
from tests.deploy.standin.login import LoggedIn, LoggedOut

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.deploy.azureml_workspace import AzuremlWorkspace
    from tests.deploy.standin.azureml import Workspace
    from tests.deploy.standin.azureml_v1 import V1
    from tests.deploy.standin.registry import Registry

IMAGE = "acme.azurecr.io/churn:3"
BASE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


def test_an_online_endpoint(
    workspace: Workspace, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = registry.push("churn", "3")
    place = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
    (tmp_path / "config.json").write_text(json.dumps(place))
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    there = scorewright.deploy.azureml(
        IMAGE, slot="green", replicas=2, unchecked=True, credential=LoggedIn(), report=said.append
    )
    assert isinstance(there, Deployment)
    kept = workspace.at("onlineEndpoints/churn/deployments/green")
    assert kept["sku"]["capacity"] == 2
    assert there.get_keys() == ("key-one", "key-two")
    assert there.run([[1, 2]]) == {"predict": [1], "slot": ""}
    assert there.run([[1, 2]], slot="green")["slot"] == "green"
    assert (there.status().healthy, there.status().image) == (True, f"acme.azurecr.io/churn@{digest}")
    assert said[0] == f"looking for {IMAGE}"
    there.delete()
    with pytest.raises(DeployError, match="Nothing is deployed as churn"):
        there.status()


def test_what_does_not_fit_or_is_not_allowed(ours: AzuremlWorkspace, registry: Registry) -> None:
    with pytest.raises(UsageError, match="--cpu"):
        scorewright.deploy.azureml(IMAGE, workspace=ours, cpu=1)
    with pytest.raises(UsageError, match="which model"):
        scorewright.deploy.azureml(IMAGE, workspace=ours, with_model=True)
    registry.push("churn", "3")
    with pytest.raises(DeployError, match="not logged in to Azure"):
        scorewright.deploy.azureml(IMAGE, workspace=ours, unchecked=True, credential=LoggedOut())


def test_a_service_of_sdk_v1(ours: AzuremlWorkspace, v1: V1, hand_made: Bundle) -> None:
    said: list[str] = []
    there = scorewright.deploy.azureml_v1(
        BASE,
        bundle=hand_made,
        workspace=ours,
        name="churn",
        auth="key",
        unchecked=True,
        credential=LoggedIn(),
        report=said.append,
    )
    assert isinstance(there, Deployment)
    assert said[0] == NOTICE
    assert there.run([[1, 2]])["predict"] == [1]
    assert (there.get_keys(), there.status().healthy) == (("key-one", "key-two"), True)
    assert there.logs(1) == "ImportError: no module named churn"
    there.delete()
    assert v1.services == {}


def test_sdk_v1_sends_nothing_that_is_open_unchecked_or_for_this_machine(
    ours: AzuremlWorkspace, v1: V1, hand_made: Bundle
) -> None:
    def deploy(**more: Any) -> None:
        scorewright.deploy.azureml_v1(
            BASE, bundle=hand_made.root, workspace=ours, name="churn", credential=LoggedIn(), **more
        )

    with pytest.raises(UsageError, match="anyone could ask it without a key"):
        deploy()
    with pytest.raises(UsageError, match="--local is planned only: what SDK v1 runs on this machine is built from"):
        deploy(place=OnThisMachine())
    with pytest.raises(CheckFailedError):
        deploy(auth="key")
    assert (v1.models, v1.services) == ([], {})
