"""`docker kill --signal HUP`: another bundle takes the place of the mounted one, or is refused for want of memory."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import httpx
import pytest

import scorewright
from tests.docker.running import DEADLINE, wait_for
from tests.service.load import Load

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from scorewright.build.image import Image
    from scorewright.bundle import Bundle
    from tests.docker.running import Engine, Running

pytestmark = pytest.mark.docker

HEAVY = """
import os

def init():
    global kept
    kept = b"x" * 100_000_000

def run(raw):
    return "NAME"
"""


def reloaded(running: Running) -> None:
    """Ask for a reload, and wait until it is said to be done."""
    before = running.logs.count("Reloaded: ")
    running.container.kill("HUP")
    wait_for("a reload", lambda: running.logs.count("Reloaded: ") > before or None)


def test_a_mounted_bundle_is_swapped_amid_requests(
    engine: Engine, tree_image: Image, tree_bundle: Bundle, containers: ExitStack, tmp_path: Path
) -> None:
    from sklearn.datasets import load_breast_cancer
    from sklearn.tree import DecisionTreeClassifier

    rows, labels = load_breast_cancer(return_X_y=True)
    stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(rows[:, :4], labels)
    bundles = [tmp_path / "tree", scorewright.generate(stump, rows[:2, :4], name="stump", out=tmp_path / "stump").root]
    shutil.copytree(tree_bundle.root, bundles[0])
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    asked = json.loads((bundles[0] / "sample_request.json").read_text("utf-8"))
    link = tmp_path / "served"
    link.symlink_to("tree")
    running = engine.run(
        tree_image.tag,
        containers,
        environment={"SCOREWRIGHT_BUNDLE": "/bundles/served"},
        volumes={str(tmp_path): {"bind": "/bundles", "mode": "ro"}},
        read_only=True,
    ).until_healthy()
    first = running.score(asked).json()
    with Load(running, asked) as load:
        (tmp_path / "fresh").symlink_to("stump")
        (tmp_path / "fresh").replace(link)
        reloaded(running)
        second = running.score(asked).json()
        load.more(100)
        # What is in the folder changes while it is served from.
        shutil.copytree(bundles[0], bundles[1], dirs_exist_ok=True)
        load.more(100)
        assert running.score(asked).json() == second
        reloaded(running)
        assert running.score(asked).json() == first
        load.more(100)
    assert first != second
    told = {(status, json.dumps(json.loads(body))) for status, body in load.answers}
    assert told == {(200, json.dumps(first)), (200, json.dumps(second))}
    assert (load.cut, load.lost, load.answers.total()) == (0, 0, load.sent)
    assert "Reloaded: stump, version 1, is served." in running.logs
    assert "Reloaded: tree, version 1, is served." in running.logs


def write_heavy(folder: Path, name: str) -> None:
    """A script that answers its name, which the container's user may read."""
    script = folder / "score.py"
    script.write_text(HEAVY.replace("NAME", name))
    script.chmod(0o755)


def heavy(engine: Engine, image: Image, stack: ExitStack, folder: Path, memory: str, *flags: str) -> Running:
    """A container with so much memory, which serves that script from the folder."""
    write_heavy(folder, "old")
    folder.chmod(0o755)
    return engine.run(
        image.tag,
        stack,
        command=["scorewright", "serve", "--entry-script", "/code/score.py", *flags],
        volumes={str(folder): {"bind": "/code", "mode": "ro"}},
        mem_limit=memory,
        memswap_limit=memory,
    ).until_healthy()


def test_without_memory_for_two_generations_the_old_goes_on(
    engine: Engine, tree_image: Image, containers: ExitStack, tmp_path: Path
) -> None:
    # Four scorers of some 120 MB: the fifth is there when it is looked at, and the next three would not be.
    running = heavy(engine, tree_image, containers, tmp_path, "700m", "--worker-count", "4")

    def readiness() -> dict[str, object]:
        found: dict[str, object] = httpx.get(f"{running.url}/readyz", timeout=DEADLINE).json()
        return found

    wait_for("four scorers", lambda: readiness().get("scorers") == 4 or None)
    write_heavy(tmp_path, "new")
    with Load(running, {}) as load:
        running.container.kill("HUP")
        wait_for("a refusal", lambda: readiness().get("reload") == "refused" or None)
        load.more(100)
    assert set(load.answers) == {(200, '"old"')}
    assert (load.cut, load.lost, load.answers.total()) == (0, 0, load.sent)
    assert readiness()["scorers"] == 4
    refusal = re.search(
        r"The reload is refused, and what was served before goes on: worker_count is 4 and the first scorer has "
        r"\d+ MB of its own: all take (\d+) MB, beside (\d+) MB of the service's other processes, "
        r"and there are 734 MB\.",
        running.logs,
    )
    assert refusal is not None, running.logs
    assert int(refusal[1]) + int(refusal[2]) > 734
    assert "died" not in running.logs


def test_without_memory_for_one_more_the_kernel_ends_the_new_one(
    engine: Engine, tree_image: Image, containers: ExitStack, tmp_path: Path
) -> None:
    # The old one is as large as the new one can get: by itself the kernel would as well end that.
    running = heavy(engine, tree_image, containers, tmp_path, "230m")
    write_heavy(tmp_path, "new")
    with Load(running, {}) as load:
        running.container.kill("HUP")
        refused = "The reload is refused, and what was served before goes on: The scorer ended while it loaded"
        wait_for("a refusal", lambda: refused in running.logs or None)
        load.more(100)
    assert "it was killed by SIGKILL" in running.logs
    assert set(load.answers) == {(200, '"old"')}
    assert (load.cut, load.lost, load.answers.total()) == (0, 0, load.sent)
    assert " died: " not in running.logs
    # With room it succeeds, and the new one is as safe as the old one was.
    running.container.update(mem_limit="512m", memswap_limit="512m")
    reloaded(running)
    assert running.score({}).json() == "new"
    found = "for p in /proc/[0-9]*; do grep -qs service.scorer $p/cmdline && cat $p/oom_score_adj; done; true"
    assert set(running.exec("sh", "-c", found)[1].split()) == {"0"}
