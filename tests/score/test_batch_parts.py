"""run_part(): rows cut from a file are answered as in the whole file, wherever it is cut, and however it is read."""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.score.scripts import Scripts
from tests.score.small_models import line_without_names, table_of_everything, tree_with_names, words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIELDS = st.sampled_from(
    ["1", "2.5", "", "NA", "x", '5"', "two\nlines", "a,b", "1e400", " 3", "ü", "Bonn", "true", "-0"]
)
LINES = st.sampled_from(
    ["[1, 2, 3]", '{"a": 1, "b": 2, "ü": 3}', '{"a": 1}', "no JSON", "null", '"good"', "[1,", "[[1, 2]]", "NaN", "7"]
).map(str.encode) | st.sampled_from([b"\xff", b'"\xe4"'])  # fmt: skip


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    return Scripts(tmp_path_factory.mktemp("scripts"))


def table(names: list[str]) -> Any:
    """Rows of fields, now and then one too few or too many."""
    width = len(names)
    right = st.lists(FIELDS, min_size=width, max_size=width)
    return st.lists(st.one_of(right, right, right, st.lists(FIELDS, min_size=2, max_size=width + 2)), max_size=8)


def as_csv(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def parts_of(rows: list[Any], cuts: list[int]) -> list[tuple[int, list[Any]]]:
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    return [(start, rows[start:stop]) for start, stop in itertools.pairwise(edges)] or [(0, [])]


def require_equal_parts(
    script: Any, suffix: str, rows: list[Any], cuts: list[int], written: Callable[[list[Any]], bytes], path: Path,
    header: bool | None = None,
) -> None:  # fmt: skip
    """The whole read at once, and parts read by few bytes and rows, or parsed by few."""
    functions = script.run.__globals__
    path.with_suffix(suffix).write_bytes(written(rows))
    whole = script.run([str(path.with_suffix(suffix))])
    for read, parsed in (16, 2**20), (2**24, 24):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(functions, "READ", 2)
            patch.setitem(functions, "BYTES", read)
            patch.setitem(functions, "PARSED", parsed)
            found = [
                functions["run_part"](io.BytesIO(written(part)), suffix, f"rows{suffix}", start, header)
                for start, part in parts_of(rows, cuts)
            ]
        pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), whole)


COLUMNS = {
    tree_with_names: ["a", "other", "ü", "b"],
    table_of_everything: ["rooms", "age", "city", "street", "since", "member", "size"],
    words: ["text", "other"],
}


@pytest.mark.parametrize("build", COLUMNS, ids=lambda build: build.__name__)
def test_a_csv_file_may_be_cut_between_any_rows(build: Any, scripts: Scripts, tmp_path: Path) -> None:
    names = COLUMNS[build]
    with scripts(build, "batch_score.py") as script:

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(table(names), st.lists(st.integers(1, 8)))
        def holds(rows: list[list[str]], cuts: list[int]) -> None:
            require_equal_parts(script, ".csv", rows, cuts, lambda part: as_csv([names, *part]), tmp_path / "rows")

        holds()


@pytest.mark.parametrize("header", [True, False])
def test_a_csv_file_without_names_may_be_cut(header: bool, scripts: Scripts, tmp_path: Path) -> None:
    with scripts(line_without_names, "batch_score.py") as script:

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(table(["first", "second"]), st.lists(st.integers(1, 8)))
        def holds(rows: list[list[str]], cuts: list[int]) -> None:
            above = [["first", "second"]] if header else [["1", "2"]]
            if header:
                written: Callable[[list[Any]], bytes] = lambda part: as_csv([*above, *part])  # noqa: E731
            else:
                rows, written = [*above, *rows], as_csv
            require_equal_parts(script, ".csv", rows, cuts, written, tmp_path / "rows", header)

        holds()


@pytest.mark.parametrize("build", [tree_with_names, line_without_names, words], ids=lambda build: build.__name__)
@pytest.mark.parametrize("suffix", [".jsonl", ".txt"])
def test_a_file_of_lines_may_be_cut(build: Any, suffix: str, scripts: Scripts, tmp_path: Path) -> None:
    with scripts(build, "batch_score.py") as script:
        if suffix not in script.run.__globals__["PARTS"]:
            assert build is not words
            return

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(LINES, max_size=8), st.lists(st.integers(1, 8)))
        def holds(rows: list[bytes], cuts: list[int]) -> None:
            require_equal_parts(script, suffix, rows, cuts, lambda part: b"\n".join([*part, b""]), tmp_path / "rows")

        holds()


VALUES = st.floats(width=32) | st.sampled_from([1e300, 0.1])


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_an_array_may_be_cut(suffix: str, scripts: Scripts, tmp_path: Path) -> None:
    def written(part: list[Any]) -> bytes:
        array, out = np.array(part, dtype="float64").reshape(-1, 3), io.BytesIO()
        if suffix == ".npy":
            np.save(out, array)
        else:
            pd.DataFrame(array, columns=["a", "b", "ü"]).to_parquet(out)
        return out.getvalue()

    with scripts(tree_with_names, "batch_score.py") as script:

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=8), st.lists(st.integers(1, 8)))
        def holds(rows: list[list[float]], cuts: list[int]) -> None:
            require_equal_parts(script, suffix, rows, cuts, written, tmp_path / "rows")

        holds()


def test_what_a_runner_is_told(scripts: Scripts) -> None:
    with scripts(tree_with_names, "batch_score.py") as script:
        functions = script.run.__globals__
        assert functions["PARTS"] == (".csv", ".parquet", ".jsonl", ".ndjson", ".json", ".npy")
        assert functions["ERROR"] == "error"
        frame = functions["run_part"](io.BytesIO(b"a,b,\xc3\xbc\n4,40,1\n"), ".CSV", "folder/rows.csv", 1_000_000)
        assert json.loads(frame.iloc[0].to_json())["file"] == "folder/rows.csv"
        assert frame["row"].tolist() == [1_000_000]
