"""The Kustomize tree that would be applied: built by the real kubectl, judged by Kubernetes' own schemas."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from scorewright.deploy.aks_objects import DRAIN_SECONDS, DRAIN_TIMEOUT, deployment
from scorewright.deploy.aks_place import AksPlace
from scorewright.deploy.aks_plan import AksPlan, make_plan
from scorewright.deploy.settings import DeploySettings
from scorewright.errors import UsageError
from scorewright.service.settings import Settings, env_name
from tests.deploy.gateway_schema import faults_of
from tests.kubectl import require_kubectl

if TYPE_CHECKING:
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden" / "aks"
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"acme.azurecr.io/churn@{DIGEST}"
OVERLAYS = ("dev", "prod", "blue-green", "blue-green/blue", "blue-green/green", "blue-green/route", "../namespace")
VERSIONS = ("1.30", "1.34", "1.37")


def plan(image: str = IMAGE, place: dict[str, Any] | None = None, **given: Any) -> AksPlan:
    return make_plan(DeploySettings.of(image, **given), AksPlace("ml", **(place or {})))


def plain() -> AksPlan:
    return plan()


SCALED: dict[str, Any] = {"queue_target": 4, "metrics_namespace": "monitoring"}


def everything() -> AksPlan:
    return plan(
        place={"public": True, "hostname": "churn.acme.com", "tls_secret": "churn-tls", **SCALED},
        cpu=0.5,
        memory="700m",
        autoscale={"min": 3, "max": 20, "target": 60},
        request_timeout_ms=90_500,
        max_concurrent_requests=8,
        probes={"start": 125, "period": 5, "timeout": 2, "failures": 6},
        env={"LEVEL": "a b=c"},
        secrets={"API_KEY": "hunter2"},
        tags={"acme.com/team": "churn"},
    )


def fixed() -> AksPlan:
    return plan(place={"gateway": "shared/front"}, replicas=4)


def keyed() -> AksPlan:
    return plan(
        auth="key",
        auth_keys=("ONE", "TWO"),
        secrets={"ONE": "a" * 20, "TWO": "b" * 20, "X": "y"},
        env={"SCOREWRIGHT_TOKEN_ISSUER": "https://issuer.example"},
    )


PLANS = {"plain": plain, "everything": everything, "fixed": fixed, "keyed": keyed}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What kubectl makes of each overlay of each plan."""
    require_kubectl()
    found = {}
    for name, make in PLANS.items():
        folder = tmp_path_factory.mktemp(name)
        todo = make()
        todo.write(folder)
        for secret in todo.settings.secrets:
            (folder / "base/secrets").mkdir(exist_ok=True)
            (folder / "base/secrets" / secret).write_text("hunter2", "utf-8")
        for overlay in OVERLAYS:
            words = ["kubectl", "kustomize", str(folder / "overlays" / overlay)]
            ran = subprocess.run(words, capture_output=True, text=True, check=True)
            assert ran.stderr == "", "kustomize warns of what it will not take for long"
            found[name, overlay] = list(yaml.safe_load_all(ran.stdout))
    return found


Built = dict[tuple[str, str], list[dict[str, Any]]]


