"""The image of a Keras bundle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import scorewright
from scorewright.build.image import build
from tests import keras_models

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tests.docker.running import Engine

pytestmark = [
    pytest.mark.docker,
    pytest.mark.keras,
    # Keras' own: numpy warns that it still uses an old spelling.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.mark.timeout(900)  # TensorFlow is fetched inside the build
def test_it_scores_its_sample_and_holds_no_other_framework(
    engine: Engine, containers: ExitStack, tmp_path: Path
) -> None:
    bundle = scorewright.generate(keras_models.image(), name="cnn", out=tmp_path / "cnn")
    image = build(bundle, tag="sw-test/cnn:1")
    running = engine.run(
        image.tag, containers, read_only=True, cap_drop=["ALL"], user="4711", tmpfs={"/tmp": ""}
    ).until_healthy()
    answer = running.score(json.loads((bundle.root / "sample_request.json").read_text("utf-8")))
    assert answer.status_code == 200, answer.text
    expected = json.loads((bundle.root / "expected_response.json").read_text("utf-8"))
    assert answer.json().keys() == expected.keys()
    # Another build of TensorFlow may round the last digits otherwise.
    for method, rows in expected.items():
        assert answer.json()[method] == [pytest.approx(row, rel=1e-4, abs=1e-6) for row in rows]
    _, names = running.exec("ls", "/opt/venv/lib/python3.11/site-packages")
    packages = set(names.split())
    assert "keras" in packages
    assert not {"sklearn", "pandas", "azureml", "pip"} & packages
