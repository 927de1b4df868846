"""batch_score.py answers a file of rows as score.py answers a request with them."""

from __future__ import annotations

import json
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scorewright.contract.script import EntryScript

NUMBERS = st.floats(-1e30, 1e30) | st.integers(-1000, 1000)
DATES = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat())
WORDS = st.sampled_from(["NA", "None", "null", "nan", "1", "1.0", "01", "a", "x,y", 'q"', "ü", "true", "2020-01-01"])


def rows_of(**columns: Any) -> Any:
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=12)


ROWS = {
    tree_with_names: rows_of(a=NUMBERS, b=NUMBERS | st.none(), ü=NUMBERS),
    line_without_names: st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1, max_size=12),
    table_of_everything: rows_of(
        age=NUMBERS | st.none(),
        city=st.sampled_from(["Bonn", "Köln"]),
        street=WORDS | st.none(),
        since=DATES | st.none(),
        member=st.booleans(),
        size=st.sampled_from(["S", "M", "L"]) | WORDS | st.none(),
        rooms=st.sampled_from([1, 2, 3]),
    ),
    boosted_categories: rows_of(size=st.sampled_from(["S", "M"]) | WORDS, zone=st.integers(1, 9) | st.none()),
    words: st.lists(WORDS | st.sampled_from(["good", "very bad", "", "two\nlines"]), min_size=1, max_size=12),
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    return Scripts(tmp_path_factory.mktemp("scripts"))


def write(rows: list[Any], folder: Path) -> Iterator[Path]:
    """The rows as each kind of file that can hold them."""
    if isinstance(rows[0], list):
        np.save(folder / "rows.npy", np.array(rows, dtype="float64"))
        yield folder / "rows.npy"
    frame = pd.DataFrame({"text": rows}) if isinstance(rows[0], str) else pd.DataFrame(rows)
    if not isinstance(rows[0], list):
        frame["passed over"] = 1
    frame.rename(columns=str).to_parquet(folder / "rows.parquet")
    yield folder / "rows.parquet"
    frame.to_csv(folder / "rows.csv", index=False, header=not isinstance(rows[0], list))
    yield folder / "rows.csv"


@pytest.mark.parametrize("build", ROWS, ids=lambda build: build.__name__)
def test_a_file_is_answered_as_a_request(build: Any, scripts: Scripts, tmp_path: Path) -> None:
    with scripts(build) as online, scripts(build, "batch_score.py") as batch:

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(ROWS[build])
        def holds(rows: list[Any]) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of very large numbers
                status, body = ask(online, {"data": rows})
                assert status == 200, body
                for path in write(rows, tmp_path):
                    frame = batch.run([str(path)])
                    assert frame["file"].tolist() == [path.name] * len(rows)
                    assert frame["row"].tolist() == list(range(len(rows)))
                    found = json.loads(frame.iloc[:, 2:].to_json(orient="values", double_precision=15))
                    assert found == [pytest.approx(row, rel=1e-12, abs=1e-14) for row in batch_rows(body)], path

        holds()


@pytest.fixture
def tree(scripts: Scripts) -> Iterator[EntryScript]:
    with scripts(tree_with_names, "batch_score.py") as script:
        yield script


def run(script: EntryScript, *files: Path) -> Any:
    return script.run([str(path) for path in files])


def test_several_files_are_answered_in_order(tree: EntryScript, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("ü,b,a\n1,40,4\n0,10,1\n", "utf-8")
    (tmp_path / "none.csv").write_text("a,b,ü\n", "utf-8")
    np.save(tmp_path / "two.npy", [[4, 40, 1]])
    frame = run(tree, tmp_path / "one.csv", tmp_path / "none.csv", tmp_path / "two.npy")
    assert frame["file"].tolist() == ["one.csv", "one.csv", "two.npy"]
    assert frame["row"].tolist() == [0, 1, 0]
    assert frame.iloc[:, 2:].to_numpy().tolist() == [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    assert len(run(tree, tmp_path / "none.csv")) == 0


@pytest.mark.parametrize(
    ("name", "write", "expected"),
    [
        ("rows.csv", lambda path: path.write_text("a,b\n1,2\n"), "it has no column ü; it has a, b"),
        ("rows.csv", lambda path: path.write_text("a,b,ü\n1,2,3\n1,x,3\n", "utf-8"),
         "data[1][1] (b) is 'x', it must be a number"),
        ("rows.npy", lambda path: np.save(path, np.ones((2, 4))), "data[0] has 4 values, the model takes 3 (a, b, ü)"),
        ("rows.npy", lambda path: path.write_bytes(b"no array"), ""),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_scored_is_named(
    name: str, write: Callable[[Path], object], expected: str, tree: EntryScript, tmp_path: Path
) -> None:
    write(tmp_path / name)
    with pytest.raises(ValueError, match=name) as refused:
        run(tree, tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: {expected}")


def test_the_first_line_of_numbers_is_no_header_unless_it_holds_others(scripts: Scripts, tmp_path: Path) -> None:
    with scripts(line_without_names, "batch_score.py") as script:
        (tmp_path / "rows.csv").write_text("1,2\n3,4\n")
        assert len(run(script, tmp_path / "rows.csv")) == 2
        (tmp_path / "rows.csv").write_text("1,second\n3,4\n")
        assert len(run(script, tmp_path / "rows.csv")) == 1


def test_the_method_is_an_argument_of_the_script(scripts: Scripts, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", [[4, 40, 1]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["batch_driver.py", "--of_the_runner", "1", "--method", "predict"])
        with scripts(tree_with_names, "batch_score.py") as script:
            assert run(script, tmp_path / "rows.npy")["predict"].tolist() == [1]
