"""What users give `generate` and `check` that cannot be taken: one clear message, the remedy, the exit code.

The commands are run as real processes, and what they must not leave behind is looked for.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from scorewright.bundle import MANIFEST, Bundle, hash_files
from scorewright.score.generator import generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

X = pd.DataFrame(np.arange(40.0).reshape(10, 4) % 7, columns=["a", "b", "c", "d"])
Y = np.arange(10) % 2


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def scorewright(*words: object, cwd: Path) -> Ran:
    """Run a command in a folder of its own; it must not show our own traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "scorewright", *map(str, words)], capture_output=True, text=True, check=False, cwd=cwd
    )
    assert "scorewright/score/" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def tree() -> Any:
    return DecisionTreeClassifier(random_state=0).fit(X, Y)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A good model's file."""
    joblib.dump(tree(), tmp_path / "model.joblib")
    return tmp_path / "model.joblib"


def write_text(path: Path) -> None:
    path.write_text("not a model\n")


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_png(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))


def write_dict(path: Path) -> None:
    joblib.dump({"model": tree()}, path)


def write_number(path: Path) -> None:
    path.write_bytes(pickle.dumps(7))


def write_half(path: Path) -> None:
    joblib.dump(tree(), path)
    path.write_bytes(path.read_bytes()[:-100])


def dump(build: Callable[[], Any]) -> Callable[[Path], None]:
    return lambda path: joblib.dump(build(), path) and None


MODELS: dict[str, tuple[Callable[[Path], None], int, str, str]] = {
    "text": (write_text, 4, "cannot be read as a pickle", "Pass a fitted scikit-learn estimator"),
    "empty": (write_nothing, 4, "model.joblib", "Pass a fitted scikit-learn estimator"),
    "png": (write_png, 4, "cannot be read as a pickle", "Pass a fitted scikit-learn estimator"),
    "half": (write_half, 4, "cannot be read as a pickle", "Pass a fitted scikit-learn estimator"),
    "dict": (write_dict, 4, "holds a dict, not a model", "Save the fitted estimator itself"),
    "number": (write_number, 4, "holds a builtins.int, not a model", "Pass a fitted scikit-learn estimator"),
    "unfitted": (dump(DecisionTreeClassifier), 4, "The DecisionTreeClassifier has not been fitted", "Call fit()"),
    "unfitted inside": (
        dump(lambda: make_pipeline(StandardScaler(), LogisticRegression())),
        4,
        "The Pipeline has not been fitted",
        "Call fit()",
    ),
    "class": (dump(lambda: DecisionTreeClassifier), 4, "DecisionTreeClassifier is a class", "Save what fit() returned"),
    "DBSCAN": (
        dump(lambda: DBSCAN().fit(X)),
        4,
        "A DBSCAN has neither predict nor transform",
        "a classifier on the labels",
    ),
    "neighbours": (
        dump(lambda: NearestNeighbors().fit(X)),
        4,
        "A NearestNeighbors has neither predict nor transform",
        "",
    ),
    "labels": (dump(lambda: LabelEncoder().fit(Y)), 4, "A LabelEncoder encodes labels, not features", ""),
}


@pytest.mark.parametrize("case", MODELS)
def test_what_is_no_usable_model(case: str, tmp_path: Path) -> None:
    write, code, message, hint = MODELS[case]
    write(tmp_path / "model.joblib")
    ran = scorewright("generate", "model.joblib", cwd=tmp_path)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert hint in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["model.joblib"]


def test_no_such_file(tmp_path: Path) -> None:
    ran = scorewright("generate", "nowhere.joblib", cwd=tmp_path)
    assert (ran.code, ran.err.splitlines()[0]) == (4, "Error: There is no file nowhere.joblib.")
    assert not list(tmp_path.iterdir())