def only(objects: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [one for one in objects if one["kind"] == kind and name in (None, one["metadata"]["name"])]
    return found


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_is_what_it_was(name: str, tmp_path: Path) -> None:
    written = PLANS[name]().write(tmp_path)
    golden = GOLDEN / name
    assert {str(path.relative_to(tmp_path)) for path in written} == {
        str(path.relative_to(golden)) for path in golden.rglob("*.yaml")
    }
    for path in written:
        assert path.read_text("utf-8") == (golden / path.relative_to(tmp_path)).read_text("utf-8"), path.name


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_schemas_know_every_word(built: Built, version: str) -> None:
    seen = set()
    for overlay in (("everything", "prod"), ("fixed", "dev"), ("plain", "blue-green/green")):
        for one in built[overlay]:
            if "gateway" not in one["apiVersion"]:
                kubernetes_validate.validate(one, version, strict=True)
                seen.add(one["kind"])
    assert {"Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Secret"} <= seen


def test_the_gateway_apis_schemas_find_nothing_wrong(built: Built) -> None:
    objects = [one for objects in built.values() for one in objects if "gateway" in one["apiVersion"]]
    assert {one["kind"] for one in objects} == {"Gateway", "HTTPRoute"}
    assert faults_of(objects) == []
    wrong = json.loads(json.dumps(objects[-1]))
    wrong["spec"]["rules"][-1]["backendRefs"][0]["weight"] = -1
    (fault,) = faults_of([wrong])
    assert fault.endswith("/backendRefs/0/weight must be >= 0")


@pytest.mark.parametrize("overlay", ["dev", "prod", "blue-green/blue"])
def test_the_pods_are_hardened_and_their_image_is_held_by_its_digest(built: Built, overlay: str) -> None:
    pod = only(built["plain", overlay], "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert {probe for probe in container if probe.endswith("Probe")} == {
        "startupProbe",
        "readinessProbe",
        "livenessProbe",
    }
    assert not [one for one in built["plain", overlay] if one["kind"] == "Namespace"], "few may make or change one"


def test_the_namespace_is_a_folder_of_its_own(built: Built) -> None:
    (made,) = built["plain", "../namespace"]
    assert (made["kind"], made["metadata"]["name"]) == ("Namespace", "ml")
    assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_where_an_autoscaler_is_there_is_no_number_of_replicas(built: Built) -> None:
    assert "replicas" not in only(built["plain", "prod"], "Deployment")["spec"]
    scaler = only(built["plain", "prod"], "HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert only(built["fixed", "prod"], "Deployment")["spec"]["replicas"] == 4
    assert not [one for one in built["fixed", "prod"] if one["kind"] == "HorizontalPodAutoscaler"]
    assert only(built["everything", "dev"], "Deployment")["spec"]["replicas"] == 1


def test_the_drain_that_a_plan_takes_for_granted_is_the_services() -> None:
    default = Settings.model_fields[next(name for name in Settings.model_fields if env_name(name) == DRAIN_TIMEOUT)]
    assert default.default == DRAIN_SECONDS


@pytest.mark.parametrize(
    ("asked", "timeout", "seconds", "own"),
    [
        ({}, None, 25, []),
        ({}, 90_500, 91, [{"name": DRAIN_TIMEOUT, "value": "91"}]),
        ({DRAIN_TIMEOUT: "300"}, 90_500, 300, []),
        ({DRAIN_TIMEOUT: "0"}, 90_500, 91, []),
    ],
)
def test_a_pod_is_given_the_time_that_its_service_has_to_drain(
    asked: dict[str, str], timeout: int | None, seconds: int, own: list[dict[str, str]]
) -> None:
    made = deployment(DeploySettings.of(IMAGE, env=asked, request_timeout_ms=timeout))
    pod = made["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 5 + seconds + 5
    assert pod["containers"][0].get("env", []) == own


def test_what_is_asked_arrives(built: Built) -> None:
    objects = built["everything", "prod"]
    deployment = only(objects, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"] == {key: {"cpu": "500m", "memory": "700Mi"} for key in ("requests", "limits")}
    assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] == 125
    assert pod["terminationGracePeriodSeconds"] == 5 + 91 + 5
    assert deployment["metadata"]["annotations"] == {"acme.com/team": "churn"}
    variables = only(objects, "ConfigMap")
    assert variables["data"] == {
        "SCORING_TIMEOUT_MS": "90500",
        "SCOREWRIGHT_MAX_CONCURRENT_REQUESTS_PER_INSTANCE": "8",
        "LEVEL": "a b=c",
    }
    secret = only(objects, "Secret")
    assert list(secret["data"]) == ["API_KEY"]
    assert container["envFrom"] == [
        {"configMapRef": {"name": variables["metadata"]["name"]}},
        {"secretRef": {"name": secret["metadata"]["name"]}},
    ]
    metrics = only(objects, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metrics[0]["resource"]["target"]["averageUtilization"] == 60
    assert metrics[1]["pods"]["target"]["averageValue"] == "4"


@pytest.mark.usefixtures("built")
def test_odd_values_arrive_as_they_are(tmp_path: Path) -> None:
    values = [
        '"quoted"',
        "'single'",
        '"half',
        "two\nlines",
        "",
        " spaced ",
        "$(HOME) ${X}",
        "a=b: c # d",
        "é",
        '""',
        "{a: b}",
    ]
    odd = {f"V{number}": value for number, value in enumerate(values)}
    plan(env=odd).write(tmp_path)
    words = ["kubectl", "kustomize", str(tmp_path / "overlays/dev")]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert only(list(yaml.safe_load_all(ran.stdout)), "ConfigMap")["data"] == odd


def test_everything_that_is_made_can_be_found_again(built: Built) -> None:
    for (_, overlay), objects in built.items():
        for one in objects:
            labels = one["metadata"]["labels"]
            if one["kind"] == "Namespace":
                continue
            assert labels["app.kubernetes.io/managed-by"] == "scorewright", (overlay, one["kind"])
            assert labels["app.kubernetes.io/name"] == "churn"


def test_blue_and_green_never_take_each_others_pods(built: Built) -> None:
    objects = built["plain", "blue-green"]
    for slot in ("blue", "green"):
        wanted = {"app.kubernetes.io/name": "churn", "scorewright.io/slot": slot}
        deployment = only(objects, "Deployment", f"churn-{slot}")["spec"]
        assert deployment["selector"]["matchLabels"] == wanted
        assert wanted.items() <= deployment["template"]["metadata"]["labels"].items()
        assert only(objects, "Service", f"churn-{slot}")["spec"]["selector"] == wanted
        assert only(objects, "PodDisruptionBudget", f"churn-{slot}")["spec"]["selector"]["matchLabels"] == wanted
        assert only(objects, "NetworkPolicy", f"churn-{slot}")["spec"]["podSelector"]["matchLabels"] == wanted
        target = only(objects, "HorizontalPodAutoscaler", f"churn-{slot}")["spec"]["scaleTargetRef"]
        assert target["name"] == f"churn-{slot}"


def test_the_route_divides_by_weight_and_obeys_the_header(built: Built) -> None:
    rules = only(built["plain", "blue-green/route"], "HTTPRoute")["spec"]["rules"]
    pinned = {rule["matches"][0]["headers"][0]["value"]: rule["backendRefs"][0]["name"] for rule in rules[:-1]}
    assert pinned == {"blue": "churn-blue", "green": "churn-green"}
    assert {rule["matches"][0]["headers"][0]["name"] for rule in rules[:-1]} == {"azureml-model-deployment"}
    assert [(one["name"], one["weight"]) for one in rules[-1]["backendRefs"]] == [
        ("churn-blue", 100),
        ("churn-green", 0),
    ]


def test_a_gateway_is_inside_unless_it_is_to_be_public(built: Built) -> None:
    inside = only(built["plain", "prod"], "Gateway")["spec"]
    assert inside["infrastructure"]["annotations"] == {
        "service.beta.kubernetes.io/azure-load-balancer-internal": "true"
    }
    public = only(built["everything", "prod"], "Gateway")["spec"]
    assert "infrastructure" not in public
    (listener,) = public["listeners"]
    assert (listener["protocol"], listener["hostname"]) == ("HTTPS", "churn.acme.com")


def test_a_gateway_of_another_namespace_may_reach_the_pods(built: Built) -> None:
    objects = built["fixed", "prod"]
    assert not [one for one in objects if one["kind"] == "Gateway"]
    assert only(objects, "HTTPRoute")["spec"]["parentRefs"] == [{"name": "front", "namespace": "shared"}]
    peers = only(objects, "NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shared"}}} in peers


def test_no_secret_is_shown_anywhere(tmp_path: Path) -> None:
    todo = everything()
    written = "".join(path.read_text("utf-8") for path in todo.write(tmp_path))
    assert "hunter2" not in f"{todo} {todo!r} {todo.describe()} {todo.to_dict()} {written}"
    assert "base/secrets/API_KEY" in todo.describe()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_keys_are_a_mounted_secret_whose_name_stays(built: Built, overlay: str) -> None:
    objects = built["keyed", overlay]
    secrets = {one["metadata"]["name"]: one for one in objects if one["kind"] == "Secret"}
    for pods in (one for one in objects if one["kind"] == "Deployment"):
        spec = pods["spec"]["template"]["spec"]
        mounted = next(one["secret"] for one in spec["volumes"] if one["name"] == "keys")
        assert mounted == {
            "secretName": "churn-keys" + pods["metadata"]["name"].removeprefix("churn"),
            "defaultMode": 0o440,
        }
        assert sorted(secrets[mounted["secretName"]]["data"]) == ["primary", "secondary"]
        (container,) = spec["containers"]
        assert {"name": "SCOREWRIGHT_KEYS_PATH", "value": "/etc/scorewright/keys"} in container["env"]
        assert {"name": "keys", "mountPath": "/etc/scorewright/keys", "readOnly": True} in container["volumeMounts"]
        variables = next(one["secretRef"]["name"] for one in container["envFrom"] if "secretRef" in one)
        assert list(secrets[variables]["data"]) == ["X"]
    for policy in (one for one in objects if one["kind"] == "NetworkPolicy"):
        assert {"protocol": "TCP", "port": 443} in policy["spec"]["egress"][0]["ports"]


def test_no_key_is_in_the_files(tmp_path: Path) -> None:
    todo = keyed()
    written = "".join(path.read_text("utf-8") for path in todo.write(tmp_path))
    assert "aaaa" not in f"{todo} {todo!r} {todo.describe()} {todo.to_dict()} {written}"
    assert "asks for no key" not in todo.describe()


def test_what_is_not_there_yet_is_said() -> None:
    notes = plan("acme.azurecr.io/churn:3", place={"queue_target": 4}).describe()
    assert "a tag may be another image tomorrow" in notes
    assert "it asks for no key" in notes
    assert "must hand on scorewright_queue_requests, which the pods tell at /metrics" in notes
    assert "only if --metrics-namespace names that" in notes
    assert "--metrics-namespace" not in plan(place=SCALED).describe()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "Churn"}, "'Churn' cannot be a deployment's name on a cluster: it takes 1 to 50 lower-case"),
        ({"name": "c" * 51}, "1 to 50"),
        ({"name": "1c"}, "a letter first"),
        ({"auth": "key"}, r"which key\? The service is given yours, and makes none"),
        ({"replicas": 1001}, "at most 1000"),
        ({"tags": {"a b": ""}}, "Kubernetes takes no such name"),
        ({"replicas": 2, "place": {"queue_target": 3}}, "--queue-target is for replicas that scale"),
        ({"place": {"queue_target": 0}}, "at least one request must wait"),
        ({"place": {"metrics_namespace": "Mon"}}, "'Mon' cannot be"),
        ({"place": {"hostname": "churn"}}, "is no host's name"),
        ({"place": {"tls_secret": "t"}}, "Name it with|holds the certificate of a name"),
        ({"place": {"gateway": "g", "public": True}}, "its address and its certificate are its own"),
        ({"place": {"gateway": "a/b/C"}}, "as a gateway"),
        ({"place": {"overlay": "dev", "public": True}}, "The overlay dev has no gateway"),
    ],
)
def test_what_a_cluster_cannot_do_is_refused_with_the_limit(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(**given)


def test_a_namespace_must_have_a_namespaces_name() -> None:
    with pytest.raises(UsageError, match="as a namespace"):
        make_plan(DeploySettings.of("churn"), AksPlace("My_Space"))


def test_a_plan_asks_nobody(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    words = ("deploy", "aks", IMAGE, "--namespace", "ml")
    shown = command(*words, "--plan").out
    assert "# kubectl apply --server-side --kustomize overlays/prod" in shown
    assert "--- # base/deployment.yaml" in shown
    as_json = json.loads(command(*words, "--overlay", "blue-green", "--slot", "green", "--plan", "--json").out)
    assert (as_json["target"], as_json["applied"]) == ("aks", "overlays/blue-green/green")
    assert "base/deployment.yaml" in as_json["files"]
    assert command(*words, "--out", tmp_path).exit_code == 0
    golden = (GOLDEN / "plain" / "base" / "deployment.yaml").read_text("utf-8")
    assert (tmp_path / "base" / "deployment.yaml").read_text("utf-8") == golden
