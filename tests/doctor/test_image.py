"""An image's checks by what an engine says of it; tests/docker/test_doctor.py looks at real ones."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.doctor.image.checks import CHECKS
from scorewright.doctor.image.picture import Picture
from scorewright.doctor.runner import examine

if TYPE_CHECKING:
    from scorewright.bundle import Bundle

CONFIG: dict[str, Any] = {
    "User": "10001:10001",
    "ExposedPorts": {"5001/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "python"], "Interval": 10_000_000_000, "StartPeriod": 600_000_000_000},
    "Cmd": ["scorewright", "serve"],
    "Labels": {
        "io.scorewright.bundle.name": "tree",
        "io.scorewright.bundle.version": "1",
        "io.scorewright.bundle.sha256": "a" * 64,
    },
}
GOOD = Picture(
    "tree:1",
    {"Id": "sha256:" + "0" * 64, "Os": "linux", "Architecture": "amd64", "Size": 450_000_000, "Config": CONFIG},
    [{"Created": time.time()}, {"Created": time.time() - 5 * 86400}],
)


def found(picture: Picture) -> dict[str, str]:
    return {one.check: one.result for one in examine(CHECKS, picture)}


def test_a_good_one() -> None:
    assert found(GOOD) == dict.fromkeys(("platform", "user", "port", "health", "shell", "label", "size", "age"), "ok")


@pytest.mark.parametrize(
    ("check", "change", "result"),
    [
        ("user", {"User": ""}, "failed"),
        ("user", {"User": "0:0"}, "failed"),
        ("user", {"User": "root"}, "failed"),
        ("user", {"User": "app"}, "warning"),
        ("port", {"ExposedPorts": None}, "warning"),
        ("port", {"ExposedPorts": {"8080/tcp": {}}}, "warning"),
        ("health", {"Healthcheck": None}, "warning"),
        ("health", {"Healthcheck": {"Test": ["NONE"]}}, "warning"),
        ("shell", {"Cmd": ["/bin/sh", "-c", "scorewright serve"]}, "warning"),
        ("shell", {"Entrypoint": ["/start.sh"]}, "warning"),
        ("shell", {"Healthcheck": {"Test": ["CMD-SHELL", "curl localhost"]}}, "warning"),
        ("shell", {"Cmd": None}, "not looked at"),
        ("label", {"Labels": None}, "warning"),
    ],
)
def test_a_bad_one(check: str, change: dict[str, Any], result: str) -> None:
    picture = replace(GOOD, facts={**GOOD.facts, "Config": {**CONFIG, **change}})
    assert found(picture)[check] == result
    assert [name for name, one in found(picture).items() if one != "ok"] == [check]


@pytest.mark.parametrize(
    ("check", "change"), [("platform", {"Architecture": "arm64"}), ("size", {"Size": 5_000_000_000})]
)
def test_facts(check: str, change: dict[str, Any]) -> None:
    assert found(replace(GOOD, facts={**GOOD.facts, **change}))[check] == "warning"


def test_a_base_image_that_is_old_or_does_not_say() -> None:
    assert found(replace(GOOD, layers=[{"Created": time.time() - 200 * 86400}]))["age"] == "warning"
    assert found(replace(GOOD, layers=[{"Created": 0}]))["age"] == "not looked at"
    assert found(replace(GOOD, layers=[]))["age"] == "not looked at"


def test_an_image_of_another_bundle(hand_made: Bundle) -> None:
    assert found(replace(GOOD, bundle=hand_made))["label"] == "failed"
    labels = {**CONFIG["Labels"], "io.scorewright.bundle.sha256": hand_made.digest}
    facts = {**GOOD.facts, "Config": {**CONFIG, "Labels": labels}}
    assert found(replace(GOOD, facts=facts, bundle=hand_made))["label"] == "ok"