def test_a_class_that_is_not_installed_is_named(tmp_path: Path) -> None:
    program = """
    import sys, types, joblib
    module = types.ModuleType("imblearn.ensemble")
    exec("class Balanced:\\n    def predict(self, X):\\n        return X", module.__dict__)
    sys.modules |= {"imblearn": types.ModuleType("imblearn"), "imblearn.ensemble": module}
    joblib.dump(module.Balanced(), "model.pkl")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, cwd=tmp_path)
    ran = scorewright("generate", "model.pkl", cwd=tmp_path)
    assert ran.code == 4
    assert "model.pkl needs the module imblearn" in ran.err
    assert "pip install imbalanced-learn" in ran.err


def test_a_class_of_a_notebook_is_named(tmp_path: Path) -> None:
    program = """
    import joblib
    class Mine:
        def predict(self, X):
            return X
    joblib.dump(Mine(), "model.pkl")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, cwd=tmp_path)
    ran = scorewright("generate", "model.pkl", cwd=tmp_path)
    assert ran.code == 4
    assert "Mine" in ran.err
    assert "move it into a .py file" in ran.err


SAMPLES: dict[str, tuple[str, str, str]] = {
    "a target too many": ("a,b,c,d,y\n1,2,3,4,0\n", "not known to the model y", "The model was fitted on: a, b, c, d."),
    "a column too few": ("a,b,c\n1,2,3\n", "missing d", "The model was fitted on: a, b, c, d."),
    "an index": (",a,b,c,d\n0,1,2,3,4\n", "not known to the model Unnamed: 0", "The model was fitted on: a, b, c, d."),
    "no rows": ("a,b,c,d\n", "The sample is empty", "Give at least one row"),
    "ragged": ("a,b,c,d\n1,2\n1,2,3,4,5,6\n", "cannot be read as csv", ""),
    "empty": ("", "cannot be read as csv", ""),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_a_sample_that_does_not_fit(case: str, model: Path, tmp_path: Path) -> None:
    text, message, hint = SAMPLES[case]
    (tmp_path / "sample.csv").write_text(text)
    ran = scorewright("generate", model, "--sample", "sample.csv", "--out", "out", cwd=tmp_path)
    assert (ran.code, ran.out) == (5, "")
    assert message in ran.err
    assert hint in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.joblib", "sample.csv"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.csv", None, "There is no sample file"),
        ("sample.xlsx", b"PK", "a sample is a .csv, .parquet, .npy, .npz, .json"),
        ("sample.json", b"{", "cannot be read as json"),
        ("sample.npy", b"x", "cannot be read as npy"),
        ("sample.parquet", b"x", "cannot be read as parquet"),
    ],
)
def test_a_sample_that_cannot_be_read(
    name: str, content: bytes | None, message: str, model: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ran = scorewright("generate", model, "--sample", name, cwd=tmp_path)
    assert (ran.code, ran.out) == (5, "")
    assert message in ran.err


def test_a_method_the_model_has_not(model: Path, tmp_path: Path) -> None:
    ran = scorewright("generate", model, "--method", "transform", "--out", "out", cwd=tmp_path)
    assert ran.code == 4
    assert "The DecisionTreeClassifier has no method 'transform'" in ran.err
    assert "It has: predict, predict_proba, predict_log_proba." in ran.err


@pytest.mark.parametrize("name", ["-x", "a b", "../up", "", "ünï"])
def test_a_name_that_is_none(name: str, model: Path, tmp_path: Path) -> None:
    ran = scorewright("generate", model, f"--name={name}", "--out", "out", cwd=tmp_path)
    assert ran.code in ((2,) if name else (0,))
    assert (tmp_path / "out").exists() == (name == "")


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_output_that_exists_is_replaced_only_by_force(model: Path, tmp_path: Path) -> None:
    assert scorewright("generate", model, "--out", "out", cwd=tmp_path).code == 0
    before = tree_of(tmp_path)
    ran = scorewright("generate", model, "--out", "out", "--method", "predict", cwd=tmp_path)
    assert ran.code == 6
    assert "out exists already." in ran.err
    assert "--force" in ran.err
    assert tree_of(tmp_path) == before
    assert scorewright("generate", model, "--out", "out", "--method", "predict", "--force", cwd=tmp_path).code == 0
    assert Bundle.load(tmp_path / "out").manifest.signature.default_method == "predict"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.joblib", "out"]


def test_force_replaces_bundles_only(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    ran = scorewright("generate", model, "--out", "out", "--force", cwd=tmp_path)
    assert ran.code == 6
    assert "is not a bundle: --force replaces bundles only" in ran.err
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_a_failed_replacement_leaves_the_old_bundle(model: Path, tmp_path: Path) -> None:
    assert scorewright("generate", model, "--out", "out", cwd=tmp_path).code == 0
    joblib.dump(DecisionTreeClassifier(), model)
    before = tree_of(tmp_path)
    assert scorewright("generate", model, "--out", "out", "--force", cwd=tmp_path).code == 4
    assert tree_of(tmp_path) == before


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good bundle, never changed."""
    return generate(tree(), X, name="tree", out=tmp_path_factory.mktemp("made") / "tree").root


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A good bundle of the test's own."""
    import shutil

    return shutil.copytree(made, tmp_path / "tree")


def test_a_changed_or_missing_file_is_refused(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "model" / "model.joblib"
    path.write_bytes(path.read_bytes() + b"x")
    ran = scorewright("check", "tree", cwd=tmp_path)
    assert ran.code == 8
    assert "hashes: " in ran.err
    assert "model.joblib has changed since the bundle was made" in ran.err
    assert "Nothing was loaded" in ran.err
    path.unlink()
    ran = scorewright("check", "tree", cwd=tmp_path)
    assert (ran.code, "model.joblib is missing" in ran.err) == (8, True)
    ran = scorewright("serve", "tree", "--port", "0", cwd=tmp_path)
    assert (ran.code, "model.joblib is missing" in ran.err) == (6, True)


def manifest(bundle: Path, change: Callable[[Any], object]) -> None:
    content = json.loads((bundle / MANIFEST).read_text())
    change(content)
    (bundle / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(schema_version=2), "at schema_version"),
        (lambda content: content["signature"].pop("layout"), "at signature.layout: Field required"),
        (lambda content: content["signature"]["inputs"][0].update(shape="x"), "at signature.inputs.0.shape"),
        (lambda content: content.update(surprise=1), "at surprise: Extra inputs are not permitted"),
        (lambda content: content["files"].update({"../../etc/passwd": "0"}), "which is not a path inside the bundle"),
        (lambda content: content["model"].update(path="/etc/passwd"), "which is not a path inside the bundle"),
        (lambda content: content.update(name="; rm -rf /"), "at name: String should match pattern"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_the_place(
    change: Callable[[Any], object], message: str, bundle: Path, tmp_path: Path
) -> None:
    manifest(bundle, change)
    ran = scorewright("check", "tree", cwd=tmp_path)
    assert ran.code == 8
    assert message in ran.err


def test_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, message in (
        ("nowhere", "nowhere is not a folder"),
        ("empty", "is not a bundle: it has no bundle.json"),
    ):
        ran = scorewright("check", folder, cwd=tmp_path)
        assert (ran.code, message in ran.err) == (8, True)
    (tmp_path / "empty" / MANIFEST).write_bytes(b"\xff{")
    assert "is not a valid manifest" in scorewright("check", "empty", cwd=tmp_path).err


def test_a_model_of_another_release_is_refused_unless_told(model: Path, tmp_path: Path) -> None:
    class Older(DecisionTreeClassifier):  # type: ignore[misc]
        """Pickled as if an older release had done it."""

        def __getstate__(self) -> Any:
            return {**super().__getstate__(), "_sklearn_version": "1.2.3"}

        def __reduce__(self) -> Any:
            return (DecisionTreeClassifier, (), self.__getstate__())

    joblib.dump(Older(random_state=0).fit(X, Y), model)
    ran = scorewright("generate", model, "--out", "out", cwd=tmp_path)
    assert ran.code == 7
    assert "was made with scikit-learn 1.2.3, scikit-learn " in ran.err
    assert "pip install 'scikit-learn==1.2.3'" in ran.err
    assert "--allow-version-skew" in ran.err
    assert not (tmp_path / "out").exists()
    ran = scorewright("generate", model, "--out", "out", "--allow-version-skew", cwd=tmp_path)
    assert ran.code == 0
    assert "note: The model was saved by scikit-learn 1.2.3" in ran.out


def test_a_bundle_of_other_versions_is_refused_unless_told(bundle: Path, tmp_path: Path) -> None:
    manifest(bundle, lambda content: content["versions"].update({"scikit-learn": "1.2.3"}))
    for command, code in (("check", 8), ("serve", 7)):
        ran = scorewright(command, "tree", *(["--port", "0"] if command == "serve" else []), cwd=tmp_path)
        assert ran.code == code
        assert "scikit-learn 1.2.3 made the model, " in ran.err
        assert "--allow-version-skew" in ran.err
    assert scorewright("check", "tree", "--allow-version-skew", cwd=tmp_path).code == 0


def test_the_script_itself_refuses_other_versions(bundle: Path, tmp_path: Path) -> None:
    """Where there is no scorewright to look at the manifest: under Azure's own server."""
    rewrite(bundle, "score.py", 'VERSIONS = {"scikit-learn": "', 'VERSIONS = {"scikit-learn": "9.')
    ran = scorewright("check", "tree", cwd=tmp_path)
    assert ran.code == 8
    assert "init: " in ran.err
    assert "scikit-learn 9." in ran.err
    assert scorewright("check", "tree", "--allow-version-skew", cwd=tmp_path).code == 0


def rewrite(bundle: Path, name: str, old: str, new: str) -> None:
    """Change a file of the bundle, and its hash with it, as somebody would on purpose."""
    text = (bundle / name).read_text()
    assert old in text
    (bundle / name).write_text(text.replace(old, new, 1))
    manifest(bundle, lambda content: content.update(files=hash_files(bundle)))


@pytest.mark.parametrize(
    ("name", "old", "new", "step", "cause"),
    [
        ("score.py", "    global model\n", "    raise OSError('no GPU')\n", "init", "OSError: no GPU"),
        ("score.py", "    global model\n", "    import os; os._exit(9)\n", "init", "ended with exit code 9"),
        (
            "score.py",
            "    global model\n",
            "    import ctypes; ctypes.string_at(0)\n",
            "init",
            "was killed by signal 11",
        ),
        ("score.py", "import joblib\n", "import joblib\nimport nothing_like_it\n", "init", "nothing_like_it"),
        ("score.py", "return {method: call(", "return {method: 2 * call(", "run", "has 6 items, expected 3"),
        (
            "score.py",
            "    try:\n        method, rows",
            "    1 / 0\n    try:\n        method, rows",
            "init",
            "division by zero",
        ),
        ("score.py", "    return answers\n", "    return answers[:2]\n", "run_many", "2 answers to 21 requests"),
        ("score.py", "    return answers\n", "    return answers[:1] * len(answers)\n", "run_many", "among others"),
        ("batch_score.py", "def init()", "def start()", "batch", "has no function init()"),
        ("batch_score.py", "score.results(method, X)", "0 * score.results(method, X)", "batch", "$[0][0] is "),
    ],
)
def test_check_names_the_step_that_fails(
    name: str, old: str, new: str, step: str, cause: str, bundle: Path, tmp_path: Path
) -> None:
    rewrite(bundle, name, old, new)
    ran = scorewright("check", "tree", cwd=tmp_path)
    assert ran.code == 8, ran.out
    assert f"Error: {step}: " in ran.err
    assert cause in ran.err
    assert "answers as it should" not in ran.out
