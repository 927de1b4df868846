"""Slices of files hold every row once, in order, and read as files of their own."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scorewright.errors import LocationError
from scorewright.service.batch import line_slices
from scorewright.service.batch.cut import Slice, can_cut, cut, read
from scorewright.service.batch.location import InputFile, Location

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.service.batch.cut import Header

anytime = settings(deadline=None)  # every example writes files

limits = st.one_of(
    st.builds(lambda rows: {"rows": rows}, st.integers(1, 7)),
    st.builds(lambda size: {"size": size}, st.integers(1, 60)),
)
blocks = st.sampled_from([1 << 22, 1, 2, 7])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cut")


def pieces(path: Path, limit: dict[str, int], *, header: Header = "always", block: int = 1 << 22) -> list[Slice]:
    """A file's slices, which must follow each other."""
    (file,) = Location.of(str(path)).files()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_slices, "_BLOCK", block)
        found = list(cut(file, **limit, header=header))
    row = 0
    for piece in found:
        assert piece.first_row == row
        assert piece.rows > 0
        row += piece.rows
    if "rows" in limit:
        assert [piece.rows for piece in found[:-1]] == [limit["rows"]] * (len(found) - 1)
        assert all(piece.rows <= limit["rows"] for piece in found)
    return found


def content_of(piece: Slice) -> bytes:
    with read(piece) as file:
        return file.read()


bare = st.text(st.sampled_from('ab1. \t"ä'), max_size=5).filter(lambda text: not text.startswith('"'))
quoted = st.builds(
    lambda text, rest: '"' + text.replace('"', '""') + '"' + rest,
    st.text(st.sampled_from('ab",\n\r \t1'), max_size=6),
    st.one_of(st.just(""), st.text(st.sampled_from('x "'), max_size=3).filter(lambda rest: not rest.startswith('"'))),
)
tables = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.one_of(
            st.lists(st.one_of(bare, quoted), min_size=width, max_size=width).map(",".join),
            st.sampled_from(["", " ", " \t "]),
        ),
        max_size=12,
    ).map(lambda lines: ("a,b,c"[: 2 * width - 1], lines))
)


@anytime
@given(
    tables,
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff", "\n \n"]),
    limits,
    blocks,
)
@example(("a,b", ['5" wide,"x"', '"a\n""b""",1']), "\n", True, "", {"rows": 1}, 1)
def test_csv_slices_hold_the_rows_that_pandas_reads(
    folder: Path,
    table: tuple[str, list[str]],
    ending: str,
    ended: bool,
    before: str,
    limit: dict[str, int],
    block: int,
) -> None:
    header, lines = table
    # pandas goes astray where a line that \r alone ends is followed by one that begins with a space.
    assume(ending != "\r" or not any(line.startswith((" ", "\t")) for line in lines))
    path = folder / "table.csv"
    path.write_bytes((before + ending.join([header, *lines]) + (ending if ended else "")).encode())

    whole = rows_of(path.read_bytes())

    found = pieces(path, limit, block=block)
    assert sum(piece.rows for piece in found) == len(whole)
    assert [row for piece in found for row in rows_of(content_of(piece))] == whole
    assert [len(rows_of(content_of(piece))) for piece in found] == [piece.rows for piece in found]


def rows_of(content: bytes) -> list[list[str]]:
    """What pandas reads; of too short rows, too."""
    frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, index_col=False)
    return [[str(value) for value in row] for row in frame.to_numpy().tolist()]


@anytime
@given(st.lists(st.lists(st.sampled_from(["1", "-2.5", "", "NA", "1e9"]), min_size=2, max_size=2), max_size=9), limits)
def test_a_csv_without_a_header_is_given_one_so_that_no_slice_loses_its_first_row(
    folder: Path, rows: list[list[str]], limit: dict[str, int]
) -> None:
    path = folder / "bare.csv"
    path.write_text("".join(f"{row[0]},{row[1]}\n" for row in [["3", "4"], *rows, ["word", "5"]]))

    found = pieces(path, limit, header="detect")

    back = [row for piece in found for row in rows_of(content_of(piece))]
    assert back == [["3", "4"], *rows, ["word", "5"]]
    assert all(content_of(piece).startswith(b"c0,c1\n") for piece in found)


