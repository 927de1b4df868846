"""An image built with --batch: its jobs, in a container that can write nothing but its data folder."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from scorewright.build.image import build
from scorewright.deploy.local_target import Local
from scorewright.deploy.settings import DeploySettings

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from tests.command import Command
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker


def test_a_job_in_a_container(engine: Engine, tree_bundle: Bundle, tmp_path: Path, command: Command) -> None:
    image = build(tree_bundle, tag="sw-test/tree-batch:1", batch=True)
    request = json.loads((tree_bundle.root / "sample_request.json").read_text("utf-8"))
    expected = json.loads((tree_bundle.root / "expected_response.json").read_text("utf-8"))
    names = [f"x{number}" for number in range(len(request["data"][0]))]
    (tmp_path / "in").mkdir()
    rows = [",".join(map(str, row)) for row in request["data"]]
    (tmp_path / "in" / "rows.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    tmp_path.chmod(0o777)
    name = f"sw-test-{uuid.uuid4().hex[:8]}"
    target = Local(port=0, data=tmp_path)
    deployed = target.apply(target.plan(DeploySettings.of(image.tag, name=name)))
    try:
        words = ("--input", "in", "--output", "out", "--output-format", "csv")
        ran = command("batch", "submit", deployed.url, *words, "--wait", "--json")
        assert ran.exit_code == 0, ran.err + deployed.logs()
        job = json.loads(ran.out)
        assert (job["state"], job["rows"]["done"]) == ("completed", len(rows))
        header, *scored = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
        assert len(scored) == len(rows)
        (answers,) = expected.values()
        for line, answer in zip(scored, answers, strict=True):
            told = dict(zip(header.split(","), line.split(","), strict=True))
            assert str(answer[0] if isinstance(answer, list) else answer) in told.values()
    finally:
        deployed.delete()
