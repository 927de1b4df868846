"""The container group that would be put: in all its forms, within ACI's limits, without a secret."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from azure.mgmt.containerinstance.models import ContainerGroup
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from scorewright.deploy.aci_place import AciPlace
from scorewright.deploy.aci_plan import AciPlan, make_plan
from scorewright.deploy.settings import DeploySettings, Probes
from scorewright.errors import UsageError

if TYPE_CHECKING:
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden" / "aci"
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
IMAGE = "acme.azurecr.io/churn:3"
PLACE: dict[str, Any] = {"dns_label": "acme-churn", "identity": ID}


def plan(image: str = IMAGE, place: dict[str, Any] | None = None, **given: Any) -> AciPlan:
    where = AciPlace("sub", "group", "westeurope", **(PLACE if place is None else place))
    return make_plan(DeploySettings.of(image, **given), where)


def everything() -> AciPlan:
    return plan(
        place={"dns_label": "acme-churn", "registry_user": "u", "registry_password": SecretStr("hunter2"), "tls": True},
        cpu=2,
        memory="3.3g",
        request_timeout_ms=30000,
        max_concurrent_requests=8,
        probes={"period": 20, "timeout": 3, "failures": 2},
        env={"LEVEL": "[x]"},
        secrets={"API_KEY": "hunter3"},
        tags={"team": "churn"},
    )


@pytest.mark.parametrize("name", ["group.yaml", "template.json"])
@pytest.mark.parametrize(("kind", "todo"), [("public", plan()), ("everything", everything())])
def test_the_plan_is_what_it_was(kind: str, todo: AciPlan, name: str, tmp_path: Path) -> None:
    todo.write(tmp_path)
    assert (tmp_path / name).read_text("utf-8") == (GOLDEN / kind / name).read_text("utf-8")


@pytest.mark.parametrize("todo", [plan(), everything(), plan(place={"subnet": SUBNET, "identity": ID})])
def test_azures_own_models_know_every_word_of_it(todo: AciPlan) -> None:
    body = todo.body(todo.secrets.__getitem__)
    group = ContainerGroup.deserialize(body)
    assert group.serialize() == body


@given(
    cpu=st.floats(0.1, 30),
    memory=st.integers(2**20, 200 * 2**30),
    probes=st.builds(Probes, start=st.integers(1, 10_000), period=st.integers(1, 10_000)),
    env=st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text()),
)
def test_whatever_is_asked_azures_models_know_it(cpu: float, memory: int, probes: Probes, env: dict[str, str]) -> None:
    todo = plan(cpu=cpu, memory=str(memory), probes=probes, env=env)
    body = todo.body(todo.secrets.__getitem__)
    assert ContainerGroup.deserialize(body).serialize() == body
    assert yaml.safe_load(todo.to_yaml())["properties"] == body["properties"]
    assert memory <= todo.memory_gb * 2**30


def by_hand(command: str, folder: Path, secrets: dict[str, str]) -> tuple[str, str]:
    """What a command line of a plan gives `az`: its words, and what it reads from its standard input."""
    az = folder / "az"
    az.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > words\ncat > read\n', "utf-8")
    az.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    subprocess.run(["bash", "-c", command], cwd=folder, env={**os.environ, **secrets, "PATH": path}, check=True)
    return (folder / "words").read_text("utf-8"), (folder / "read").read_text("utf-8")


def applied_by(written: str) -> str:
    return next(line for line in written.splitlines() if "az container" in line).removeprefix("# ")


def test_the_yaml_becomes_the_body_once_the_secrets_are_filled_in(tmp_path: Path) -> None:
    if not shutil.which("envsubst"):
        pytest.skip("envsubst is not installed (gettext-base)")
    todo = everything()
    todo.write(tmp_path)
    words, filled = by_hand(applied_by(todo.to_yaml()), tmp_path, todo.secrets)
    group = yaml.safe_load(filled)
    body = todo.body(todo.secrets.__getitem__)
    assert {key: group[key] for key in body} == body
    assert "hunter" not in words
    assert "envsubst '${API_KEY} ${REGISTRY_PASSWORD}'" in todo.to_yaml()


def test_only_the_secrets_are_filled_in(tmp_path: Path) -> None:
    if not shutil.which("envsubst"):
        pytest.skip("envsubst is not installed (gettext-base)")
    plain = {"A": "${API_KEY}", "B": "$OTHER", "C": "${HOME}"}
    todo = plan(env=plain, secrets={"API_KEY": "hunter2", "API_KEY_": "hunter3", "OTHER": "hunter4"})
    todo.write(tmp_path)
    exported = {
        "API_KEY": "wrong",
        "API_KEY_": "hunter2",
        "API_KEY__": "hunter3",
        "OTHER": "wrong",
        "OTHER_": "hunter4",
    }
    assert f"export {', '.join(('API_KEY_', 'API_KEY__', 'OTHER_'))} first" in todo.to_yaml()
    _, filled = by_hand(applied_by(todo.to_yaml()), tmp_path, exported)
    group, body = yaml.safe_load(filled), todo.body(todo.secrets.__getitem__)
    assert {key: group[key] for key in body} == body


def test_the_template_is_given_its_secrets_where_nobody_sees_them(tmp_path: Path) -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    todo = everything()
    todo.write(tmp_path)
    odd = {"API_KEY": 'a"b: $c\nd', "REGISTRY_PASSWORD": "hunter2"}
    words, read = by_hand(todo.to_template()["metadata"]["apply"], tmp_path, odd)
    assert words.splitlines()[-2:] == ["--parameters", "@-"]
    assert json.loads(read) == {name: {"value": value} for name, value in odd.items()}


def test_the_template_names_each_secret_and_knows_none() -> None:
    template = everything().to_template()
    assert template["parameters"] == {
        "API_KEY": {"type": "secureString"},
        "REGISTRY_PASSWORD": {"type": "secureString"},
    }
    service = template["resources"][0]["properties"]["containers"][0]["properties"]
    variables = {one["name"]: one.get("value", one.get("secureValue")) for one in service["environmentVariables"]}
    assert variables["API_KEY"] == "[parameters('API_KEY')]"
    assert variables["LEVEL"] == "[[x]"


def test_no_secret_is_shown_anywhere(tmp_path: Path) -> None:
    todo = everything()
    written = "".join(file.read_text("utf-8") for file in todo.write(tmp_path))
    assert "hunter" not in f"{todo} {todo!r} {todo.describe()} {todo.to_dict()} {written}"
    assert todo.secrets == {"API_KEY": "hunter3", "REGISTRY_PASSWORD": "hunter2"}


def test_the_keys_are_secure_values_under_the_services_names() -> None:
    todo = plan(auth="key", auth_keys=("ONE", "TWO"), secrets={"ONE": "a" * 20, "TWO": "b" * 20, "X": "y"})
    assert "aaaa" not in f"{todo} {todo!r} {todo.describe()} {todo.to_dict()} {todo.to_template()}"
    assert "it asks for no key" not in todo.describe()
    service = todo.body(todo.secrets.__getitem__)["properties"]["containers"][0]["properties"]
    assert {one["name"]: one["secureValue"] for one in service["environmentVariables"]} == {
        "X": "y",
        "SCOREWRIGHT_PRIMARY_KEY": "a" * 20,
        "SCOREWRIGHT_SECONDARY_KEY": "b" * 20,
    }


def test_memory_is_never_less_than_was_asked_for() -> None:
    assert plan(memory="1500m").memory_gb == 1.5
    assert plan(memory="1537m").memory_gb == 1.6


def test_what_may_fail_on_capacity_is_noted() -> None:
    assert "more than 4 vCPU or 16 GB may fail on capacity" in plan(cpu=5).notes[0]
    assert not any("capacity" in note for note in plan(cpu=4, memory="16g").notes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "Churn"}, "'Churn' cannot be a deployment's name on ACI: it takes 1 to 63 lower-case"),
        ({"name": "c" * 64}, "it takes 1 to 63"),
        ({"cpu": 31.5}, "31.5 vCPU and 1.5 GB are more than a container group on ACI can have: 31 vCPU and 240 GB"),
        ({"memory": "241g"}, "31 vCPU and 240 GB"),
        ({"replicas": 2}, "it has no replicas and does not scale"),
        ({"autoscale": {"max": 2}}, "it has no replicas and does not scale"),
        ({"auth": "key"}, r"which key\? The service is given yours, and makes none"),
        ({"tags": {f"t{number}": "" for number in range(50)}}, "51 tags are more than .*: 50"),
        ({"tags": {"a/b": ""}}, "without"),
        ({"tags": {"a": "x" * 257}}, "up to 256 characters, it has 257"),
        ({"place": {}}, "Say one of them"),
        ({"place": {"dns_label": "a-b", "subnet": SUBNET}}, "Say one of them"),
        ({"place": {"dns_label": "1a"}}, "as its DNS label"),
        ({"place": {"dns_label": "acme", "identity": "me"}}, "--identity 'me' is no resource id"),
        ({"place": {"subnet": "net", "identity": ID}}, "--subnet 'net' is no resource id"),
        ({"place": {"dns_label": "acme"}}, r"acme\.azurecr\.io shows its images to nobody without a login"),
        ({"place": {"dns_label": "acme", "registry_user": "u"}}, "belong together"),
        ({"place": {**PLACE, "registry_user": "u", "registry_password": SecretStr("p")}}, "not by both"),
        ({"place": {"subnet": SUBNET, "identity": ID, "tls": True}}, "--tls gets its certificate for a public name"),
    ],
)
def test_what_aci_cannot_do_is_refused_with_the_limit(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(**given)


@pytest.mark.parametrize(
    ("place", "message"),
    [(("", "g", "here"), "--subscription is not given"), (("s", "g", "West Europe"), "is no region's name")],
)
def test_where_it_is_put_must_be_said(place: tuple[str, str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_plan(DeploySettings.of("churn"), AciPlace(*place, dns_label="acme"))


def test_a_plan_asks_nobody(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    words = ("deploy", "aci", IMAGE, "--subscription", "sub", "-g", "group", "--location", "West Europe")
    flags = ("--dns-label", "acme-churn", "--identity", ID)
    assert (
        command(*words, *flags, "--plan").out.strip() == (GOLDEN / "public" / "group.yaml").read_text("utf-8").strip()
    )
    shown = json.loads(command(*words, *flags, "--plan", "--json").out)
    assert (shown["target"], shown["url"]) == ("aci", "http://acme-churn.westeurope.azurecontainer.io")
    assert command(*words, *flags, "--out", tmp_path).out == f"{tmp_path}/group.yaml\n{tmp_path}/template.json\n"


def test_a_registrys_password_comes_from_the_shell(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_PASSWORD", raising=False)
    words = ("deploy", "aci", IMAGE, "--subscription", "s", "-g", "g", "--location", "here", "--dns-label", "acme")
    refused = command(*words, "--registry-user", "u", "--plan")
    assert refused.exit_code == 2
    assert "this shell has no REGISTRY_PASSWORD" in refused.err
    monkeypatch.setenv("REGISTRY_PASSWORD", "hunter2")
    shown = command(*words, "--registry-user", "u", "--plan")
    assert "password: ${REGISTRY_PASSWORD}" in shown.out
    assert "hunter2" not in shown.out


def test_a_groups_name_is_quoted_for_the_shell() -> None:
    todo = make_plan(DeploySettings.of(IMAGE), AciPlace("sub", "models (test)", "westeurope", **PLACE))
    assert "--resource-group 'models (test)' --subscription sub" in todo.to_yaml()
    assert "--resource-group 'models (test)' --subscription sub" in todo.to_template()["metadata"]["apply"]
