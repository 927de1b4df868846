"""docs/monitoring: alerts and dashboard, held against a service by Prometheus itself, and against Grafana's model."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.prometheus import scraping
from tests.service.scraped import scrape
from tests.service.servers import TOGETHER, WAIT_SECONDS, serving, wait_until, write_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.servers import Server

FOLDER = Path(__file__).parent.parent / "docs" / "monitoring"
ALERTS = FOLDER / "alerts.yaml"

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None and not os.environ.get("CI"), reason="no Prometheus: apt-get install prometheus"
)


def dashboard() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    return told


def queries() -> dict[str, str]:
    """What the dashboard, the alerts and the adapter ask Prometheus, as they do when everything is selected."""
    chosen = {"$__rate_interval": "5s", "$job": ".*", "$instance": ".*"}
    found = {}
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in chosen.items():
                query = query.replace(name, value)
            found[f"{panel['title']}, {target['legendFormat']}"] = query
    found["the autoscaler"] = adapted()
    return found


def adapted() -> str:
    """What prometheus-adapter asks for the pods of a namespace (its docs/config.md)."""
    (rule,) = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text("utf-8"))["rules"]["custom"]
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
    series = rule["seriesQuery"].partition("{")[0]
    query: str = rule["metricsQuery"]
    for name, value in {"Series": series, "LabelMatchers": 'namespace="ml",pod=~"churn-1"', "GroupBy": "pod"}.items():
        query = query.replace(f"<<.{name}>>", value)
    return query


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("monitoring")
    with serving(cwd=folder) as serve:
        yield serve(str(write_bundle(folder / "b", TOGETHER)), "--http-workers", "2").ready()


def lost(given: Any, back: Any, place: str = "") -> Iterator[str]:
    """What of a document is not in another."""
    if isinstance(given, dict):
        for key, value in given.items():
            if isinstance(back, dict) and key in back:
                yield from lost(value, back[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}"
    elif isinstance(given, list):
        for number, (one, other) in enumerate(zip(given, back, strict=True)):
            yield from lost(one, other, f"{place}[{number}]")
    elif given != back:
        yield f"{place} is {given!r}, not {back!r}"


def understood(told: dict[str, Any]) -> Any:
    """A dashboard as Grafana's own model of it has it; fields that it does not know are left out."""
    plugins.register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(told)))


def test_grafanas_model_knows_every_field_of_the_dashboard() -> None:
    assert list(lost(dashboard(), understood(dashboard()))) == []
    wrong = dashboard()
    wrong["panels"][3]["targets"][0]["expression"] = "up"
    wrong["panels"][3]["gridPosition"] = {}
    wrong["tag"] = "no such field"
    assert set(lost(wrong, understood(wrong))) == {
        *(".panels[3].targets[0].expression", ".panels[3].gridPosition", ".tag")
    }


def test_panels_lie_beside_each_other_and_have_numbers_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (column, row)
        for place in (panel["gridPos"] for panel in panels)
        for column in range(place["x"], place["x"] + place["w"])
        for row in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(column < 24 for column, _ in cells)


def test_only_metrics_that_the_service_tells_are_asked_for(server: Server) -> None:
    told = {name for name, _ in scrape(server).samples} | {family.name for family in scrape(server).families}
    variables = [variable["query"] for variable in dashboard()["templating"]["list"]]
    asked = [*queries().values(), *(rule["expr"] for rule in alerts()), *variables]
    named = {name for query in asked for name in re.findall(r"scorewright_\w+", query)}
    assert named <= told
    # Each is looked at by somebody.
    told_of = {re.sub("_(bucket|sum|count)$", "", name) for name in named}
    assert {
        f"{family.name}_total" if family.type == "counter" else family.name for family in scrape(server).families
    } == (told_of)


def test_every_alert_is_on_the_page_and_is_tried() -> None:
    page = (FOLDER.parent / "monitoring.md").read_text("utf-8")
    tests = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text("utf-8"))["tests"]
    names = [rule["alert"] for rule in alerts()]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    quiet = {one["alertname"] for test in tests for one in test["alert_rule_test"] if not one.get("exp_alerts")}
    assert set(re.findall(r"`(Scorewright\w+)`", page)) == set(names) == fired == quiet


@pytest.mark.prometheus
@needs_prometheus
def test_the_alerts_say_what_they_should() -> None:
    for words in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def prometheus(server: Server, folder: Path) -> contextlib.AbstractContextManager[httpx.Client]:
    """A Prometheus that scrapes this server, as a pod of Kubernetes."""
    labels = {"namespace": "ml", "pod": "churn-1"}
    return scraping(server.url, folder, job="churn", interval="500ms", labels=labels, rules=[ALERTS])


@contextlib.contextmanager
def load(server: Server) -> Iterator[None]:
    """Requests, good and bad, one after the other until the end."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
            while not over.wait(0.01):
                client.post("/score", json={"echo": 1})
                client.post("/score", json={"raise": "x"})
                client.post("/v2/models/hand-written/infer", json={})

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.prometheus
@needs_prometheus
def test_prometheus_has_an_answer_to_every_query(server: Server, tmp_path: Path) -> None:
    with load(server), prometheus(server, tmp_path) as client:
        unanswered = queries()

        def ask() -> bool:
            for title, query in list(unanswered.items()):
                answer = client.get("/query", params={"query": query}).json()
                assert answer["status"] == "success", (title, answer)
                found = answer["data"]["result"]
                if found and all(one["value"][1] not in {"NaN", "+Inf"} for one in found):
                    unanswered.pop(title)
            return not unanswered

        wait_until(ask)
        (target,) = client.get("/targets").json()["data"]["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        # It asks for OpenMetrics, where a counter's name goes without its ending.
        metadata = client.get("/metadata", params={"metric": "scorewright_requests"}).json()["data"]
        assert [one["type"] for one in metadata["scorewright_requests"]] == ["counter"]
        (asked,) = client.get("/query", params={"query": adapted()}).json()["data"]["result"]
        assert asked["metric"] == {"pod": "churn-1"}
        wait_until(lambda: {rule["health"] for rule in _rules(client)} == {"ok"})
        states = {rule["name"]: rule["state"] for rule in _rules(client)}
        assert set(states) == {rule["alert"] for rule in alerts()}
        wait_until(lambda: _pending(client) == {"ScorewrightErrors"})


def _pending(client: httpx.Client) -> set[str]:
    return {rule["name"] for rule in _rules(client) if rule["state"] == "pending"}


def _rules(client: httpx.Client) -> list[dict[str, Any]]:
    (group,) = client.get("/rules").json()["data"]["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules
