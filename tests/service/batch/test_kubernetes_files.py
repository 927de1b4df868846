"""The manifests of a Dask cluster: as they are kept, by the operator's own schema, and their commands run for real."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import kubernetes_validate
import pytest
import yaml
from distributed import Client

from scorewright.service.batch.kubernetes_files import DaskCluster, kubernetes_files
from tests.service.servers import wait_until

if TYPE_CHECKING:
    from tests.command import Command

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden" / "cluster.yaml"
SCHEMA = (
    ROOT / ".cache/dask-kubernetes/dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator"
    "/crds/daskcluster.yaml"
)
KUBERNETES = "1.34"


def manifests(asked: DaskCluster) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(kubernetes_files(asked)))


FULL = DaskCluster(
    "registry.example/churn-batch:3",
    name="churn",
    namespace="scoring",
    workers=4,
    cpu="2",
    memory="4Gi",
    idle_timeout=3600,
    service_account="churn-reader",
    secret="storage",  # noqa: S106
)


def test_the_manifests_are_as_they_are_kept(command: Command) -> None:
    ran = command(
        *("batch", "cluster", FULL.image, "--name", "churn", "--namespace", "scoring", "--workers", 4, "--cpu", "2"),
        *("--memory", "4Gi", "--idle-timeout", 3600, "--service-account", "churn-reader", "--secret", "storage"),
    )
    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.out == GOLDEN.read_text("utf-8")


def strict(schema: Any) -> Any:
    """A schema that takes no unknown fields: Kubernetes would drop them without a word."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(part) for name, part in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type", "object") == "object":
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("asked", [FULL, DaskCluster("churn-batch:3")], ids=["everything", "defaults"])
def test_the_operators_own_schema_takes_the_cluster(asked: DaskCluster) -> None:
    if not SCHEMA.is_file():
        reason = f"there is no {SCHEMA}; `make test` installs it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    (version,) = yaml.safe_load(SCHEMA.read_text())["spec"]["versions"]
    cluster = {name: part for name, part in manifests(asked)[0].items() if name in ("spec", "status")}
    schema = strict(version["schema"]["openAPIV3Schema"])

    jsonschema.validate(cluster, schema)

    cluster["spec"]["worker"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(jsonschema.ValidationError, match="livenesProbe"):
        jsonschema.validate(cluster, schema)


@pytest.mark.parametrize("asked", [FULL, DaskCluster("churn-batch:3")], ids=["everything", "defaults"])
def test_kubernetes_takes_what_the_operator_makes_of_them(asked: DaskCluster) -> None:
    cluster, *policies = manifests(asked)
    spec = cluster["spec"]
    made = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": part["spec"]}
        for part in (spec["scheduler"], spec["worker"])
    ]
    made.append(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec["scheduler"]["service"]}
    )
    for manifest in [*made, *policies]:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_only_the_workers_are_given_credentials() -> None:
    spec = manifests(FULL)[0]["spec"]
    assert "serviceAccountName" not in spec["scheduler"]["spec"]
    assert "envFrom" not in spec["scheduler"]["spec"]["containers"][0]
    assert spec["worker"]["spec"]["serviceAccountName"] == "churn-reader"
    assert spec["worker"]["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "storage"}}]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--name", "Churn"), "'Churn' is no name in Kubernetes"),
        (("--name", "a" * 41), "At most 40"),
        (("--namespace", "a_b"), "'a_b' is no namespace"),
        (("--secret", "-"), "'-' is no secret"),
        (("--service-account", "A"), "'A' is no service account"),
        (("--cpu", "2Gi"), "'2Gi' is no amount of cpu"),
        (("--memory", "2GB"), "'2GB' is no amount of memory"),
        (("--workers", "0"), "at least one worker"),
    ],
)
def test_what_kubernetes_does_not_take(command: Command, flags: tuple[str, str], words: str) -> None:
    ran = command("batch", "cluster", "churn-batch:3", *flags)
    assert (ran.exit_code, ran.out) == (2, "")
    assert words in ran.err


def test_the_commands_make_a_cluster(tmp_path: Path) -> None:
    spec = manifests(DaskCluster("image", cpu="2500m"))[0]["spec"]
    ports = {"8786": free_port(), "8787": free_port(), "8788": free_port()}
    address = f"tcp://127.0.0.1:{ports['8786']}"
    given = {"DASK_WORKER_NAME": "the-worker", "DASK_SCHEDULER_ADDRESS": address}  # by the operator
    environment = {**os.environ, **given, "PYTHONWARNINGS": "ignore", "DASK_TEMPORARY_DIRECTORY": str(tmp_path)}
    with ExitStack() as stack:
        for part, port in (("scheduler", "8787"), ("worker", "8788")):
            (container,) = spec[part]["spec"]["containers"]
            words = [re.sub(r"\$\((\w+)\)", lambda found: given[found[1]], word) for word in container["command"]]
            words = [re.sub(r"87\d\d", lambda found: str(ports[found[0]]), word) for word in words]
            log = stack.enter_context((tmp_path / f"{part}.log").open("wb"))
            program = Path(sys.executable).parent / words[0]
            process = subprocess.Popen([program, *words[1:]], env=environment, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            path = container["livenessProbe"]["httpGet"]["path"]
            wait_until(partial(healthy, f"http://127.0.0.1:{ports[port]}{path}"))
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1)
            (worker,) = client.scheduler_info(n_workers=-1)["workers"].values()
            assert (worker["name"], worker["nthreads"], worker["memory_limit"]) == ("the-worker", 2, 0)
            assert client.submit(sum, [1, 2]).result() == 3


def healthy(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_documented_job_is_one_that_kubernetes_takes() -> None:
    page = (ROOT / "docs/batch-azure.md").read_text()
    (block,) = re.findall(r"```yaml\n(apiVersion: batch/v1.*?)```", page, re.DOTALL)
    job = yaml.safe_load(block)

    kubernetes_validate.validate(job, KUBERNETES, strict=True)

    labels = job["spec"]["template"]["metadata"]["labels"]
    scheduler = manifests(DaskCluster("image", name="churn"))[1]
    assert scheduler["metadata"]["name"] == "churn-scheduler"
    let_in = [peer["podSelector"]["matchLabels"] for peer in scheduler["spec"]["ingress"][0]["from"]]
    assert any(wanted.items() <= labels.items() for wanted in let_in)
