"""Names, categories and classes of any characters: the script stays valid, formatted and right."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from scorewright.score import render
from scorewright.score.batch_file import write_batch_file
from scorewright.score.sklearn_model import inspect
from scorewright.score.spec import LoadedModel, ModelSpec
from tests.score.scripts import ask, loaded_from, message

# numpy, and so scikit-learn, loses a NUL at the end of a name.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
TEXT = st.text(CHARACTERS, min_size=1, max_size=12) | st.sampled_from(
    ['"', "'", '"""', "\\", "\\n", "\n", "{x}", "{{ x }}", "{% x %}", "%s", "#", " ", "ünï", "名前", "a" * 130,
     "\u202e", "\x07", "\r", "NA", "1", "1.0", "null", "data", "\t,"]
)  # fmt: skip
# Each example runs the linter: to shrink a failing one would take minutes, and the names are short anyhow.
UNHURRIED = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
NAMES = st.lists(TEXT, min_size=2, max_size=50, unique=True)


def write(model: Any, sample: Any, folder: Path) -> ModelSpec:
    """The scripts and the model, without the rehearsal, which would take a second for each example."""
    spec = inspect(LoadedModel(model, "scikit-learn", "joblib", None), sample, None)
    (folder / "model").mkdir()
    joblib.dump(model, folder / "model" / "model.joblib")
    shown = ('{"data": [...]}', "{...}")
    (folder / "score.py").write_text(render.entry_script(spec, "named", shown), "utf-8", newline="\n")
    (folder / "batch_score.py").write_text(render.batch_script(spec, "named"), "utf-8", newline="\n")
    return spec


def require_clean(folder: Path) -> None:
    """Formatted and without a word from the linter."""
    for words in (["format", "--check"], ["check", "--select=E,F,I,UP,B"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--isolated", "--line-length=120", "score.py", "batch_score.py"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + (folder / "score.py").read_text("utf-8")


@UNHURRIED
@given(NAMES)
@example(["mean radius", 'the "best"', "it's", "both \" and '", "back\\slash", '"""', "new\nline", "{brace}"])
@example([f"pixel {number}" for number in range(784)])
def test_feature_names(names: list[str]) -> None:
    X = pd.DataFrame([[float(row + place) for place in range(len(names))] for row in range(4)], columns=names)
    model = DecisionTreeClassifier(random_state=0).fit(X, ['"no"', '"no"', "yes\\", "yes\\"])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(model, X, folder)
        require_clean(folder)
        with loaded_from(folder / "score.py", folder) as script:
            record = dict(zip(names, X.iloc[3], strict=True))
            assert ask(script, {"data": record, "method": "predict"}) == (200, {"predict": ["yes\\"]})
            backwards = {"columns": names[::-1], "data": [X.iloc[0].tolist()[::-1]]}
            assert ask(script, {"input_data": backwards, "method": "predict"}) == (200, {"predict": ['"no"']})
            record.pop(names[0])
            assert message(script, {"data": record}).startswith(f"data has no {names[0]!r}; the model takes ")


@UNHURRIED
@given(NAMES, TEXT)
@example(["NA", "None", "1", "1.0", "null", "nan"], 'a "name"\n')
@example([f"category {number}" for number in range(500)], "many")
def test_categories(categories: list[str], name: str) -> None:
    X = pd.DataFrame({name: categories, f"{name} as a category": pd.Categorical(categories)})
    encoder = make_column_transformer((OneHotEncoder(), [name]), remainder="drop")
    y = [place % 2 for place in range(len(categories))]
    model = make_pipeline(encoder, LogisticRegression()).fit(X, y)
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        folder = Path(place)
        spec = write(model, X, folder)
        require_clean(folder)
        rows = [[category, category] for category in categories]
        expected = model.predict_proba(X).tolist()
        with loaded_from(folder / "score.py", folder) as script:
            assert ask(script, {"data": rows}) == (200, {"predict_proba": expected})
            assert message(script, {"data": [f"{max(categories, key=len)}?", ""]}).startswith("data[0] (")
        if "".join([*categories, name]).isprintable():  # pandas' csv does not carry every control character
            with loaded_from(folder / "batch_score.py", folder) as batch:
                frame = batch.run([str(write_batch_file(spec.signature, rows, folder))])
            assert frame["error"].isna().all()
            assert frame[["predict_proba_0", "predict_proba_1"]].to_numpy().tolist() == expected