@pytest.mark.parametrize("first", ["a,b", "1,b", "1,2021-01-01", "True,False"])
def test_a_first_line_with_more_than_numbers_is_a_header(tmp_path: Path, first: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{first}\n1,2\n3,4\n")

    found = pieces(path, {"rows": 1}, header="detect")

    assert [content_of(piece).decode() for piece in found] == [f"{first}\n1,2\n", f"{first}\n3,4\n"]


def test_a_byte_order_mark_is_no_part_of_the_first_number(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_bytes(b"\xef\xbb\xbf1,2\n3,4\n")

    assert [content_of(piece) for piece in pieces(path, {"rows": 1}, header="detect")] == [
        b"c0,c1\n1,2\n",
        b"c0,c1\n3,4\n",
    ]


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.txt"])
def test_an_empty_file_has_no_slices(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert pieces(tmp_path / name, {"rows": 5}) == []


@pytest.mark.parametrize("content", ["a,b\n", "a,b", "\n\na,b\n \n\n"])
def test_a_header_alone_has_no_slices(tmp_path: Path, content: str) -> None:
    (tmp_path / "header.csv").write_text(content)
    assert pieces(tmp_path / "header.csv", {"size": 5}) == []


def test_a_slice_by_size_is_no_larger_unless_a_row_is(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = ["12", "1234567890123456", "1", "2", "3", "12345678"]
    path.write_text("a\n" + "".join(f"{row}\n" for row in rows))

    found = pieces(path, {"size": 8})

    assert [content_of(piece).decode().split()[1:] for piece in found] == [
        ["12"],
        ["1234567890123456"],
        ["1", "2", "3"],
        ["12345678"],
    ]


def test_a_quote_that_is_never_closed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('a\n1\n"2\n3\n')
    with pytest.raises(ValueError, match=r"table\.csv: a quote is opened and never closed"):
        pieces(path, {"rows": 1})


values = st.recursive(
    st.one_of(st.integers(), st.text(max_size=4), st.none()), lambda inner: st.lists(inner, max_size=2), max_leaves=3
)


@anytime
@given(st.lists(st.one_of(st.builds(lambda value: {"x": value}, values), st.none()), max_size=9), limits, blocks)
@example([{"x": "\u2028"}, None], {"rows": 1}, 1)
def test_json_lines(folder: Path, rows: list[dict[str, Any] | None], limit: dict[str, int], block: int) -> None:
    path = folder / "rows.jsonl"
    path.write_text(
        "\r\n".join("  " if row is None else json.dumps(row, ensure_ascii=False) for row in rows), newline=""
    )

    found = pieces(path, limit, block=block)

    back = [[json.loads(line) for line in content_of(piece).split(b"\n") if line.strip()] for piece in found]
    assert [len(part) for part in back] == [piece.rows for piece in found]
    assert [row for part in back for row in part] == [row for row in rows if row is not None]


@anytime
@given(st.text(st.sampled_from("aä \n\r\v\x1c\x85\u2028\u2029€…"), max_size=30), limits, blocks)
def test_lines_of_text_are_those_of_splitlines(folder: Path, text: str, limit: dict[str, int], block: int) -> None:
    path = folder / "texts.txt"
    path.write_text(text, encoding="utf-8", newline="")

    found = pieces(path, limit, block=block)

    back = [content_of(piece).decode().splitlines() for piece in found]
    assert [len(lines) for lines in back] == [piece.rows for piece in found]
    assert [line for lines in back for line in lines] == text.splitlines()


frames = st.integers(0, 40).map(
    lambda rows: pd.DataFrame(
        {
            "number": np.arange(rows) * 0.5,
            "text": pd.Series([f"t{row % 3}" if row % 4 else None for row in range(rows)], dtype=object),
            "kind": pd.Categorical([f"k{row % 2}" for row in range(rows)], categories=["k0", "k1"]),
            "when": pd.date_range("2024-01-01", periods=rows, freq="s", tz="UTC"),
        }
    )
)


@anytime
@given(frames, st.integers(1, 15), limits)
def test_parquet(folder: Path, frame: pd.DataFrame, group: int, limit: dict[str, int]) -> None:
    path = folder / "table.parquet"
    frame.to_parquet(path, row_group_size=group)

    found = pieces(path, limit)

    assert sum(piece.rows for piece in found) == len(frame)
    tables = [pq.read_table(read(piece)) for piece in found]
    assert [table.num_rows for table in tables] == [piece.rows for piece in found]
    whole = pq.read_table(path)
    assert all(table.schema.equals(whole.schema, check_metadata=True) for table in tables)
    if tables:
        assert pa.concat_tables(tables).to_pylist() == whole.to_pylist()


def test_parquet_slices_are_read_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pd.DataFrame({"x": np.arange(100_000)}).to_parquet(path, row_group_size=40_000)
    found = pieces(path, {"rows": 9_000})

    for piece in [*found[::-1], *found[::2], *found]:
        assert pd.read_parquet(read(piece))["x"].tolist() == list(range(piece.first_row, piece.first_row + piece.rows))


def test_row_groups_are_put_together_or_split_by_their_size_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    with pq.ParquetWriter(path, schema := pa.schema([("x", pa.int64())]), use_dictionary=False) as writer:
        for rows in (100, 100, 10_000, 100):
            writer.write_table(pa.table({"x": pa.array(np.arange(rows))}, schema))

    found = pieces(path, {"size": 40_000})

    assert [piece.rows for piece in found] == [200, 3333, 3333, 3334, 100]


shapes = st.one_of(
    st.tuples(st.integers(0, 9)),
    st.tuples(st.integers(0, 9), st.integers(0, 4)),
    st.tuples(st.integers(0, 9), st.integers(1, 3), st.integers(1, 2)),
)


@anytime
@given(shapes, st.sampled_from(["<f4", ">i8", "<U3", "S2", "?", [("a", "<i2"), ("b", "<f8")]]), st.booleans(), limits)
def test_arrays(folder: Path, shape: tuple[int, ...], kind: Any, fortran: bool, limit: dict[str, int]) -> None:
    count = int(np.prod(shape))
    array = np.frombuffer(bytes(range(1, 128)) * 40, np.uint8)[: count * np.dtype(kind).itemsize]
    made = np.ones(shape, kind) if np.dtype(kind).char in "U?" else array.copy().view(kind).reshape(shape)
    path = folder / "rows.npy"
    np.save(path, np.asfortranarray(made) if fortran else made)

    found = pieces(path, limit if made[:1].size or "size" in limit else {"size": 1})

    back = [np.load(read(piece), allow_pickle=False) for piece in found]
    assert [len(part) for part in back] == [piece.rows for piece in found]
    assert all(part.dtype == made.dtype for part in back)
    assert b"".join(part.tobytes() for part in back) == made.tobytes()
    assert sum(map(len, back)) == len(made)


def test_an_array_of_many_columns_in_fortrans_order_is_one_slice(tmp_path: Path) -> None:
    made = np.asfortranarray(np.arange(6000.0).reshape(3, 2000))
    np.save(tmp_path / "rows.npy", made)

    (piece,) = pieces(tmp_path / "rows.npy", {"size": 8})

    assert (np.load(read(piece)) == made).all()


def save_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_files_that_are_not_what_they_are_called(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.float64(3))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    np.save(tmp_path / "short.npy", np.arange(100))
    short = (tmp_path / "short.npy").read_bytes()[:-1]
    for path, words in [
        (save_bytes(tmp_path / "a.parquet", b"PAR1 nonsense"), "is no parquet file"),
        (save_bytes(tmp_path / "empty.parquet", b""), "is no parquet file"),
        (save_bytes(tmp_path / "a.npy", b"nonsense"), "is no .npy file"),
        (save_bytes(tmp_path / "empty.npy", b""), "is no .npy file"),
        (save_bytes(tmp_path / "short.npy", short), "is cut short"),
        (tmp_path / "one.npy", "holds a single value"),
        (tmp_path / "objects.npy", "holds Python objects"),
        (save_bytes(tmp_path / "a.png", b""), "are not cut into rows"),
    ]:
        with pytest.raises(ValueError, match=words) as caught:
            pieces(path, {"rows": 1})
        assert str(path) in str(caught.value)


def test_a_parquet_file_that_is_damaged_within(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pd.DataFrame({"x": [f"{row * 7919}" for row in range(5_000)]}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    (piece,) = pieces(path, {"rows": 5_000})

    with pytest.raises(ValueError, match=r"table\.parquet cannot be read as parquet"):
        read(piece)


def test_a_file_that_has_changed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a\n1\n2\n")
    piece, _ = pieces(path, {"rows": 1})
    path.write_text("a\n1\n2\n3\n")

    with pytest.raises(LocationError, match=r"table\.csv has changed since the job began"):
        read(piece)


def test_a_slice_goes_through_json(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"gr\xf6\xdfe\n1\n")
    (piece,) = pieces(tmp_path / "table.csv", {"rows": 1})

    given_back = json.loads(json.dumps(asdict(piece)))

    assert Slice(InputFile(**given_back.pop("file")), **given_back) == piece
    assert content_of(piece) == b"gr\xf6\xdfe\n1\n"


@pytest.mark.parametrize(
    ("suffix", "expected"), [(".csv", True), (".CSV", True), (".npy", True), (".png", False), ("", False)]
)
def test_what_is_cut(suffix: str, expected: bool) -> None:
    assert can_cut(suffix) is expected


def test_memory_stays_flat_within_one_large_row_group(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    rows = 1_000_000
    frame = pd.DataFrame({f"c{place}": np.random.default_rng(place).normal(size=rows) for place in range(8)})
    frame.to_parquet(path, row_group_size=rows)
    del frame
    before = pa.total_allocated_bytes()

    found = pieces(path, {"size": 4 << 20})
    pool = pa.default_memory_pool()
    peak = 0
    for piece in found:
        read(piece)
        peak = max(peak, pool.bytes_allocated() - before)

    assert len(found) > 10
    assert peak < 40 << 20
