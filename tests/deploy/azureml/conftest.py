"""A workspace at the stand-in, and how to ask it."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from scorewright.deploy.azureml_workspace import AzuremlWorkspace
from tests.deploy.standin.azureml import Blobs, Scoring, Workspace
from tests.deploy.standin.azureml_v1 import HOST, V1

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.standin.server import StandIn

# They run in the environment that has Azure ML's SDKs (see the Makefile), and nowhere else.
# By distribution: a module `azureml` is put in place by tests of other parts, too.
collect_ignore_glob = [] if list(metadata.distributions(name="azure-ai-ml")) else ["test_*.py"]


@pytest.fixture
def ours() -> AzuremlWorkspace:
    return AzuremlWorkspace("s", "g", "w")


@pytest.fixture
def blobs(standin: StandIn) -> Blobs:
    found = Blobs()
    standin.services.append(found)
    return found


@pytest.fixture
def workspace(standin: StandIn, blobs: Blobs) -> Workspace:
    found = Workspace(standin.url)
    standin.services += [found, Scoring()]
    return found


@pytest.fixture
def v1(workspace: Workspace, standin: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> V1:
    # The SDK keeps what it discovers in the user's home.
    monkeypatch.setattr(
        "azureml._base_sdk_common.service_discovery.CachedServiceDiscovery.__init__.__defaults__",
        (str(tmp_path / "discovery"),),
    )
    workspace.at("")["properties"]["discoveryUrl"] = f"{HOST}/discovery"
    found = V1(standin.url)
    standin.services.insert(0, found)
    return found
