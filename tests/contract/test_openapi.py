"""What /openapi.json promises, tried by schemathesis: what it allows is taken, what it forbids is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scorewright.service.batch.client import JobsClient
from tests.service.servers import serving

if TYPE_CHECKING:
    from tests.examples_run import Example

EXAMPLES = 200
RESULT = "predictions.parquet"


def tried(bundle: Path, folder: Path) -> int:
    """Serve a bundle and have its promises tried; how many requests were sent. Fails with the report."""
    with serving() as serve:
        server = serve(str(bundle), "--batch-data", str(folder / "data")).ready()
        known = (
            f'[parameters]\n"path.job_id" = "{job_of(bundle, folder / "data", server.url)}"\n"path.name" = "{RESULT}"\n'
        )
        (folder / "schemathesis.toml").write_text(known)
        schemathesis = Path(sys.executable).with_name("schemathesis")
        words = [str(schemathesis), "run", f"{server.url}/openapi.json", "--max-examples", str(EXAMPLES), "--no-color"]
        # A job is told of after it was deleted: that cancels it. And few inputs that are thought up exist.
        words += ["--exclude-checks", "use_after_free", "--warnings", "off"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout, done.stdout
    (sent,) = re.findall(r"(\d+) generated", done.stdout)
    return int(sent)


def job_of(bundle: Path, data: Path, url: str) -> str:
    """The id of a job that has scored the bundle's sample."""
    sample = json.loads((bundle / "sample_request.json").read_text("utf-8"))["data"]
    (data / "rows").mkdir(parents=True)
    names = json.loads((bundle / "bundle.json").read_text("utf-8"))["signature"]["features"]
    rows = [[row[name] for name in names] if isinstance(row, dict) else row for row in sample]
    lines = [",".join(map(str, row)) for row in [names, *rows]]
    (data / "rows" / "sample.csv").write_text("\n".join(lines) + "\n")
    client = JobsClient(url)
    ended = client.wait(client.submit({"input": "rows", "output": "scored"})["id"], lambda _: None)
    assert [result["name"] for result in ended["results"]] == [RESULT], ended
    return str(ended["id"])


def test_the_tree_keeps_its_promises(breast_cancer: Example, tmp_path: Path) -> None:
    assert tried(breast_cancer.bundle, tmp_path) > EXAMPLES


@pytest.mark.keras
def test_a_network_on_a_table_keeps_its_promises(tmp_path: Path) -> None:
    import pandas as pd

    from scorewright.score.generator import generate
    from tests.keras_models import tabular

    sample = pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=["a", "b", "c", "d"])
    bundle = generate(tabular(), sample, name="net", out=tmp_path / "net")
    assert tried(bundle.root, tmp_path) > EXAMPLES
