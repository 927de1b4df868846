"""What a build is given."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scorewright.build.context import Context, default_tag, make_context
from scorewright.build.wheel import package_wheel
from scorewright.bundle import MANIFEST, Bundle, Manifest, hash_files, read_manifest
from scorewright.errors import OutputExistsError, UsageError, VersionSkewError

if TYPE_CHECKING:
    from tests.command import Command

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def plain_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine's pip, no proxy."""
    for name in list(os.environ):
        if (
            name.startswith("PIP_")
            or name.lower().endswith("_proxy")
            or name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def text(context: Context, name: str) -> str:
    content = context.files[name]
    return (content if isinstance(content, bytes) else content.read_bytes()).decode()


def with_manifest(bundle: Bundle, **changes: object) -> Bundle:
    """The bundle after its manifest was changed by hand, files hashed anew."""
    manifest = read_manifest(bundle.root)
    files = {name: digest for name, digest in hash_files(bundle.root).items() if name in manifest.files}
    data = {**manifest.model_dump(mode="json"), "files": files, **changes}
    (bundle.root / MANIFEST).write_text(Manifest.model_validate(data).to_json(), "utf-8")
    return Bundle.load(bundle.root)


def test_the_model_lies_where_azure_ml_has_it(hand_made: Bundle) -> None:
    names = [name for name in make_context(hand_made).files if name.startswith("app/")]
    assert names == [
        "app/bundle.json",
        "app/batch_score.py",
        "app/azureml-models/Iris.Tree/3/model/model.joblib",
        "app/requirements.txt",
        "app/sample_request.json",
        "app/score.py",
    ]


def test_the_app_folder_is_a_bundle_that_loads(hand_made: Bundle, tmp_path: Path) -> None:
    make_context(hand_made).write(tmp_path / "context")
    inside = Bundle.load(tmp_path / "context" / "app")
    assert inside.manifest == hand_made.manifest
    assert inside.model_dir == tmp_path / "context/app/azureml-models/Iris.Tree/3"


def test_only_what_the_manifest_vouches_for_goes_in(hand_made: Bundle) -> None:
    assert (hand_made.root / "left-behind.txt").is_file()
    assert not any("left-behind" in name for name in make_context(hand_made).files)


def test_the_labels_name_the_bundle(hand_made: Bundle) -> None:
    assert make_context(hand_made).labels == {
        "org.opencontainers.image.title": "Iris.Tree",
        "org.opencontainers.image.version": "3",
        "io.scorewright.bundle.name": "Iris.Tree",
        "io.scorewright.bundle.version": "3",
        "io.scorewright.bundle.sha256": hand_made.digest,
    }


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("churn", "churn:1"),
        ("Iris.Tree", "iris.tree:1"),
        ("A__B--c", "a-b-c:1"),
        ("trailing-.", "trailing:1"),
        ("X" * 255, "x" * 200 + ":1"),
    ],
)
def test_a_bundles_name_becomes_a_valid_tag(name: str, tag: str) -> None:
    assert default_tag(name, "1") == tag


@pytest.mark.parametrize("tag", ["-t", "a b", "x;y", "$(id)", "a\nRUN id", "a\n"])
def test_a_tag_that_is_none_is_refused(hand_made: Bundle, tag: str) -> None:
    with pytest.raises(UsageError, match="is no tag"):
        make_context(hand_made, tag=tag)


def test_a_base_image_that_is_none_is_refused(hand_made: Bundle) -> None:
    with pytest.raises(UsageError, match="is no base image"):
        make_context(hand_made, base_image="python\nRUN id")


def test_the_base_image_has_the_models_python(hand_made: Bundle) -> None:
    assert make_context(hand_made).base_image == "python:3.11-slim-bookworm"
    newer = with_manifest(hand_made, versions={"python": "3.13.1"})
    assert make_context(newer).base_image == "python:3.13-slim-bookworm"
    assert make_context(newer).build_arguments["PYTHON_MINOR"] == "3.13"


@pytest.mark.parametrize("base", ["python:3.12-slim-bookworm", "registry.example/mirror/python:3.12.1"])
def test_a_base_image_with_another_python_is_refused_by_its_name(hand_made: Bundle, base: str) -> None:
    with pytest.raises(VersionSkewError, match=r"has Python 3\.12, the model was made with 3\.11") as caught:
        make_context(hand_made, base_image=base)
    assert "--base-image python:3.11-slim-bookworm" in caught.value.hint


def test_a_base_image_may_be_named_by_its_digest(hand_made: Bundle) -> None:
    digest = f"python:3.11@sha256:{'0' * 64}"
    assert make_context(hand_made, base_image=digest).base_image == digest


def test_a_base_image_that_does_not_say_its_python_is_taken(hand_made: Bundle) -> None:
    assert make_context(hand_made, base_image="registry.example/base:7").base_image == "registry.example/base:7"


