"""The bundle: what is loaded, what is refused, and where its files are looked for."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.bundle import MANIFEST, Bundle, TensorSpec, hash_files, read_manifest, sha256
from scorewright.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_written_is_what_is_read(hand_made: Bundle) -> None:
    manifest = read_manifest(hand_made.root)
    assert manifest == hand_made.manifest
    assert manifest.signature.inputs == (TensorSpec(name="data", dtype="float64", shape=(None, 4)),)
    assert json.loads((hand_made.root / MANIFEST).read_text())["schema_version"] == 1
    assert hand_made.json("sample_request.json") == {"data": [[1, 2, 3, 4]]}


def test_every_file_is_hashed_but_the_manifest_and_caches(tmp_path: Path) -> None:
    for name in ("a.txt", "model/b.bin", MANIFEST, "__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert hash_files(tmp_path) == {name: sha256(tmp_path / name) for name in ("a.txt", "model/b.bin")}


def test_the_digest_changes_with_any_file(hand_made: Bundle) -> None:
    before = hand_made.digest
    manifest = json.loads((hand_made.root / MANIFEST).read_text())
    manifest["files"]["score.py"] = "0" * 64
    (hand_made.root / MANIFEST).write_text(json.dumps(manifest))
    assert hand_made.digest != before


def test_a_changed_file_is_named(hand_made: Bundle) -> None:
    (hand_made.root / "score.py").write_text("changed")
    with pytest.raises(BundleError, match=r"score\.py has changed since the bundle was made") as refused:
        Bundle.load(hand_made.root)
    assert refused.value.exit_code == 6


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ""])
def test_a_path_out_of_the_bundle_is_refused(path: str, hand_made: Bundle) -> None:
    manifest = json.loads((hand_made.root / MANIFEST).read_text())
    manifest["files"][path] = "0" * 64
    (hand_made.root / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="not a path inside the bundle"):
        Bundle.load(hand_made.root)


def test_a_model_without_a_hash_is_refused(hand_made: Bundle) -> None:
    manifest = json.loads((hand_made.root / MANIFEST).read_text())
    del manifest["files"]["model/model.joblib"]
    (hand_made.root / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"no sha256 of the model model/model\.joblib at files"):
        Bundle.load(hand_made.root)


@given(st.binary(max_size=200))
def test_whatever_stands_in_the_manifest_is_refused_in_words(content: bytes) -> None:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST).write_bytes(content)
        with pytest.raises(BundleError, match="is not a valid manifest: at "):
            read_manifest(Path(folder))


def test_the_model_is_found_as_azure_mounts_it(hand_made: Bundle, tmp_path: Path) -> None:
    """A registered folder as DIR/<folder>/..., a registered file as DIR/<file> (shared facts, section 2)."""
    model = hand_made.root / "model" / "model.joblib"
    as_folder, as_file = tmp_path / "folder", tmp_path / "file"
    shutil.copytree(model.parent, as_folder / "model")
    as_file.mkdir()
    shutil.move(model, as_file / "model.joblib")
    with pytest.raises(BundleError, match="is missing"):
        Bundle.load(hand_made.root)
    assert Bundle.load(hand_made.root, model_dir=as_folder).path("model/model.joblib").parent.name == "model"
    assert Bundle.load(hand_made.root, model_dir=as_file).path("model/model.joblib").parent == as_file
    (as_file / "model.joblib").write_text("another model")
    with pytest.raises(BundleError, match="has changed"):
        Bundle.load(hand_made.root, model_dir=as_file)


def test_the_containers_layout_is_known(hand_made: Bundle) -> None:
    apart = hand_made.root / "azureml-models" / "Iris.Tree" / "3"
    apart.mkdir(parents=True)
    shutil.move(hand_made.root / "model", apart / "model")
    assert Bundle.load(hand_made.root).model_dir == apart
