"""A workspace at the stand-in, and how to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scorewright.deploy.azureml_workspace import AzuremlWorkspace
from tests.deploy.standin.azureml import Blobs, Scoring, Workspace

if TYPE_CHECKING:
    from tests.deploy.standin.server import StandIn

pytest.importorskip("azure.ai.ml")


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
