"""What batch_score.py makes of files: in which order, which it refuses, and where it writes what."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.score.scripts import Scripts
from tests.score.small_models import (
    line_without_names,
    positive_only,
    table_of_everything,
    tree_with_names,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scorewright.contract.script import EntryScript


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    return Scripts(tmp_path_factory.mktemp("scripts"))


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
    assert frame.iloc[:, 2:4].to_numpy().tolist() == [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    assert frame["error"].isna().all()


def test_a_bad_row_does_not_spoil_the_others(tree: EntryScript, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("a,b,ü\n1,10,0\nx,10,0\n\n4,40\n4,40,1\n4,40,".encode() + b"\xff\n1,1e39,0\n")
    frame = run(tree, tmp_path / "rows.csv")
    assert frame["row"].tolist() == [0, 1, 2, 3, 4, 5]
    assert frame["predict_proba_0"].astype(object).where(frame["error"].isna(), None).tolist() == [
        1.0, None, None, 0.0, None, None
    ]  # fmt: skip
    assert frame["error"].dropna().tolist() == [
        "row[0] (a) is 'x', it must be a number",
        "row has 2 values, the file has 3 columns",
        "row is not UTF-8",
        "row[1] (b) is 1e+39, the model takes numbers up to 3.4028234e+38",
    ]


def test_what_the_model_itself_refuses_is_one_rows_error(scripts: Scripts, tmp_path: Path) -> None:
    rows = np.ones((40, 2))
    rows[[7, 23, 24]] = -1
    np.save(tmp_path / "rows.npy", rows)
    with scripts(positive_only, "batch_score.py") as script:
        frame = run(script, tmp_path / "rows.npy")
    assert np.flatnonzero(frame["error"].notna()).tolist() == [7, 23, 24]
    assert set(frame["error"].dropna().str.startswith("the model refuses the data: ")) == {True}
    assert frame["transform_0"].isna().tolist() == frame["error"].notna().tolist()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.csv", b"a,b\n1,2\n", "it has no column ü; it has a, b"),
        ("rows.csv", "a,b,ü,a\n1,2,3,4\n".encode(), "it has more than one column a"),
        ("rows.csv", b"", "it is empty, it must begin with a line of names"),
        ("rows.npy", b"no array", "the magic string is not correct"),
        ("rows.parquet", b"no parquet file", "Parquet"),
        ("rows.xlsx", b"", ".xlsx is not read; the files may be .csv, .parquet, .jsonl, .ndjson, .json, .npy"),
        ("rows", b"", "a file without a suffix is not read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    name: str, content: bytes, expected: str, tree: EntryScript, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=expected.split(";", maxsplit=1)[0]) as refused:
        run(tree, tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: ")
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        run(tree, tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones((2, 4)), r"it has the shape \(2, 4\), the model takes rows of 3 \(a, b, ü\)"),
        (np.ones((2, 3, 1)), r"it has the shape \(2, 3, 1\)"),
        (np.ones(()), "it holds a single value, it must hold rows of numbers or texts"),
        (np.ones((2, 3), dtype=complex), "it holds complex128, it must hold rows of numbers or texts"),
    ],
)
def test_an_array_of_another_form_is_refused(array: Any, expected: str, tree: EntryScript, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", array)
    with pytest.raises(ValueError, match=expected):
        run(tree, tmp_path / "rows.npy")


def test_an_array_cut_short_is_refused(tree: EntryScript, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.ones((10, 3)))
    (tmp_path / "short.npy").write_bytes((tmp_path / "rows.npy").read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"short\.npy: it ends in row 7 of 10"):
        run(tree, tmp_path / "short.npy")


@pytest.mark.parametrize(
    "form", [np.asfortranarray, lambda array: array.astype(">f4"), lambda array: array.astype(int)]
)
def test_however_an_array_lies_in_its_file(form: Callable[[Any], Any], tree: EntryScript, tmp_path: Path) -> None:
    rows = np.array([[1, 10, 0], [4, 40, 1], [3, 30, 1]], dtype="float64")
    np.save(tmp_path / "rows.npy", form(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tree.run.__globals__, "READ", 2)
        assert run(tree, tmp_path / "rows.npy")["predict_proba_1"].tolist() == [0.0, 1.0, 1.0]


def test_the_first_line_of_numbers_is_no_header_unless_it_holds_others(scripts: Scripts, tmp_path: Path) -> None:
    with scripts(line_without_names, "batch_score.py") as script:
        (tmp_path / "rows.csv").write_text("1,2\n3,4\n")
        assert len(run(script, tmp_path / "rows.csv")) == 2
        (tmp_path / "rows.csv").write_text("1,second\n3,4\n")
        assert len(run(script, tmp_path / "rows.csv")) == 1
        (tmp_path / "rows.csv").write_text("1,2,3\n3,4\n")
        assert run(script, tmp_path / "rows.csv")["error"].notna().tolist() == [True, False]
        (tmp_path / "rows.csv").write_text("first,second,third\n1,2,3\n")
        with pytest.raises(ValueError, match="it has 3 columns, the model takes 2"):
            run(script, tmp_path / "rows.csv")


def test_parquet_has_dates_decimals_categories_and_gaps_of_its_own(scripts: Scripts, tmp_path: Path) -> None:
    table = pa.table(
        {
            "age": pa.array(["31", "45.5", None]).cast(pa.decimal128(5, 1)),
            "city": pa.array(["Bonn", "Köln", "Köln"]).dictionary_encode(),
            "street": pa.array(["a", None, "b"], pa.large_string()),
            "since": pa.array([18262, 18808, None], pa.date32()),
            "member": [True, False, True],
            "size": ["S", "M", "L"],
            "rooms": pa.array([1, 2, 3], pa.int8()),
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    lines = [{**row, "age": row["age"] and float(row["age"]), "since": row["since"] and str(row["since"])}
             for row in table.to_pylist()]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with scripts(table_of_everything, "batch_score.py") as script:
        frame = run(script, tmp_path / "rows.parquet")
        assert frame["error"].isna().all()
        pd.testing.assert_frame_equal(frame.iloc[:, 1:], run(script, tmp_path / "rows.jsonl").iloc[:, 1:])


@pytest.mark.parametrize("build", [tree_with_names, table_of_everything, words], ids=lambda build: build.__name__)
def test_the_columns_have_one_type_whatever_the_rows_are(build: Any, scripts: Scripts, tmp_path: Path) -> None:
    good = {tree_with_names: {"a": 4, "b": 40, "ü": 1}, words: "good"}.get(build) or {
        "age": 1, "city": "Bonn", "street": "a", "since": None, "member": True, "size": "S", "rooms": 1
    }  # fmt: skip
    with scripts(build, "batch_score.py") as script, pytest.MonkeyPatch.context() as patch:
        patch.setitem(script.run.__globals__, "method", "predict")
        schemas = []
        for content in ([good], [good, 5], [5], []):
            (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
            schemas.append(pa.Schema.from_pandas(run(script, tmp_path / "rows.jsonl"), preserve_index=False))
        assert all(schema.equals(schemas[0]) for schema in schemas)
        labels = pa.large_string() if build is table_of_everything else pa.int64()
        assert schemas[0].field("predict").type == labels
        assert schemas[0].names == ["file", "row", "predict", "error"]


def test_a_mini_batch_may_be_a_table(tree: EntryScript) -> None:
    frame = tree.run(pd.DataFrame({"id": [7, 8], "ü": [1, None], "b": [40, 10.0], "a": [4, 1]}, index=[5, 6]))
    assert frame[["file", "row"]].to_numpy().tolist() == [["", 0], ["", 1]]
    assert frame["predict_proba_1"].tolist()[0] == 1.0
    mixed = tree.run(pd.DataFrame({"ü": [1, "x"], "b": [40, 10.0], "a": [4, 1]}, dtype=object))
    assert mixed["error"].astype(object).where(mixed["error"].notna(), None).tolist() == [
        None, "row[2] (ü) is 'x', it must be a number"
    ]  # fmt: skip
    with pytest.raises(ValueError, match="it has no column ü; it has a, b"):
        tree.run(pd.DataFrame({"a": [1], "b": [2]}))


def test_the_method_is_an_argument_of_the_script(scripts: Scripts, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", [[4, 40, 1]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["batch_driver.py", "--of_the_runner", "1", "--method", "predict"])
        with scripts(tree_with_names, "batch_score.py") as script:
            assert run(script, tmp_path / "rows.npy")["predict"].tolist() == [1]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_results_are_written_a_file_each(
    form: str, tree: EntryScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("SCOREWRIGHT_BATCH_OUTPUT", form)
    monkeypatch.setenv("AZUREML_BI_OUTPUT_PATH", str(tmp_path / "out"))
    monkeypatch.setitem(tree.run.__globals__, "READ", 1)
    inputs = []
    for place, rows in enumerate(["1,10,0\nx,1,1\n4,40,1\n", "4,40,1\n", ""]):
        path = tmp_path / str(place) / "rows.csv"
        path.parent.mkdir()
        path.write_text(f"a,b,ü\n{rows}", "utf-8")
        inputs.append(path)
    for _ in range(2):  # a mini-batch may be scored again
        lines = run(tree, *inputs)
    assert [line.partition(", in ")[0] for line in lines] == [
        "rows.csv: 3 rows, 1 of them with an error",
        "rows.csv: 1 rows, 0 of them with an error",
        "rows.csv: 0 rows, 0 of them with an error",
    ]
    names = [line.rpartition(" ")[2] for line in lines]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    monkeypatch.delenv("SCOREWRIGHT_BATCH_OUTPUT")
    for path, name in zip(inputs, names, strict=True):
        expected = run(tree, path)
        if form == "parquet":
            schema = pa.Schema.from_pandas(expected, preserve_index=False)
            assert pq.read_table(tmp_path / "out" / name).equals(pa.Table.from_pandas(expected, schema=schema))
        else:
            assert (tmp_path / "out" / name).read_text("utf-8") == expected.to_csv(index=False)


def test_a_file_that_fails_leaves_nothing_behind(
    tree: EntryScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("SCOREWRIGHT_BATCH_OUTPUT", "parquet")
    monkeypatch.setenv("AZUREML_BI_OUTPUT_PATH", str(tmp_path / "out"))
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="it has no column ü"):
        run(tree, tmp_path / "rows.csv")
    assert not list((tmp_path / "out").iterdir())
    monkeypatch.delenv("AZUREML_BI_OUTPUT_PATH")
    with pytest.raises(ValueError, match="AZUREML_BI_OUTPUT_PATH is not set"):
        run(tree, tmp_path / "rows.csv")
    monkeypatch.setenv("SCOREWRIGHT_BATCH_OUTPUT", "excel")
    with pytest.raises(ValueError, match="SCOREWRIGHT_BATCH_OUTPUT is excel, it must be parquet or csv"):
        run(tree, tmp_path / "rows.csv")


def test_refused_rows_do_not_fill_the_log(scripts: Scripts, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(tmp_path / "rows.npy", -np.ones((9, 2)))
    with scripts(positive_only, "batch_score.py") as script, caplog.at_level(logging.WARNING):
        assert run(script, tmp_path / "rows.npy")["error"].notna().all()
    assert not caplog.records


def test_a_field_may_be_longer_than_a_block(scripts: Scripts) -> None:
    with scripts(words, "batch_score.py") as script:
        run_part = script.run.__globals__["run_part"]
        content = b'text,other\n"good ' + b"x\n" * 9_000_000 + b'",1\nbad,2,3\n'
        frame = run_part(io.BytesIO(content), ".csv", "rows.csv", 0)
    assert frame["error"].notna().tolist() == [False, True]
