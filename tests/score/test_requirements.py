"""The environment files of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.score import requirements

if TYPE_CHECKING:
    import pytest

VERSIONS = {"python": "3.11.7", "scikit-learn": "1.9.1", "numpy": "2.4.6"}


def test_everything_but_python_is_pinned() -> None:
    assert requirements.requirements(VERSIONS) == ["scikit-learn==1.9.1", "numpy==2.4.6"]


def test_tensorflow_is_the_cpu_build_on_linux_x86() -> None:
    cpu, other = requirements.requirements({"tensorflow": "2.21.0"})
    assert cpu == 'tensorflow-cpu==2.21.0; sys_platform == "linux" and platform_machine == "x86_64"'
    assert other == 'tensorflow==2.21.0; sys_platform != "linux" or platform_machine != "x86_64"'


def test_batch_needs_what_the_model_does_not_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "installed", lambda names: {"pandas": "3.1.1"})
    assert requirements.batch_requirements(VERSIONS, images=False) == ["pandas==3.1.1", "pyarrow>=18"]
    assert requirements.batch_requirements({**VERSIONS, "pandas": "2.2.0"}, images=True) == [
        "pyarrow>=18",
        "pillow>=11,<14",
    ]


def test_conda_is_for_azures_own_images() -> None:
    lines = requirements.requirements(VERSIONS)
    assert requirements.conda("tree", VERSIONS, lines).splitlines() == [
        "name: tree",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python=3.11",
        "  - pip",
        "  - pip:",
        "      - 'azureml-inference-server-http>=1.5,<2'",
        "      - scikit-learn==1.9.1",
        "      - numpy==2.4.6",
    ]
