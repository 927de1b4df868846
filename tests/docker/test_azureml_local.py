"""Our image under Azure ML's own local endpoints: what azure-ai-ml starts is what it starts in the cloud."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from scorewright.build.image import Image
    from scorewright.bundle import Bundle
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache" / "azureml" / "bin" / "python"
NAME = "sw-test-local"


def test_a_local_endpoint_scores(
    engine: Engine,
    tree_bundle: Bundle,
    tree_image: Image,
    request_and_answer: tuple[object, object],
    tmp_path: Path,
) -> None:
    if not PYTHON.exists():
        missing = "azure-ai-ml is not installed: make .cache/azureml/.done"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    script = Path(__file__).parent / "azureml_local.py"
    # Its endpoints are kept in the home of who runs it.
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [str(PYTHON), str(script), str(tree_bundle.root), tree_image.tag, NAME],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["answer"] == request_and_answer[1]
    assert "tree is loaded from /var/azureml-app/azureml-models/tree/1/model/model.joblib" in found["logs"]
    assert engine.client.containers.list(all=True, filters={"name": NAME}) == []
