"""The doctor before a real engine and real images; and that an image needs no shell and no rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from scorewright.build.image import Image, build
from scorewright.doctor.machine import docker
from scorewright.doctor.wanted import Wanted
from scorewright.score.generator import generate
from tests.docker.test_image import HARDENED

if TYPE_CHECKING:
    from contextlib import ExitStack

    from scorewright.bundle import Bundle
    from tests.command import Command
    from tests.docker.running import Engine

pytestmark = pytest.mark.docker


def test_the_engine_answers(engine: Engine) -> None:
    found = docker.CHECK.look(Wanted())
    assert (found.result, found.said) == ("ok", f"engine {engine.client.version()['Version']} for linux/amd64")


def test_our_image_is_well(tree_image: Image, tree_bundle: Bundle, command: Command) -> None:
    ran = command("doctor", tree_image.tag, "--bundle", tree_bundle.root, "--json")
    assert ran.exit_code == 0, ran.out
    told = {one["check"]: one for one in json.loads(ran.out)["findings"]}
    assert {name: one["result"] for name, one in told.items() if name != "age"} == dict.fromkeys(
        ("platform", "user", "port", "health", "shell", "label", "size"), "ok"
    )
    assert told["user"]["said"] == "it runs as 10001:10001"
    assert told["label"]["said"] == f"tree:1, {tree_bundle.digest[:12]}, as the bundle"


def test_a_base_image_is_not(engine: Engine, command: Command) -> None:
    ran = command("doctor", "python:3.11-slim-bookworm")
    assert ran.exit_code == 18
    assert "failed        user         it runs as root" in ran.out
    assert "does not say which bundle is in it" in ran.out


def test_an_image_that_is_not_there(engine: Engine, command: Command) -> None:
    ran = command("doctor", "sw-test/nothing:7")
    assert (ran.exit_code, "no image that the Docker engine has" in ran.err) == (10, True)


def test_no_shell_no_rights_and_nothing_to_write_to(
    engine: Engine, tree_image: Image, containers: ExitStack, request_and_answer: tuple[object, object]
) -> None:
    asked, expected = request_and_answer
    mounts = ["/dev/null:/bin/sh:ro", "/dev/null:/bin/bash:ro"]
    bare = engine.run(tree_image.tag, containers, volumes=mounts, **HARDENED).until_healthy()
    assert bare.score(asked).json() == expected
    assert bare.exec("/bin/sh", "-c", "true")[0] != 0
    check = engine.client.images.get(tree_image.tag).attrs["Config"]["Healthcheck"]["Test"]
    assert bare.exec(*check[1:])[0] == 0
    status = dict(line.split(":\t", 1) for line in bare.exec("cat", "/proc/1/status")[1].splitlines() if ":\t" in line)
    assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    assert bare.exec("touch", "/opt/venv/file")[0] != 0


def test_a_skops_model_in_its_image(
    engine: Engine, containers: ExitStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("skops")
    X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 4.0]])
    skops.io.dump(LogisticRegression().fit(X, [0, 0, 1, 1]), folder / "line.skops")
    bundle = generate(folder / "line.skops", X, out=folder / "bundle")
    image = build(bundle, tag="sw-test/skops:1")
    running = engine.run(image.tag, containers, **HARDENED).until_healthy()
    assert running.score(bundle.json("sample_request.json")).json() == bundle.json("expected_response.json")
