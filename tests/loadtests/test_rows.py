from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scorewright.bundle import Bundle
from scorewright.loadtests.bulk_input import written
from scorewright.loadtests.rows import Rows
from tests.service.servers import write_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples_run import Example


@pytest.mark.parametrize(
    ("request_given", "rows", "two"),
    [
        ({"data": [[1, 2], [3, 4]]}, 2, {"data": [[1, 2], [3, 4]]}),
        ({"data": [1.5, 2]}, 1, {"data": [[1.5, 2], [1.5, 2]]}),
        ({"data": ["a b", "c"], "method": "predict"}, 2, {"method": "predict", "data": ["a b", "c"]}),
        (
            {"input_data": {"columns": ["a"], "index": [0], "data": [[1]]}, "params": {}},
            1,
            {"input_data": {"columns": ["a"], "data": [[1], [1]]}, "params": {}},
        ),
    ],
)
def test_a_request_is_taken_apart_and_put_together(request_given: Any, rows: int, two: Any) -> None:
    taken = Rows.of_request(request_given)
    assert taken is not None
    assert len(taken.rows) == rows
    assert json.loads(taken.request(list((taken.rows * 2)[:2]))) == two


@pytest.mark.parametrize("request_given", [{"data": {}}, {"data": []}, {"inputs": [1]}, [1], "x", None])
def test_other_forms_are_left_as_they_are(request_given: Any) -> None:
    assert Rows.of_request(request_given) is None


def test_rows_are_varied_within_what_the_sample_has() -> None:
    sample = ({"age": 37.5, "city": "Bern", "code": 3}, {"age": 20.0, "city": "Basel", "code": 4})
    rows = Rows({}, ("data",), sample).varied(32)
    assert rows[:2] == list(sample)
    assert len({json.dumps(row) for row in rows}) == 32
    assert rows == Rows({}, ("data",), sample).varied(32)
    for row in rows:
        assert 16 <= row["age"] <= 46.875
        assert row["city"] in ("Bern", "Basel")
        assert row["code"] in (3, 4)


def test_rows_of_whole_numbers_are_put_together_anew_but_not_changed() -> None:
    rows = Rows({}, ("data",), ([1, 10], [2, 20])).varied(32)
    assert sorted(rows) == [[1, 10], [1, 20], [2, 10], [2, 20]]


def test_texts_are_made_of_the_samples_words() -> None:
    rows = Rows({}, ("data",), ("red green", "blue"), texts=True).varied(10)
    assert len(rows) == 10
    assert {word for row in rows for word in row.split()} <= {"red", "green", "blue"}


def test_pictures_keep_their_shape(tmp_path: Path) -> None:
    (row,) = Rows({}, ("data",), ([[[0.5, 1.0]], [[0.0, 2.0]]],)).varied(1)
    assert row == [[[0.5, 1.0]], [[0.0, 2.0]]]
    other = Rows({}, ("data",), ([[[0.5, 1.0]], [[0.0, 2.0]]],)).varied(2)[1]
    assert [len(line) for line in other] == [1, 1]
    assert other[1][0][0] == 0.0


def test_bulk_input_has_a_named_column_for_each_feature(breast_cancer: Example, tmp_path: Path) -> None:
    bundle = Bundle.load(breast_cancer.bundle)
    with written(tmp_path, bundle.manifest.signature, Rows.of_bundle(bundle).varied(3), 7) as given:
        lines = (tmp_path / given.input / "rows.csv").read_text().splitlines()
        assert given.rows == 7
        assert not (tmp_path / given.output).exists()
    assert lines[0].split(",") == list(bundle.manifest.signature.features or ())
    assert len(lines) == 8
    assert lines[1] == lines[4] != lines[2]
    assert list(tmp_path.iterdir()) == []


def test_bulk_input_without_names_is_an_array(tmp_path: Path) -> None:
    import numpy as np

    (tmp_path / "data").mkdir()
    bundle = Bundle.load(write_bundle(tmp_path / "bundle", "", sample_request__json='{"data": [[1.5], [2]]}'))
    with written(tmp_path / "data", bundle.manifest.signature, [[1.5], [2]], 3) as given:
        array = np.load(tmp_path / "data" / given.input / "rows.npy")
    assert array.tolist() == [[1.5], [2.0], [1.5]]
