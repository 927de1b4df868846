"""A bundle's model registered in a workspace by `scorewright register`, by the calls of both SDKs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scorewright.deploy.azureml_v1_plan import DIGEST, NOTICE

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from tests.command import Command
    from tests.deploy.standin.azureml import Blobs, Workspace
    from tests.deploy.standin.azureml_v1 import V1

WHAT = ("--metric", "accuracy=0.93", "--tag", "stage=trial")


def test_by_sdk_v2(workspace: Workspace, blobs: Blobs, hand_made: Bundle, command: Command) -> None:
    asked = ("register", hand_made.root, "--registry", "azureml://s/g/w", *WHAT)
    ran = command(*asked)
    assert (ran.exit_code, ran.out) == (0, "Iris.Tree:3 is registered in the workspace w.\n"), ran.err
    sent = workspace.at("models/Iris.Tree/versions/3")["properties"]
    assert sent["tags"] == {"stage": "trial"}
    assert sent["properties"]["scorewright.metric.accuracy"] == "0.93"
    assert sent["properties"]["scorewright.bundle.sha256"] == hand_made.digest
    assert list(blobs.kept.values()) == [b"no real model\n"]

    again = json.loads(command(*asked, "--json").out)
    assert (again["version"], again["new"]) == ("3", False)
    sent["properties"] = {}
    ran = command(*asked)
    assert ran.exit_code == 15
    assert "The workspace has another model Iris.Tree:3 already" in ran.err


@pytest.mark.usefixtures("blobs")
def test_by_sdk_v1(v1: V1, hand_made: Bundle, command: Command) -> None:
    asked = ("register", hand_made.root, "--registry", "azureml-v1://s/g/w", *WHAT)
    ran = command(*asked)
    assert (ran.exit_code, ran.out) == (0, "Iris.Tree:1 is registered in the workspace w.\n"), ran.err
    assert NOTICE in ran.err
    (model,) = v1.models
    assert model["kvTags"] == {DIGEST: hand_made.digest, "stage": "trial"}
    assert model["properties"]["scorewright.metric.accuracy"] == "0.93"
    assert "already" in command(*asked).out
    assert len(v1.models) == 1
