"""Many who register at once, and some who are killed while they do."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scorewright.registry.folder import FolderRegistry
from tests.registry.models import NAME, variant

if TYPE_CHECKING:
    from pathlib import Path

RACE = """
import os, sys
from pathlib import Path
from scorewright.registry.folder import Condition, FolderRegistry

root, only_if, *bundles = sys.argv[1:]
go_read, go_write = os.pipe()
children = []
for at, bundle in enumerate(bundles):
    if (child := os.fork()) == 0:
        os.close(go_write)
        os.read(go_read, 1)  # until all are there
        condition = Condition("score") if only_if == "better" else None
        try:
            FolderRegistry(Path(root)).register(bundle, metrics={"score": at // 2}, only_if=condition)
        except Exception as error:
            os.write(1, f"{type(error).__name__}: {error}\\n".encode())
        os._exit(0)
    children.append(child)
os.close(go_write)
for child in children:
    os.waitpid(child, 0)
"""

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from scorewright.registry import folder, staging

root, bundle, where = sys.argv[1:]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if where == "copying":
    copied, real = [], shutil.copyfile
    shutil.copyfile = lambda *a: die() if copied else copied.append(real(*a))
elif where == "stamping":
    folder.stamp = die
elif where == "naming":
    Path.rename = die
elif where == "named":
    real = Path.rename
    Path.rename = lambda *a: (real(*a), die())
folder.FolderRegistry(Path(root)).register(bundle)
"""


def race(models: FolderRegistry, bundles: list[Path], only_if: str = "") -> list[str]:
    """What those said who were refused."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", RACE, str(models.root), only_if, *map(str, bundles)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ran.stdout.splitlines()


def left(models: FolderRegistry) -> list[Path]:
    """What is being put together, or was."""
    return list((models.root / ".staging").iterdir())


def test_twenty_at_once_have_a_version_each_and_the_same_content_one(tmp_path: Path) -> None:
    models = FolderRegistry(tmp_path / "registry")
    bundles = [variant(tmp_path / f"{at}", f"no. {at // 2}").root for at in range(20)]
    assert race(models, bundles) == []
    found = models.entries(NAME)
    assert [entry.version for entry in found] == [str(number) for number in range(1, 11)]
    assert [entry.number for entry in found] == list(range(1, 11))
    kept = {models.bundle(entry.reference).manifest.notes[0] for entry in found}
    assert kept == {f"no. {at}" for at in range(10)}
    assert left(models) == []


def test_at_once_none_is_registered_that_is_not_better_than_those_before(tmp_path: Path) -> None:
    models = FolderRegistry(tmp_path / "registry")
    bundles = [variant(tmp_path / f"{at}", f"no. {at}").root for at in range(12)]
    said = race(models, bundles, "better")
    scores = [entry.metrics["score"] for entry in models.entries(NAME)]
    assert scores == sorted(set(scores))
    assert scores[-1] == 5
    assert [line for line in said if not line.startswith("NotBetterError: score")] == []
    assert len(said) == 12 - len(scores)


@pytest.mark.parametrize("where", ["copying", "stamping", "naming", "named"])
def test_one_who_is_killed_leaves_all_or_nothing(tmp_path: Path, where: str) -> None:
    models = FolderRegistry(tmp_path / "registry")
    first, second = variant(tmp_path / "1", "first"), variant(tmp_path / "2", "second")
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(models.root), str(first.root), where], check=False, timeout=60
    )
    assert ran.returncode == -9
    whole = where == "named"
    assert [entry.version for entry in models.entries(NAME)] == (["1"] if whole else [])
    assert models.names() == ([NAME] if whole else [])
    assert len(left(models)) == (0 if whole else 1)

    # The next one is not held up, and sweeps up after the dead.
    assert models.register(second).entry.version == ("2" if whole else "1")
    assert left(models) == []
    assert models.register(first).new is not whole
    assert {models.bundle(f"{NAME}:{number}").manifest.notes for number in (1, 2)} == {("first",), ("second",)}
    assert json.loads((models.root / NAME / "2" / "registration.json").read_text())["number"] == 2
