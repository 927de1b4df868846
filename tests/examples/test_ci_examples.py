"""The pipelines and manifests among the examples: what they say is what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scorewright.loadtests.slo import Slo

ROOT = Path(__file__).parents[2]
PIPELINES = [ROOT / "examples/ci/github-actions.yml", ROOT / "examples/ci/azure-pipelines.yml"]


def steps(pipeline: Path) -> list[dict[str, Any]]:
    """The steps of a pipeline's one job."""
    jobs = yaml.safe_load(pipeline.read_text())["jobs"]
    (job,) = jobs.values() if isinstance(jobs, dict) else jobs
    return list(job["steps"])


def commands(pipeline: Path) -> list[list[str]]:
    """What its steps run of scorewright, as words."""
    lines = [step.get("run") or step.get("script") or "" for step in steps(pipeline)]
    return [shlex.split(line) for line in lines if line.startswith("scorewright ")]


def flags(words: list[str]) -> set[str]:
    """The flags of the command that the words name, or of those below it, from the reference."""
    sections = re.split(r"^#+ `", (ROOT / "docs/cli.md").read_text(), flags=re.MULTILINE)
    named = {section.partition("`")[0]: set(re.findall(r"(--[a-z-]+)", section)) for section in sections}
    known = [name for name in named if name.split() == words[: len(name.split())] and name != "scorewright"]
    longest = max(known, key=len)
    return set().union(*(found for name, found in named.items() if name.startswith(longest)))


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.stem)
def test_a_pipeline_builds_runs_loads_and_publishes(pipeline: Path) -> None:
    found = commands(pipeline)
    assert [words[1] for words in found] == ["generate", "build", "deploy", "loadtest", "deploy"]
    for words in found:
        given = {word for word in words if word.startswith("--")}
        assert given <= flags(words), words
    (load,) = [words for words in found if words[1] == "loadtest"]
    assert len(Slo.parse(load[load.index("--slo") + 1]).clauses) == 3
    assert load[load.index("--out") + 1] == "report"
    assert "report.md" in pipeline.read_text()


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.stem)
def test_every_step_does_something(pipeline: Path) -> None:
    for step in steps(pipeline):
        assert {"run", "uses", "script", "task", "publish"} & step.keys(), step


def test_the_manifest_is_one_that_kubernetes_takes() -> None:
    documents = list(yaml.safe_load_all((ROOT / "examples/loadtest/locust-on-aks.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["Service", "Deployment", "Deployment"]
    for document in documents:
        kubernetes_validate.validate(document, "1.34", strict=True)
