"""The wheel of this package that goes into an image."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import site
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

import scorewright
from scorewright.build import wheel
from scorewright.build.wheel import extra_requirements, package_wheel, service_requirements
from scorewright.errors import DockerError

if TYPE_CHECKING:
    from collections.abc import Iterable


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(package_wheel()[1]))


def test_its_name_is_that_of_a_pure_wheel() -> None:
    assert package_wheel()[0] == f"scorewright-{scorewright.__version__}-py3-none-any.whl"


def test_the_record_lists_every_file_with_its_hash(archive: zipfile.ZipFile) -> None:
    record = next(name for name in archive.namelist() if name.endswith("/RECORD"))
    listed = {row[0]: row[1:] for row in csv.reader(io.StringIO(archive.read(record).decode()))}
    assert set(listed) == set(archive.namelist())
    assert listed.pop(record) == ["", ""]
    for name, (digest, size) in listed.items():
        data = archive.read(name)
        found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={found}", str(len(data)))


def test_it_holds_the_package_and_nothing_compiled(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    assert {"scorewright/py.typed", "scorewright/build/Dockerfile", "scorewright/build/constraints.txt"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert not [name for name in names if "direct_url" in name or "__editable__" in name or "_editable_impl" in name]


def test_the_same_package_is_the_same_wheel() -> None:
    assert package_wheel() == package_wheel()


def test_pip_installs_it_and_the_command_runs(tmp_path: Path) -> None:
    name, content = package_wheel()
    (tmp_path / name).write_bytes(content)
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*pip, str(tmp_path / name)], check=True, timeout=120)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), *site.getsitepackages()])}
    code = "import scorewright; print(scorewright.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert where.stdout.strip() == str(target / "scorewright" / "__init__.py")
    ran = subprocess.run(
        [sys.executable, str(target / "bin" / "scorewright"), "--version"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"scorewright {scorewright.__version__}\n"


def test_a_package_that_is_not_installed_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(wheel, "distribution", missing)
    with pytest.raises(DockerError, match="not installed") as caught:
        package_wheel()
    assert "pip install" in caught.value.hint


def test_the_constraints_pin_all_that_the_service_pulls() -> None:
    assert _pinned("constraints.txt") == _pulled(service_requirements())


def test_the_constraints_of_batch_scoring_pin_what_it_pulls_besides() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    pulled = _pulled([*project["optional-dependencies"]["batch"], *project["optional-dependencies"]["abfs"]])
    # The bundle pins these itself, to what its model was made with.
    of_the_bundle = {"pandas", "pyarrow", "numpy"}
    assert _pinned("constraints-batch.txt") == pulled - _pinned("constraints.txt") - of_the_bundle


def test_the_constraints_of_tokens_pin_what_they_pull_besides() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    pulled = _pulled(project["optional-dependencies"]["entra"])
    assert _pinned("constraints-entra.txt") == pulled - _pinned("constraints.txt")


def test_the_constraints_of_telemetry_pin_what_it_pulls_besides() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    pulled = _pulled([*project["optional-dependencies"]["otel"], *project["optional-dependencies"]["azure-monitor"]])
    assert _pinned("constraints-telemetry.txt") == pulled - _pinned("constraints.txt")


def test_what_batch_scoring_requires_is_told_without_markers() -> None:
    found = extra_requirements(["batch", "abfs"])
    assert any(line.startswith("dask[distributed]>=") for line in found)
    assert not any(";" in line or line.startswith("fastapi") for line in found)


def _pinned(name: str) -> set[str]:
    shipped = files("scorewright.build").joinpath(name).read_text("utf-8")
    return {line.split("==")[0] for line in shipped.splitlines() if "==" in line}


def _pulled(requirements: Iterable[str]) -> set[str]:
    """What pip would install for these here, by name."""
    needed: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        wanted = (name, frozenset(requirement.extras))
        # What is only for other systems or Pythons is not installed here.
        if wanted in needed or not _installed(name):
            continue
        needed.add(wanted)
        for line in distribution(name).requires or []:
            more = Requirement(line)
            extras = requirement.extras or {""}
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(more)
    return {name for name, _ in needed}


def _installed(name: str) -> bool:
    try:
        return bool(distribution(name).version)
    except PackageNotFoundError:
        return False
