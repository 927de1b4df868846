"""A Docker engine, an image built from a real bundle, and containers that are gone when the test is.

The images stay (tags sw-test/...): their layers are the cache of the next run.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import scorewright
from scorewright.build.image import Image, build
from tests.docker.running import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.bundle import Bundle


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine that has the base image. Without one the test is skipped; on CI that is a failure."""
    script = Path(__file__).parent / "engine.sh"
    ran = subprocess.run([str(script)], capture_output=True, text=True, check=False, timeout=900)
    if ran.returncode != 0:
        reason = ran.stderr.strip() or ran.stdout.strip()
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with Engine() as found:
        yield found


@pytest.fixture(scope="session")
def tree_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The decision tree of the demo, as `generate` makes it."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.tree import DecisionTreeClassifier

    rows, labels = load_breast_cancer(return_X_y=True)
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(rows[:, :4], labels)
    folder = tmp_path_factory.mktemp("tree") / "bundle"
    bundle = scorewright.generate(model, rows[:2, :4], name="tree", out=folder)
    _open_to_everyone(folder)
    return bundle


@pytest.fixture(scope="session")
def tree_image(engine: Engine, tree_bundle: Bundle) -> Image:
    return build(tree_bundle, tag="sw-test/tree:1")


@pytest.fixture
def containers(engine: Engine) -> Iterator[ExitStack]:
    """Ends what the test starts."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def request_and_answer(tree_bundle: Bundle) -> tuple[object, object]:
    """What the bundle says is asked and answered."""
    return (
        json.loads((tree_bundle.root / "sample_request.json").read_text("utf-8")),
        json.loads((tree_bundle.root / "expected_response.json").read_text("utf-8")),
    )


def _open_to_everyone(folder: Path) -> None:
    # pytest's temporary folders are the user's alone; a container's user is another.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
