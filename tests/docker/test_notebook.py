"""The example notebook, cell by cell, in a kernel of its own; and what a notebook deploys with."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

import scorewright
from scorewright.deploy.target import Deployment
from scorewright.errors import CheckFailedError, DockerError
from tests.docker.test_deploy_local import with_script

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker

NOTEBOOK = Path(__file__).parent.parent.parent / "examples" / "notebook.ipynb"


def test_the_notebook_runs_from_training_to_deletion(engine: Engine, tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    client = NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    said = ["".join(output.get("text", "") for output in cell.get("outputs", ())) for cell in notebook.cells]
    assert any("run_many" in text for text in said)
    assert any("healthy after" in text for text in said)
    assert any("listens on" in text for text in said)
    data = [output["data"]["text/plain"] for cell in code for output in cell.outputs if "data" in output]
    accuracy, reference, uri, same, status = data
    assert float(accuracy) > 0.8
    assert reference == "'notebook-tree:1'"
    assert uri.startswith("'http://127.0.0.1:")
    assert same == "True"
    assert "healthy=True" in status
    assert (tmp_path / "registry" / "notebook-tree" / "1").is_dir()
    assert engine.client.containers.list(all=True, filters={"name": "notebook-tree"}) == []
    engine.client.images.remove("notebook-tree:1", noprune=True)


def test_a_bundle_is_deployed_and_asked_by_its_handle(
    engine: Engine, tree_bundle: Bundle, request_and_answer: tuple[object, object]
) -> None:
    name = f"sw-test-{uuid.uuid4().hex[:8]}"
    said: list[str] = []
    service = scorewright.deploy.local(tree_bundle, name=name, memory="1g", report=said.append)
    try:
        assert isinstance(service, Deployment)
        asked, expected = request_and_answer
        assert service.run(asked) == expected
        assert service.get_keys() == ()
        assert service.status().healthy
        assert any(line.startswith("building tree:1: step ") for line in said)
    finally:
        service.delete()
    with pytest.raises(DockerError, match=f"Nothing is deployed as {name}"):
        service.status()


def test_a_bundle_that_does_not_answer_is_neither_built_nor_run(
    engine: Engine, tree_bundle: Bundle, tmp_path: Path
) -> None:
    broken = with_script(tree_bundle.root, tmp_path / "broken", "raise RuntimeError('no such weights')")
    before = {image.id for image in engine.client.images.list()}
    with pytest.raises(CheckFailedError, match="no such weights"):
        scorewright.deploy.local(broken, name="sw-test-broken")
    assert {image.id for image in engine.client.images.list()} == before
    with pytest.raises(DockerError, match="There is no image sw-test/never-built:1"):
        scorewright.deploy.local("sw-test/never-built:1")


def test_the_package_stays_light() -> None:
    """What is imported by `import scorewright`, and by a look at what it has to deploy with."""
    program = (
        "import sys, scorewright; first = len(sys.modules); scorewright.deploy; "
        "heavy = {'docker', 'sklearn', 'pandas', 'fastapi', 'typer', 'rich'} & set(sys.modules); "
        "print(sorted(heavy)); assert callable(scorewright.deploy.local)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert ran.stdout == "[]\n"
