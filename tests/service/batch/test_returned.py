"""What run() returned, as Azure counts it and as the result holds it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scorewright.service.batch.location import InputFile
from scorewright.service.batch.mini_batch import MiniBatch
from scorewright.service.batch.returned import ReturnError, count, piece

FILES = MiniBatch(0, 2, files=(InputFile("/in/a.csv", "a.csv", 1, "1"), InputFile("/in/b.csv", "b.csv", 1, "1")))


@pytest.mark.parametrize(
    "result",
    [
        ["x", "y"],
        ("x", "y"),
        np.array([1, 2]),
        pd.Series([1, 2]),
        pd.DataFrame({"a": [1, 2, 3]}),
        [("a", np.int64(3)), 2],
    ],
    ids=repr,
)
def test_an_item_returned_is_an_item_scored(result: object) -> None:
    counted = count(result, FILES, None)
    assert (counted.failed, counted.errors) == (0, ())


@pytest.mark.parametrize(("result", "failed"), [([], 2), (["x"], 1), (pd.DataFrame({"a": []}), 2)])
def test_what_is_missing_has_failed(result: object, failed: int) -> None:
    counted = count(result, FILES, None)
    assert counted.failed == failed
    assert counted.errors[0].message == f"run() returned {2 - failed} items for 2 files: {failed} of them have failed."


@pytest.mark.parametrize(("result", "name"), [(None, "None"), ("text", "str"), ({"a": 1}, "dict"), (3, "int")])
def test_what_is_no_list_is_said(result: object, name: str) -> None:
    with pytest.raises(
        ReturnError, match=rf"^run\(\) returned {name} for 2 files; it must return a list or a DataFrame"
    ):
        count(result, FILES, None)


def test_a_generated_script_tells_its_bad_rows() -> None:
    frame = pd.DataFrame({"file": "a.csv", "row": [0, 1, 2], "predict": [1.0, None, 2.0], "error": [None, "no", None]})
    counted = count(frame, MiniBatch(0, 3), "error")
    assert counted.failed == 1
    assert [(error.file, error.row, error.message) for error in counted.errors] == [("a.csv", 1, "no")]
    assert count(frame, FILES, "error").failed == 1  # one of the two files


def test_the_forms_of_a_result() -> None:
    frame = pd.DataFrame({"name": ["a b", 'q"'], "value": [1.5, None], "row": [0, 1]})
    azure = piece(frame, "azure")
    assert (azure.content.decode(), azure.columns) == ('"a b" 1.5 0\n"q"""  1\n', None)
    csv = piece(frame, "csv")
    assert (csv.content.decode(), csv.columns) == ('a b,1.5,0\n"q""",,1\n', ("name", "value", "row"))
    with pa.ipc.open_stream(piece(frame, "parquet").content) as stream:
        assert stream.read_pandas().equals(frame)
    assert piece(["x", ("a", np.int64(3)), 2.5], "azure").content.decode() == f"x\n{('a', np.int64(3))}\n2.5\n"
    assert piece(["x", 3], "csv").content.decode() == "x\n3\n"
