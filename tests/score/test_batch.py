"""batch_score.py answers a file of rows as score.py answers a request with each of them."""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from scorewright.score.batch_file import batch_rows
from tests.score.scripts import Scripts, ask
from tests.score.small_models import (
    boosted_categories,
    line_without_names,
    table_of_everything,
    tree_with_names,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scorewright.contract.script import EntryScript

NUMBERS = st.floats(-1e30, 1e30) | st.integers(-1000, 1000)
ODD = st.sampled_from([None, "x", "", 1e300, -math.inf, "1_0", 2**60])
"""What most columns do not take; a csv file can hold it, too."""
DATES = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat())
WORDS = st.sampled_from(["NA", "None", "null", "nan", "1", "1.0", "01", "a", "x,y", 'q"', "ü", "true", "2020-01-01"])


def table_without_dates() -> tuple[Any, Any]:
    X = pd.DataFrame({"age": [31.0, 45.0, 27.0, 60.0], "city": ["Bonn", "Köln", "Bonn", "Köln"], "rooms": [1, 2, 3, 2]})
    encode = make_column_transformer((SimpleImputer(), ["age"]), (OneHotEncoder(), ["city"]), remainder="passthrough")
    return make_pipeline(encode, DecisionTreeClassifier(random_state=0)).fit(X, ["no", "yes", "no", "yes"]), X


def rows_of(**columns: Any) -> Any:
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=8)


ROWS = {
    tree_with_names: rows_of(a=NUMBERS | ODD, b=NUMBERS | st.none(), ü=NUMBERS),
    line_without_names: st.lists(st.lists(NUMBERS | ODD, min_size=2, max_size=2), min_size=1, max_size=8),
    table_of_everything: rows_of(
        age=NUMBERS | ODD,
        city=st.sampled_from(["Bonn", "Köln", "Ulm", None]),
        street=WORDS | st.none(),
        since=DATES | st.none() | st.sampled_from(["yesterday", "2020-01-01T00:00:00+01:00"]),
        member=st.booleans() | st.none(),
        size=st.sampled_from(["S", "M", "L"]) | WORDS | st.none(),
        rooms=st.sampled_from([1, 2, 3, 4, 1.5, None]),
    ),
    table_without_dates: rows_of(age=NUMBERS | ODD, city=st.sampled_from(["Bonn", "Ulm", None]), rooms=NUMBERS),
    boosted_categories: rows_of(size=st.sampled_from(["S", "M"]) | WORDS, zone=st.integers(1, 9) | st.none() | ODD),
    words: st.lists(WORDS | st.sampled_from(["good", "very bad", "", "two\nlines"]), min_size=1, max_size=8),
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    return Scripts(tmp_path_factory.mktemp("scripts"))


def files(rows: list[Any], folder: Path) -> Iterator[tuple[Path, list[Any]]]:
    """The rows as each kind of file that can hold them, and what a request says in place of each."""
    lines = folder / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    yield lines, rows
    listed = isinstance(rows[0], list)
    plain = [[None if value == "" else value for value in row] for row in rows] if listed else rows
    if isinstance(rows[0], dict):
        plain = [{name: None if value == "" else value for name, value in row.items()} for row in rows]
    frame = (
        pd.DataFrame({"text": rows}, dtype=object) if isinstance(rows[0], str) else pd.DataFrame(plain, dtype=object)
    )
    if not listed:
        frame["passed over"] = "1"
    if not isinstance(rows[0], str) or "\n" not in "".join(rows):
        frame.to_csv(folder / "rows.csv", index=False, header=["one", "two"] if listed else True)
        yield folder / "rows.csv", plain
    try:
        pa.Table.from_pandas(pd.DataFrame(rows) if not isinstance(rows[0], str) else frame)
    except pa.ArrowException:  # texts and numbers in one column
        return
    there = frame if isinstance(rows[0], str) else pd.DataFrame(rows)
    there.rename(columns=str).to_parquet(folder / "rows.parquet")
    whole = there.astype(object).where(there.notna(), None)  # a whole number may have become a fraction
    if listed:
        yield folder / "rows.parquet", whole.to_numpy().tolist()
    else:
        yield folder / "rows.parquet", rows if isinstance(rows[0], str) else whole.to_dict("records")


def expected(online: EntryScript, row: Any) -> list[Any]:
    """The answers and the error that a row must get, by what a request with it is answered."""
    status, body = ask(online, {"data": [row]})
    if status == 200:
        return [*batch_rows(body)[0], None]
    return [None, str(body["message"]).replace("data[0]", "row", 1)]


def found(frame: Any) -> list[list[Any]]:
    """A table's answers and errors as JSON has them; of a bad row the error alone."""
    rows = []
    for row in frame.iloc[:, 2:].astype(object).itertuples(index=False, name=None):
        if isinstance(row[-1], str):
            assert all(value is pd.NA or math.isnan(value) for value in row[:-1])
            rows.append([None, row[-1]])
        else:
            rows.append([plain(value) for value in row])
    return rows


def plain(value: Any) -> Any:
    if value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    infinite = isinstance(value, float) and math.isinf(value)
    return ("Infinity" if value > 0 else "-Infinity") if infinite else value


@pytest.mark.parametrize(
    ("build", "runtime"),
    [*((build, "native") for build in ROWS), (tree_with_names, "onnx"), (table_without_dates, "onnx")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_file_is_answered_as_requests(build: Any, runtime: Any, scripts: Scripts, tmp_path: Path) -> None:
    with scripts(build, runtime=runtime) as online, scripts(build, "batch_score.py", runtime) as batch:

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(ROWS[build])
        def holds(rows: list[Any]) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of very large numbers
                for path, given in files(rows, tmp_path):
                    frame = batch.run([str(path)])
                    assert frame["file"].tolist() == [path.name] * len(rows)
                    assert frame["row"].tolist() == list(range(len(rows)))
                    assert found(frame) == [expected(online, row) for row in given], path

        holds()
