"""Mini-batches by columns: whatever the values are, each row is in one, with those that share its values."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorewright.errors import BatchError, LocationError
from scorewright.service.batch import frames
from scorewright.service.batch.location import Location
from scorewright.service.batch.plan import Reading, plan
from scorewright.service.batch.settings import BatchSettings

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.service.batch.mini_batch import MiniBatch


def planned(folder: Path, *keys: str, first: int | None = None) -> list[MiniBatch]:
    settings = BatchSettings.of(input_kind="tabular", partition_keys=keys)
    files = Location.of(str(folder / "in")).files()
    work = Location.of(str(folder / "work"))
    return list(itertools.islice(plan(settings, files, "tabular", Reading(parts=False), work), first))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["a/b", "", None, "x" * 300, "%20 ü", ""], ["", "%20 ü", "a/b", "x" * 300, None]),
        ([1.5, None, -2.0, 1.5, 0.0, -0.0], [-2.0, 0.0, 1.5, None]),
        ([True, False, True, None, False, True], [False, True, None]),
        (
            [pd.Timestamp(2026, 1, 2), pd.Timestamp(2026, 1, 1), None, pd.Timestamp(2026, 1, 2, 10), None, None],
            ["2026-01-01 00:00:00", "2026-01-02 00:00:00", "2026-01-02 10:00:00", None],
        ),
    ],
    ids=["texts", "numbers", "booleans", "dates"],
)
def test_values_of_all_kinds_make_mini_batches(tmp_path: Path, values: list[object], told: list[object]) -> None:
    (tmp_path / "in").mkdir()
    pd.DataFrame({"key": values, "x": range(6)}).to_parquet(tmp_path / "in" / "some.parquet")
    batches = planned(tmp_path, "key")
    assert [batch.key for batch in batches] == [{"key": value} for value in told]
    parts = [frames.partition(Location.of(str(batch.partition)))[0] for batch in batches]
    assert [part["key"].nunique(dropna=False) for part in parts] == [1] * len(told)
    assert sorted(x for part in parts for x in part["x"]) == list(range(6))


def test_two_keys_make_a_mini_batch_of_each_pair_that_there_is(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pd.DataFrame({"a": [1, 2, 1, 1], "b": ["x", "x", "y", "x"]}).to_csv(tmp_path / "in" / "1.csv", index=False)
    pd.DataFrame({"a": [2, 2], "b": ["y", "x"]}).to_csv(tmp_path / "in" / "2.csv", index=False)
    batches = planned(tmp_path, "b", "a")
    assert [(batch.key, batch.items) for batch in batches] == [
        ({"b": "x", "a": 1}, 2),
        ({"b": "x", "a": 2}, 2),
        ({"b": "y", "a": 1}, 1),
        ({"b": "y", "a": 2}, 1),
    ]
    places = frames.partition(Location.of(str(batches[1].partition)))[1]
    assert places.to_numpy().tolist() == [["1.csv", 1], ["2.csv", 1]]


def test_more_values_than_arrow_makes_folders_of_unless_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pd.DataFrame({"key": [row % 1025 for row in range(2050)]}).to_csv(tmp_path / "in" / "many.csv", index=False)
    assert [(batch.key, batch.items) for batch in planned(tmp_path, "key", first=2)] == [
        ({"key": 0}, 2),
        ({"key": 1}, 2),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bad.parquet", "nothing", "is no parquet file"),
        ("bad.csv", "key,x\n1,2\n1,2,3\n", "rows 0 and following cannot be read: .*Expected 2 fields in line 3, saw 3"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text(content)
    with pytest.raises(LocationError, match=f"{name} {words}"):
        planned(tmp_path, "key")


def test_lists_make_no_mini_batches(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"key": [[1], [2]]}), tmp_path / "in" / "lists.parquet")
    with pytest.raises(BatchError, match=r"by the column key: its values are list<.*int64>"):
        planned(tmp_path, "key")
