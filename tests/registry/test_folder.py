"""The registry in a folder: what comes in is what comes out, under a version that never changes."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorewright.bundle import MANIFEST, Bundle, hash_files
from scorewright.errors import BundleError, NotBetterError, OutputExistsError, RegistryError, UsageError
from scorewright.registry.entry import RECORD
from scorewright.registry.folder import Condition, FolderRegistry
from scorewright.registry.reference import bundle_folder
from tests.hand_made import FILES
from tests.registry.models import NAME, variant


@pytest.fixture
def models(tmp_path: Path) -> FolderRegistry:
    """An empty registry."""
    return FolderRegistry(tmp_path / "registry")


def test_a_bundle_comes_out_as_it_went_in(models: FolderRegistry, hand_made: Bundle, tmp_path: Path) -> None:
    found = models.register(hand_made, metrics={"accuracy": 0.93}, tags={"stage": "trial"}, own_version=True)
    assert found.new
    assert found.entry.reference == f"{NAME}:3"
    assert (found.entry.metrics, found.entry.tags) == ({"accuracy": 0.93}, {"stage": "trial"})
    fetched = models.fetch(f"{NAME}:3", tmp_path / "fetched")
    assert fetched.manifest == hand_made.manifest
    assert fetched.digest == hand_made.digest == found.entry.sha256
    assert hash_files(fetched.root) == hand_made.manifest.files
    assert models.bundle(f"{NAME}:latest").root == (models.root / NAME / "3" / "bundle").resolve()
    assert models.names() == [NAME]


def test_what_the_manifest_does_not_name_stays_out(models: FolderRegistry, hand_made: Bundle) -> None:
    assert (hand_made.root / "left-behind.txt").exists()
    models.register(hand_made)
    kept = models.bundle(f"{NAME}:1").root
    assert {path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()} == {*FILES, MANIFEST}


def test_numbers_are_given_in_turn_and_stand_in_the_bundle(models: FolderRegistry, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        found = models.register(variant(tmp_path / f"{number}", f"no. {number}"))
        assert (found.entry.version, found.entry.number, found.new) == (str(number), number, True)
        assert models.bundle(f"{NAME}:{number}").manifest.version == str(number)
        assert models.entry(f"{NAME}:latest").version == str(number)
    models.register(variant(tmp_path / "own", "own", version="20-beta"), own_version=True)
    assert models.entry(f"{NAME}:latest").version == "20-beta"
    assert models.register(variant(tmp_path / "4", "no. 4")).entry.version == "4"
    assert [entry.version for entry in models.entries(NAME)] == ["1", "2", "3", "20-beta", "4"]


def test_the_apis_document_has_the_number_too(models: FolderRegistry, hand_made: Bundle) -> None:
    document = hand_made.root / "openapi.json"
    document.write_text(json.dumps({"info": {"title": "Tree", "version": "3"}}), "utf-8")
    files = {name: digest for name, digest in hash_files(hand_made.root).items() if name != "left-behind.txt"}
    manifest = hand_made.manifest.model_copy(update={"files": files})
    (hand_made.root / MANIFEST).write_text(manifest.to_json(), "utf-8")
    models.register(hand_made.root)
    kept = models.bundle(f"{NAME}:1")
    assert kept.json("openapi.json") == {"info": {"title": "Tree", "version": "1"}}


def test_the_same_bundle_keeps_its_version(models: FolderRegistry, hand_made: Bundle, tmp_path: Path) -> None:
    first = models.register(hand_made, metrics={"accuracy": 0.93})
    again = models.register(hand_made.root, metrics={"accuracy": 0.93})
    assert (again.entry, again.new) == (first.entry, False)
    assert models.register(hand_made).entry == first.entry
    # What was fetched is the same model, though its manifest has the number now.
    assert models.register(models.fetch(f"{NAME}:1", tmp_path / "fetched")).entry == first.entry
    for other, what in (({"metrics": {"accuracy": 0.94}}, "metrics"), ({"tags": {"stage": "trial"}}, "tags")):
        with pytest.raises(RegistryError, match=f"registered already, as {NAME}:1, with other {what}"):
            models.register(hand_made, **other)
    assert len(models.entries(NAME)) == 1


def test_an_own_version_that_is_taken_is_refused(models: FolderRegistry, hand_made: Bundle, tmp_path: Path) -> None:
    models.register(hand_made, own_version=True)
    assert not models.register(hand_made, own_version=True).new
    with pytest.raises(RegistryError, match=f"{NAME}:3 is registered with another content") as refused:
        models.register(variant(tmp_path / "other", "other"), own_version=True)
    assert refused.value.exit_code == 16
    with pytest.raises(RegistryError, match="No version can be called latest"):
        models.register(variant(tmp_path / "latest", "", version="latest"), own_version=True)


@pytest.mark.parametrize(
    ("better", "numbers", "taken"),
    [
        ("higher", (0.9, 0.8, 0.9, 0.91), (True, False, False, True)),
        ("lower", (3, 4, 2, 2), (True, False, True, False)),
    ],
)
def test_only_what_is_better_than_all_before(
    models: FolderRegistry, tmp_path: Path, better: str, numbers: tuple[float, ...], taken: tuple[bool, ...]
) -> None:
    only_if = Condition("score", better)  # type: ignore[arg-type]
    # One without the metric, and the latest: it is no rival.
    models.register(variant(tmp_path / "bare", "bare"))
    for at, (number, takes) in enumerate(zip(numbers, taken, strict=True)):
        bundle = variant(tmp_path / str(at), f"no. {at}")
        if takes:
            assert models.register(bundle, metrics={"score": number}, only_if=only_if).new
        else:
            with pytest.raises(NotBetterError, match=rf"score {number:g} is not better \({better}\) than the"):
                models.register(bundle, metrics={"score": number}, only_if=only_if)
    assert len(models.entries(NAME)) == 1 + sum(taken)


def test_better_in_what_was_not_measured_is_refused(models: FolderRegistry, hand_made: Bundle) -> None:
    with pytest.raises(UsageError, match="no such metric is given"):
        models.register(hand_made, only_if=Condition("accuracy"))


def test_a_changed_file_or_manifest_is_never_handed_out(models: FolderRegistry, hand_made: Bundle) -> None:
    models.register(hand_made, own_version=True)
    kept = models.root / NAME / "3" / "bundle"
    assert not (kept / "score.py").stat().st_mode & 0o222
    (kept / MANIFEST).chmod(0o644)
    manifest = json.loads((kept / MANIFEST).read_text())
    (kept / MANIFEST).write_text(json.dumps({**manifest, "notes": ["changed"]}))
    with pytest.raises(RegistryError, match=r"is not what was registered: .*bundle\.json is not the manifest"):
        models.bundle(f"{NAME}:3")
    (kept / "score.py").unlink()
    (kept / "score.py").write_text("raise SystemExit")
    with pytest.raises(RegistryError, match=r"is not what was registered: .*score\.py has changed"):
        models.bundle(f"{NAME}:latest")


@pytest.mark.parametrize("record", ["", "{}", '{"name": "another"}', None])
def test_a_damaged_record_is_named(models: FolderRegistry, hand_made: Bundle, record: str | None) -> None:
    models.register(hand_made)
    path = models.root / NAME / "1" / RECORD
    path.unlink()
    if record is not None:
        path.write_text(record)
    with pytest.raises(RegistryError, match=r"1/registration\.json (cannot be read|is not valid)") as refused:
        models.entries(NAME)
    assert str(path.parent) in refused.value.hint


def test_a_version_that_was_renamed_is_not_taken_for_another(models: FolderRegistry, hand_made: Bundle) -> None:
    models.register(hand_made)
    (models.root / NAME / "1").rename(models.root / NAME / "2")
    with pytest.raises(RegistryError, match=f"is the record of {NAME}:1"):
        models.bundle(f"{NAME}:2")


def test_what_is_not_there_is_told_with_what_is(models: FolderRegistry, hand_made: Bundle) -> None:
    with pytest.raises(RegistryError, match="No model churn is registered") as refused:
        models.entry("churn:1")
    assert "Nothing is registered there" in refused.value.hint
    models.register(hand_made)
    with pytest.raises(RegistryError, match="No model churn is registered") as refused:
        models.entry("churn:latest")
    assert refused.value.hint == f"There are: {NAME}."
    with pytest.raises(RegistryError, match=f"{NAME} has no version 9") as refused:
        models.entry(f"{NAME}:9")
    assert refused.value.hint == "It has: 1."


@given(st.text(max_size=20))
def test_no_reference_leads_out_of_the_registry(word: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with pytest.raises((UsageError, RegistryError)):
            FolderRegistry(Path(folder)).bundle(word)
        assert FolderRegistry(Path(folder) / "none").entries(word) == []


def test_a_broken_bundle_is_not_registered(models: FolderRegistry, hand_made: Bundle) -> None:
    (hand_made.root / "score.py").write_text("changed")
    with pytest.raises(BundleError, match="has changed"):
        models.register(hand_made.root)
    assert not models.root.exists()


def test_a_folder_that_cannot_be_written_is_named(hand_made: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    models = FolderRegistry(tmp_path / "file" / "registry")
    with pytest.raises(RegistryError, match=r"The registry .* cannot be used: .*: Not a directory") as refused:
        models.register(hand_made)
    assert "SCOREWRIGHT_REGISTRY" in refused.value.hint


def test_fetch_replaces_nothing(models: FolderRegistry, hand_made: Bundle) -> None:
    models.register(hand_made)
    with pytest.raises(OutputExistsError, match="is there already"):
        models.fetch(f"{NAME}:1", hand_made.root)


def test_the_default_is_a_setting_or_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCOREWRIGHT_REGISTRY", "~/models")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert FolderRegistry.default().root == tmp_path / "models"
    monkeypatch.delenv("SCOREWRIGHT_REGISTRY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert FolderRegistry.default().root == tmp_path / "data/scorewright/registry"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert FolderRegistry.default().root == tmp_path / ".local/share/scorewright/registry"


def test_a_folder_of_the_name_wins(
    models: FolderRegistry, hand_made: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCOREWRIGHT_REGISTRY", str(models.root))
    monkeypatch.chdir(tmp_path)
    models.register(hand_made)
    assert bundle_folder(f"{NAME}:1") == (models.root / NAME / "1" / "bundle").resolve()
    os.rename(hand_made.root, f"{NAME}:1")  # noqa: PTH104
    assert bundle_folder(f"{NAME}:1") == Path(f"{NAME}:1")
    assert bundle_folder("no/such:folder") == Path("no/such:folder")
    with pytest.raises(RegistryError, match="has no version 2"):
        bundle_folder(f"{NAME}:2")