def test_the_requirements_are_the_bundles_and_the_services(hand_made: Bundle) -> None:
    context = make_context(hand_made)
    assert text(context, "requirements/model.txt") == "numpy==2.4.6\nscikit-learn==1.9.1\n"
    service = text(context, "requirements/service.txt")
    assert "fastapi" in service
    assert "extra ==" not in service
    assert "tensorflow" not in service
    assert "fastapi==" in text(context, "requirements/constraints.txt")


def test_with_batch_there_is_what_batch_jobs_need(hand_made: Bundle) -> None:
    (hand_made.root / "requirements-batch.txt").write_text(
        "-r requirements.txt\npandas==3.1.1\npyarrow==26.0.1", "utf-8"
    )
    bundle = with_manifest(hand_made)
    named = {**bundle.manifest.model_dump(mode="json"), "files": hash_files(bundle.root)}
    (bundle.root / MANIFEST).write_text(Manifest.model_validate(named).to_json(), "utf-8")
    plain, batch = make_context(bundle), make_context(bundle, batch=True)
    assert text(plain, "requirements/model.txt") == "numpy==2.4.6\nscikit-learn==1.9.1\n"
    assert text(batch, "requirements/model.txt") == (
        text(plain, "requirements/model.txt") + "pandas==3.1.1\npyarrow==26.0.1\n"
    )
    assert "dask" not in text(plain, "requirements/service.txt") + text(plain, "requirements/constraints.txt")
    assert "dask[distributed]>=" in text(batch, "requirements/service.txt")
    assert "extra" not in text(batch, "requirements/service.txt")
    assert "distributed==" in text(batch, "requirements/constraints.txt")


def test_a_bundle_that_pins_one_of_the_services_packages_goes_without_constraints(hand_made: Bundle) -> None:
    (hand_made.root / "requirements.txt").write_text("Typing_Extensions == 4.15.0\n", "utf-8")
    assert text(make_context(with_manifest(hand_made)), "requirements/constraints.txt") == ""


def test_the_same_bundle_makes_the_same_context(hand_made: Bundle) -> None:
    with make_context(hand_made).tar() as first, make_context(hand_made).tar() as second:
        assert first.read() == second.read()


def test_the_archive_holds_the_files_readable_for_everyone(hand_made: Bundle) -> None:
    context = make_context(hand_made)
    with context.tar() as tar, tarfile.open(fileobj=tar) as archive:
        assert archive.getnames() == [*context.folders(), *context.files]
        assert {entry.mode for entry in archive if entry.isfile()} == {0o644}
        assert {entry.mode for entry in archive if entry.isdir()} == {0o755}
        model = archive.extractfile("app/azureml-models/Iris.Tree/3/model/model.joblib")
        assert model is not None
        assert model.read() == b"no real model\n"


def test_proxies_are_passed_on_as_arguments_and_not_printed(hand_made: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:word@proxy.example:3128")
    context = make_context(hand_made)
    assert context.build_arguments["https_proxy"] == "http://user:word@proxy.example:3128"
    assert "proxy.example" not in context.describe()
    assert not any(b"proxy.example" in content for content in context.files.values() if isinstance(content, bytes))


def test_print_shows_the_dockerfile_its_context_and_the_command(hand_made: Bundle, command: Command) -> None:
    ran = command("build", hand_made.root, "--print")
    assert ran.exit_code == 0
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text("utf-8")
    assert ran.out.startswith(dockerfile)
    rest = ran.out.removeprefix(dockerfile).replace(package_wheel()[0], "WHEEL").replace(hand_made.digest, "DIGEST")
    assert rest == (GOLDEN / "print.txt").read_text("utf-8")


def test_context_is_written_to_a_new_folder_only(hand_made: Bundle, tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "context"
    ran = command("build", hand_made.root, "-t", "a:1", "--context", folder)
    assert ran.exit_code == 0
    assert ran.out.startswith("docker build -t a:1 --build-arg BASE_IMAGE=python:3.11-slim-bookworm ")
    assert (folder / "Dockerfile").is_file()
    with pytest.raises(OutputExistsError):
        make_context(hand_made).write(folder)
    assert command("build", hand_made.root, "--context", folder).exit_code == 6


def test_a_written_context_is_readable_whatever_the_umask(hand_made: Bundle, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_context(hand_made).write(tmp_path / "context")
    finally:
        os.umask(before)
    inside = list((tmp_path / "context").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in inside if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in inside if path.is_dir()} == {0o755}


def test_a_changed_bundle_is_refused_before_anything_is_built(hand_made: Bundle, command: Command) -> None:
    (hand_made.root / "model/model.joblib").write_text("another\n", "utf-8")
    ran = command("build", hand_made.root, "--print")
    assert ran.exit_code == 6
    assert "has changed since the bundle was made" in ran.err
    assert ran.out == ""
