"""The files of an Azure ML batch endpoint: as they are kept, and as Azure's own SDK reads them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from scorewright.errors import UsageError
from scorewright.service.batch.azure_files import AzureBatch, azure_files, azure_settings
from scorewright.service.batch.settings import BatchSettings
from tests.contract.judge import AZURE, require_azure

if TYPE_CHECKING:
    from scorewright.bundle import Bundle
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden"

LOAD = """
import json, sys
from azure.ai.ml import load_batch_endpoint
from azure.ai.ml.entities._load_functions import load_model_batch_deployment

endpoint = load_batch_endpoint(sys.argv[1] + "/endpoint.yaml")
deployment = load_model_batch_deployment(sys.argv[1] + "/deployment.yaml")
kept = deployment._to_dict()
# What is sent: these are uploaded first, and have an id then.
deployment.environment, deployment.model, deployment.code_configuration = "environments/e", "models/m", None
sent = deployment._to_rest_object("westeurope").properties
print(json.dumps({
    "endpoint": [endpoint.name, endpoint.auth_mode],
    "deployment": kept,
    "sent": [sent.output_action, sent.mini_batch_size, sent.retry_settings.timeout.total_seconds(), sent.compute],
}))
"""


@pytest.fixture
def files(hand_made: Bundle) -> dict[str, bytes]:
    return azure_files(AzureBatch(hand_made, BatchSettings(), "cpu-cluster"), "../bundle/model")


@pytest.mark.parametrize("name", ["endpoint.yaml", "deployment.yaml", "environment/conda.yaml"])
def test_the_files_are_as_they_are_kept(files: dict[str, bytes], name: str) -> None:
    assert files[name].decode() == (GOLDEN / Path(name).name).read_text("utf-8")


def test_the_code_is_the_bundle_without_its_model(files: dict[str, bytes], hand_made: Bundle) -> None:
    code = {name.removeprefix("code/") for name in files if name.startswith("code/")}
    assert code == {"batch_score.py", "bundle.json", "requirements.txt", "sample_request.json", "score.py"}
    assert files["code/score.py"] == (hand_made.root / "score.py").read_bytes()


def test_azures_own_sdk_takes_them(hand_made: Bundle, tmp_path: Path, command: Command) -> None:
    require_azure()
    out = tmp_path / "azure"
    ran = command(
        *("batch", "azure", hand_made.root, "--out", out, "--compute", "azureml:gpu", "--endpoint", "iris-3"),
        *("--deployment", "blue", "--instances", 2, "--mini-batch-size", 5, "--output-action", "summary_only"),
        *("--error-threshold", 7, "--max-retries", 1, "--timeout", 600, "--max-concurrency", 4),
        *("--logging-level", "debug", "--image", "mcr.example/image:1"),
    )
    assert (ran.exit_code, ran.err) == (0, "")

    done = subprocess.run([AZURE, "-W", "ignore", "-c", LOAD, out], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert read["endpoint"] == ["iris-3", "aad_token"]
    deployment = read["deployment"]
    assert (deployment["type"], deployment["name"], deployment["endpoint_name"]) == ("model", "blue", "iris-3")
    assert deployment["compute"] == "azureml:gpu"
    assert deployment["resources"]["instance_count"] == 2
    assert deployment["model"]["path"] == str(hand_made.root / "model")
    assert (deployment["model"]["name"], deployment["model"]["version"]) == ("Iris.Tree", "3")
    assert deployment["code_configuration"] == {"code": "code", "scoring_script": "batch_score.py"}
    assert deployment["environment"]["image"] == "mcr.example/image:1"
    assert deployment["environment"]["conda_file"]["dependencies"][0] == "python=3.11"
    assert deployment["settings"] == {
        "mini_batch_size": 5,
        "max_concurrency_per_instance": 4,
        "output_action": "summary_only",
        "error_threshold": 7,
        "retry_settings": {"max_retries": 1, "timeout": 600},
        "logging_level": "debug",
    }
    assert read["sent"] == ["SummaryOnly", 5, 600, "gpu"]


def test_a_file_name_of_ones_own() -> None:
    assert azure_settings(BatchSettings(output_file_name="all.csv"))["output_file_name"] == "all.csv"


def test_the_defaults_are_azures(files: dict[str, bytes]) -> None:
    assert yaml.safe_load(files["deployment.yaml"])["settings"] == azure_settings(BatchSettings())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"input_kind": "tabular"}, "paths of files, not rows"),
        ({"mini_batch_size": "8MB"}, "is a number of files"),
        ({"partition_keys": ["country"]}, "not by keys"),
        ({"output_format": "parquet"}, "without a header"),
        ({"output_format": "csv"}, "without a header"),
        ({"output_action": "summary_only", "output_file_name": "all.csv"}, "there is no such file"),
    ],
)
def test_what_azure_does_not_have(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        azure_settings(BatchSettings.of(**settings))
    assert caught.value.hint


@pytest.mark.parametrize("flags", [("--endpoint", "3iris"), ("--deployment", "a_b"), ("--instances", "0")])
def test_names_and_numbers_that_azure_does_not_take(
    hand_made: Bundle, tmp_path: Path, command: Command, flags: tuple[str, str]
) -> None:
    ran = command("batch", "azure", hand_made.root, "--out", tmp_path / "azure", "--compute", "cpu", *flags)
    assert ran.exit_code == 2
    assert flags[1] in ran.err
    assert not (tmp_path / "azure").exists()


@pytest.mark.parametrize(
    ("bundle", "endpoint"),
    [("churn", "churn-batch"), ("9_Trees.of-Ours", "trees-of-ours-batch"), ("9", "model-batch"), ("a" * 60, None)],
)
def test_an_endpoints_name_is_made_of_the_bundles(hand_made: Bundle, bundle: str, endpoint: str | None) -> None:
    named = type(hand_made)(hand_made.root, hand_made.model_dir, hand_made.manifest.model_copy(update={"name": bundle}))
    made = yaml.safe_load(azure_files(AzureBatch(named, BatchSettings(), "cpu"), "model")["endpoint.yaml"])["name"]
    assert made == (endpoint or "a" * 26 + "-batch")


def test_a_folder_that_is_there_is_kept_unless_told(hand_made: Bundle, tmp_path: Path, command: Command) -> None:
    out = tmp_path / "azure"
    out.mkdir()
    (out / "old").touch()
    words = ("batch", "azure", hand_made.root, "--out", out, "--compute", "cpu")

    refused = command(*words)
    assert (refused.exit_code, [path.name for path in out.iterdir()]) == (6, ["old"])

    assert command(*words, "--force").exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["code", "deployment.yaml", "endpoint.yaml", "environment"]
