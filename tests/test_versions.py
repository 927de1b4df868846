"""Which other versions a model may be loaded with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import pytest

from scorewright import versions
from scorewright.errors import VersionSkewError

MINOR = ".".join(platform.python_version().split(".")[:2])
MAJOR = version("numpy").split(".")[0]
SKLEARN = version("scikit-learn")


def test_what_is_not_installed_is_left_out() -> None:
    found = versions.installed(["numpy", "no-such-distribution"])
    assert found == {"python": platform.python_version(), "numpy": version("numpy")}


@pytest.mark.parametrize(
    "recorded",
    [
        {"python": f"{MINOR}.0"},
        {"numpy": f"{MAJOR}.0.0"},
        {"scikit-learn": SKLEARN, "python": platform.python_version()},
    ],
)
def test_what_may_differ(recorded: dict[str, str]) -> None:
    versions.require(recorded)


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        ({"python": "3.8.1"}, f"python 3.8.1 made the model, {platform.python_version()} is installed here."),
        ({"numpy": "0.9.0"}, f"numpy 0.9.0 made the model, {version('numpy')} is installed here."),
        (
            {"scikit-learn": f"{SKLEARN}.post1"},
            f"scikit-learn {SKLEARN}.post1 made the model, {SKLEARN} is installed here.",
        ),
        ({"no-such-distribution": "1.0"}, "no-such-distribution 1.0 made the model, none is installed here."),
    ],
)
def test_what_may_not_is_named_with_both_versions(recorded: dict[str, str], message: str) -> None:
    with pytest.raises(VersionSkewError) as refused:
        versions.require(recorded)
    assert refused.value.message == message
    assert "--allow-version-skew" in refused.value.hint
    for name, number in recorded.items():
        assert (f"'{name}=={number}'" in refused.value.hint) == (name != "python")


def test_tensorflow_under_another_name_is_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux the image holds tensorflow-cpu, the same library release for release."""

    def only_cpu(name: str) -> str:
        if name == "tensorflow-cpu":
            return "2.21.0"
        raise PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", only_cpu)
    versions.require({"tensorflow": "2.21.0"})
    with pytest.raises(VersionSkewError, match=r"tensorflow 2\.20\.0 made the model, 2\.21\.0 is installed here"):
        versions.require({"tensorflow": "2.20.0"})
