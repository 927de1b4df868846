"""Models in .skops files: loaded by the types that somebody trusts, here, at generation and in the script."""

from __future__ import annotations

import importlib
import json
import pickle
import shutil
import sys
import traceback
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scorewright.bundle import MANIFEST, Bundle, Manifest, hash_files
from scorewright.errors import ModelError, NotAModelError, UntrustedTypeError, UsageError
from scorewright.score.check import check
from scorewright.score.generator import generate
from tests.score.scripts import ask, loaded
from tests.score.small_models import table_of_everything, tree_with_names
from tests.service.servers import serving

if TYPE_CHECKING:
    from tests.command import Command

TREE = "sklearn.tree._tree.Tree"
X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 4.0]])


class Trap:
    """What a pickle could do when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path("/nonexistent/touched").touch, ()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decision tree: its nodes are of a type that skops does not trust by itself."""
    path = tmp_path_factory.mktemp("skops") / "tree.skops"
    skops.io.dump(tree_with_names()[0], path)
    return path


@pytest.fixture(scope="module")
def bundle(tree: Path) -> Bundle:
    return generate(tree, tree_with_names()[1], out=tree.parent / "bundle", trust=[TREE])


def test_types_that_nobody_trusts_are_refused_by_name(tree: Path, tmp_path: Path, command: Command) -> None:
    ran = command("generate", tree, "--out", tmp_path / "bundle")
    assert ran.exit_code == UntrustedTypeError.exit_code == ModelError.exit_code
    assert f"holds types that skops does not trust: {TREE}." in ran.err
    assert f"--trust {TREE}" in ran.err
    assert not (tmp_path / "bundle").exists()


def test_what_is_not_trusted_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign_module.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n\n\nclass Foreign(LogisticRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    foreign = importlib.import_module("foreign_module")
    skops.io.dump(foreign.Foreign().fit(X, [0, 0, 1, 1]), tmp_path / "model.skops")
    del sys.modules["foreign_module"]
    with pytest.raises(UntrustedTypeError, match=r"foreign_module\.Foreign"):
        generate(tmp_path / "model.skops", X)
    assert "foreign_module" not in sys.modules


def test_the_manifest_and_the_script_say_what_is_trusted(
    tree: Path, bundle: Bundle, tmp_path: Path, command: Command
) -> None:
    ran = command("generate", tree, "--out", tmp_path / "bundle", "--trust", TREE)
    assert (ran.exit_code, ran.err) == (0, "")
    assert f"  trusted: {TREE}\n" in ran.out
    manifest = bundle.manifest
    assert (manifest.model.format, manifest.model.path) == ("skops", "model/model.skops")
    assert manifest.model.trusted == (TREE,)
    assert f'TRUSTED = ("{TREE}",)' in bundle.entry_script.read_text()
    assert "joblib" not in bundle.entry_script.read_text()
    assert f"skops=={manifest.versions['skops']}" in (bundle.root / "requirements.txt").read_text()
    assert bundle.path(manifest.model.path).read_bytes() == tree.read_bytes()


def test_check_passes_and_the_service_answers(bundle: Bundle) -> None:
    assert [step.name for step in check(bundle.root)] == ["hashes", "versions", "init", "run", "run_many", "batch"]
    with loaded(bundle) as script:
        assert ask(script, {"data": [[4.0, 40.0, 1.0]], "method": "predict"}) == (200, {"predict": [1]})


def test_it_is_served(bundle: Bundle) -> None:
    with serving() as start:
        server = start(str(bundle.root)).ready()
        answer = httpx.post(f"{server.url}/score", content=(bundle.root / "sample_request.json").read_bytes())
    assert answer.json() == bundle.json("expected_response.json")


def test_a_table_and_a_forest_are_answered_as_the_model_answers(tmp_path: Path) -> None:
    table, rows = table_of_everything()
    forest = RandomForestClassifier(4, random_state=0).fit(X, [0, 0, 1, 1])
    for name, model, sample, trust in (("table", table, rows, ["numpy.dtype"]), ("forest", forest, X, [TREE])):
        skops.io.dump(model, tmp_path / f"{name}.skops")
        made = generate(tmp_path / f"{name}.skops", sample, out=tmp_path / name, trust=trust)
        with loaded(made) as script:
            answer = ask(script, {"data": json.loads((made.root / "sample_request.json").read_text())["data"]})
        np.testing.assert_allclose(answer[1]["predict_proba"], model.predict_proba(sample[:3]))


def test_another_models_file_in_its_place_is_refused_by_the_script(bundle: Bundle, tmp_path: Path) -> None:
    """The hashes would refuse it before; an attacker who can write the manifest, too, meets the list."""
    copy = shutil.copytree(bundle.root, tmp_path / "copy")
    skops.io.dump(make_pipeline(StandardScaler(), _Foreign()), copy / "model" / "model.skops")
    manifest = Manifest.model_validate_json((copy / MANIFEST).read_bytes())
    (copy / MANIFEST).write_text(manifest.model_copy(update={"files": hash_files(copy)}).to_json())
    with pytest.raises(Exception, match="_Foreign") as caught, loaded(Bundle.load(copy)):
        pass
    assert "UntrustedTypesFoundException" in "".join(traceback.format_exception(caught.value))


class _Foreign(LogisticRegression):  # type: ignore[misc]
    """A type of somebody's own."""


def test_onnx_needs_no_skops(tree: Path, tmp_path: Path) -> None:
    made = generate(tree, tree_with_names()[1], out=tmp_path / "bundle", trust=[TREE], runtime="onnx")
    assert (made.manifest.model.format, made.manifest.model.trusted) == ("onnx", ())
    assert "skops" not in made.entry_script.read_text()
    assert "skops" not in made.manifest.versions


def test_what_need_not_be_trusted_is_a_mistake(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--trust os\.system: .* has no such type") as caught:
        generate(tree, out=tmp_path / "bundle", trust=[TREE, "os.system"])
    assert TREE in caught.value.hint
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(tree_with_names()[0]))
    with pytest.raises(UsageError, match=r"only a \.skops file"):
        generate(tmp_path / "model.pkl", out=tmp_path / "bundle", trust=[TREE])


def test_no_skops_file_is_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with pytest.raises(ModelError, match="There is no file"):
        generate(path)
    path.write_bytes(pickle.dumps(Trap()))  # a pickle by that name is not unpickled
    with pytest.raises(NotAModelError, match="cannot be read as a skops file"):
        generate(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", "{}")
    with pytest.raises(NotAModelError, match="cannot be read as a skops file"):
        generate(path)
    skops.io.dump({"a": 1}, path)
    with pytest.raises(NotAModelError, match="holds a dict, not a model"):
        generate(path)
