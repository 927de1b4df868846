"""Batch entry script for Azure ML: scores files with array, a DecisionTreeClassifier.

Made by scorewright VERSION. A batch runner calls init() once a worker and run() with the paths of a mini-batch.
The answers are those of score.py, which stands beside this script and is used here.

A file is a csv or parquet file with the model's columns by name (others are passed over), a .npy file, or a .jsonl
file with a row a line as a request has it.
The result has one row for each input row: its file, its number in the file, what the model answers, and the error if
it could not be scored, in the words in which score.py would refuse it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))

import score

PARTS = (".csv", ".parquet", ".jsonl", ".ndjson", ".json", ".npy")  # the files that run_part() takes a part of
ERROR = "error"  # the column that says why a row was not scored
# The columns of each method's answers: their name, their type, and how many there are, name_0, name_1, ….
ANSWERS: dict[str, tuple[tuple[str, str, int | None], ...]] = {
    "predict": (("predict", "string[pyarrow]", None),),
    "predict_proba": (("predict_proba", "float64", 3),),
    "predict_log_proba": (("predict_log_proba", "float64", 3),),
}
READ = 16384  # rows that are held at a time
CALL = 16384  # rows a call of the model
BYTES = 2**24  # of a text file that are read at a time
PARSED = 2**20  # of a csv file's that are parsed at a time: more do not stay in the processor's cache
TEXT: Any = "string[pyarrow]"
GAPS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")
WIDTH = score.WIDTH

method = score.DEFAULT_METHOD


@dataclass
class Chunk:
    """Rows of a file as they were read: Arrow columns in the model's order, or values as JSON has them.

    errors  why some of them are none, by the row's number in the chunk
    """

    count: int
    columns: list[Any] = field(default_factory=list)
    plain: Callable[[Any, int], Any] = lambda value, place: value
    rows: Any = None
    errors: dict[int, str] = field(default_factory=dict)


def init() -> None:
    """Load the model. The script's own arguments: --method names another of its methods."""
    global method
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=score.METHODS, default=score.DEFAULT_METHOD)
    method = parser.parse_known_args()[0].method  # a batch runner has arguments of its own
    score.init()
    score.logger.setLevel(logging.ERROR)  # that the model refuses a row is told in the result


def run(mini_batch: list[str] | pd.DataFrame) -> pd.DataFrame | list[str]:
    """Score every row of these files, or of a DataFrame (the result calls its file nothing).

    With SCOREWRIGHT_BATCH_OUTPUT set to parquet or csv, each file's answers are written to a file of their own in
    AZUREML_BI_OUTPUT_PATH as they are made, and the result is a line a file.
    Raises ValueError naming a file that cannot be read.
    """
    if isinstance(mini_batch, pd.DataFrame):
        return together(scored(from_frame(mini_batch), "", 0))
    form = os.environ.get("SCOREWRIGHT_BATCH_OUTPUT")
    if form:
        return [written(Path(path), form) for path in mini_batch]
    return together(piece for path in mini_batch for piece in answers(Path(path)))


def run_part(source: BinaryIO, suffix: str, file: str, first_row: int, header: bool | None = None) -> pd.DataFrame:
    """Score rows cut from a file, which are a file of the same format: the answers are those in run() of the whole.

    file, first_row  what the result calls the file, and its first row
    header           whether a csv file begins with a line of names; None: what it begins with tells
    """
    return together(scored(named(source, suffix, file, header), file, first_row))


def answers(path: Path) -> Iterator[pd.DataFrame]:
    """The answers to a file's rows, chunk by chunk. Raises ValueError naming the file if it cannot be read."""
    with path.open("rb") as source:
        yield from scored(named(source, path.suffix, str(path), None), path.name, 0)


def written(path: Path, form: str) -> str:
    """Write the answers to a file's rows to one of its own; what was written, in a line.

    Its name has a hash of the path in it, since files in different folders may have the same name.
    """
    if form not in ("parquet", "csv"):
        raise ValueError(f"SCOREWRIGHT_BATCH_OUTPUT is {form}, it must be parquet or csv")
    place = hashlib.sha256(str(path).encode()).hexdigest()[:10]
    folder = os.environ.get("AZUREML_BI_OUTPUT_PATH")
    if not folder:
        raise ValueError("AZUREML_BI_OUTPUT_PATH is not set, it must name the folder that results are written to")
    target = Path(folder) / f"{path.name}.{place}.{form}"
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    rows = bad = 0
    schema = pa.Schema.from_pandas(nothing(), preserve_index=False)
    try:
        with ExitStack() as closed:
            out = closed.enter_context(unfinished.open("wb"))
            writer = closed.enter_context(pq.ParquetWriter(out, schema)) if form == "parquet" else None
            if writer is None:
                nothing().to_csv(out, index=False)
            for piece in answers(path):
                rows, bad = rows + len(piece), bad + int(piece[ERROR].notna().sum())
                if writer is None:
                    piece.to_csv(out, index=False, header=False)
                else:
                    writer.write_table(pa.Table.from_pandas(piece, schema=schema, preserve_index=False))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return f"{path.name}: {rows} rows, {bad} of them with an error, in {target.name}"


def together(pieces: Iterator[pd.DataFrame]) -> pd.DataFrame:
    """One table of all pieces, with the same columns and types if there are none."""
    return pd.concat([nothing(), *pieces], ignore_index=True)


def nothing() -> pd.DataFrame:
    """The answers to no rows."""
    return framed("", 0, 0, [], {})


def scored(chunks: Iterator[Chunk], file: str, first_row: int) -> Iterator[pd.DataFrame]:
    """The answers to each chunk."""
    for chunk in chunks:
        errors = dict(chunk.errors)
        found: list[tuple[Any, list[Any]]] = []
        for places, values in checked(chunk, errors):
            for start in range(0, len(places), CALL):
                found += called(places, values, range(start, min(start + CALL, len(places))), errors)
        yield framed(file, first_row, chunk.count, found, errors)
        first_row += chunk.count


def called(places: Any, values: Any, rows: range, errors: dict[int, str]) -> list[tuple[Any, list[Any]]]:
    """The model's outputs for these rows, with their places; a row that the model refuses is put to the errors."""
    try:
        return [(places[rows.start : rows.stop], outputs(values, rows))]
    except score.BadRequest as error:
        if len(rows) == 1:
            errors[int(places[rows.start])] = str(error)
            return []
    half = len(rows) // 2
    return called(places, values, rows[:half], errors) + called(places, values, rows[half:], errors)


def framed(
    file: str, first_row: int, count: int, found: list[tuple[Any, list[Any]]], errors: dict[int, str]
) -> pd.DataFrame:
    """The answers as a table, whose columns have the same types whatever is in them."""
    places = np.concatenate([np.empty(0, dtype=np.intp), *(places for places, _ in found)])
    columns: dict[str, Any] = {
        "file": pd.array(pa.repeat(file, count), dtype=TEXT),
        "row": np.arange(first_row, first_row + count, dtype=np.int64),
    }
    for at, (name, dtype, width) in enumerate(ANSWERS[method]):
        arrays = [np.asarray(outputs[at]) for _, outputs in found]
        flat = [array.reshape(len(array), width or 1) for array in arrays]
        values = np.concatenate(flat) if flat else np.empty((0, width or 1))
        for number in range(width or 1):
            heading = name if width is None else f"{name}_{number}"
            columns[heading] = column(values[:, number], places, count, dtype)
    columns[ERROR] = texts(list(errors.values()), np.array(list(errors), dtype=np.intp), count)
    return pd.DataFrame(columns)


def column(values: Any, places: Any, count: int, dtype: Any) -> Any:
    """A column of `count` values, which has these at these places and nothing at the others."""
    if dtype == TEXT:
        plain = score.plain(values)
        return texts([v if v is None or isinstance(v, str) else json.dumps(v) for v in plain], places, count)
    numbers = np.full(count, np.nan)
    numbers[places] = values
    return numbers


def texts(values: list[str | None], places: Any, count: int) -> Any:
    """The same of texts."""
    if not len(places):
        return pd.array(pa.nulls(count, pa.string()), dtype=TEXT)
    column = np.full(count, None, dtype=object)
    column[places] = values
    return pd.array(column, dtype=TEXT)


def named(source: BinaryIO, suffix: str, file: str, header: bool | None) -> Iterator[Chunk]:
    """The rows of a file. Raises ValueError naming it if it cannot be read."""
    try:
        yield from read(source, suffix.lower(), header)
    except (ValueError, OSError, EOFError, pa.ArrowException) as error:
        raise ValueError(f"{file}: {' '.join(str(error).split())[:500]}") from error


def read(source: BinaryIO, suffix: str, header: bool | None) -> Iterator[Chunk]:
    """The rows of a file of this kind, as many at a time as are good for memory."""
    if suffix == ".csv":
        yield from read_csv(source, header)
    elif suffix == ".parquet":
        yield from read_parquet(source)
    elif suffix in (".jsonl", ".ndjson", ".json"):
        yield from read_lines(source, from_json)
    elif suffix == ".npy":
        yield from read_npy(source)
    else:
        raise ValueError(f"{suffix or 'a file without a suffix'} is not read; the files may be {', '.join(PARTS)}")


def read_lines(source: BinaryIO, understood: Callable[[str], Any]) -> Iterator[Chunk]:
    """The rows of a file that has one a line; lines without anything are none."""
    lines = (line for line in source if line.strip())
    while some := list(islice(lines, READ)):
        chunk = Chunk(len(some), rows=[])
        for place, line in enumerate(some):
            try:
                chunk.rows.append(understood(line.decode().removesuffix("\n").removesuffix("\r")))
            except UnicodeDecodeError:
                chunk.errors[place] = "row is not UTF-8"
                chunk.rows.append(None)
            except score.BadRequest as error:
                chunk.errors[place] = str(error)
                chunk.rows.append(None)
        yield chunk


def from_json(line: str) -> Any:
    """What a line of JSON says. Raises BadRequest."""
    try:
        return json.loads(line)
    except RecursionError:
        raise score.BadRequest("row is nested too deeply") from None
    except ValueError as error:
        raise score.BadRequest(f"row is not JSON: {error}") from None


def read_array(source: BinaryIO) -> tuple[tuple[int, ...], Iterator[np.ndarray[Any, Any]]]:
    """An array in numpy's format: its shape, and its rows, READ at a time. Raises ValueError."""
    version = np.lib.format.read_magic(source)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"it is of version {version} of numpy's format, in which there are no plain numbers")
    newer = version == (2, 0)
    read_header = np.lib.format.read_array_header_2_0 if newer else np.lib.format.read_array_header_1_0
    shape, by_column, dtype = read_header(source)
    if dtype.kind not in "biufU" or not shape:
        raise ValueError(f"it holds {'a single value' if not shape else dtype}, it must hold rows of numbers or texts")
    return shape, rows_of(source, shape, by_column, dtype)


def rows_of(source: BinaryIO, shape: Any, by_column: bool, dtype: Any) -> Iterator[np.ndarray[Any, Any]]:
    """The rows of an array, READ at a time; one that lies column by column is read whole."""
    if by_column:
        whole = np.frombuffer(source.read(), dtype).reshape(shape, order="F")
        yield from (whole[start : start + READ] for start in range(0, len(whole), READ))
        return
    size = dtype.itemsize * int(np.prod(shape[1:]))
    for start in range(0, shape[0], READ):
        count = min(READ, shape[0] - start)
        data = source.read(count * size)
        if len(data) < count * size:
            raise ValueError(f"it ends in row {start + len(data) // size} of {shape[0]}")
        yield np.frombuffer(data, dtype).reshape(count, *shape[1:])


def read_csv(source: BinaryIO, header: bool | None) -> Iterator[Chunk]:
    """The rows of a csv file, which begins with a line of names."""
    blocks = read_blocks(source)
    first = next(blocks, b"").removeprefix(b"\xef\xbb\xbf")
    lines = csv.reader(text_lines(first))
    names = next((names for names in lines if names), [])
    if not names:
        raise ValueError("it is empty, it must begin with a line of names")
    places, width = chosen(names), len(names)
    first = first[size_of(text_lines(first), lines.line_num) :]
    for block in chain([first], blocks):
        columns, errors = csv_columns(block, width, places)
        for start in range(0, len(columns[0]), READ):
            part = [values[start : start + READ] for values in columns]
            odd = {place - start: words for place, words in errors.items() if start <= place < start + READ}
            yield Chunk(len(part[0]), columns=part, plain=cell, errors=odd)


def text_lines(block: bytes) -> IO[str]:
    """Its lines one by one, however they end; bytes that are not UTF-8 come as half characters."""
    return io.TextIOWrapper(io.BytesIO(block), "utf-8", "surrogateescape", newline="")


def size_of(lines: IO[str], count: int) -> int:
    """How many bytes the first of these lines are."""
    return sum(len(line.encode(errors="surrogateescape")) for line in islice(lines, count))


def read_blocks(source: BinaryIO) -> Iterator[bytes]:
    """A csv file in blocks of whole rows: a newline between quotation marks ends none."""
    rest = b""
    while data := source.read(BYTES):
        rest += data
        end = rest.rfind(b"\n") + 1
        inside = rest.count(b'"', 0, end) % 2
        while end and inside:
            before = rest.rfind(b"\n", 0, end - 1) + 1
            inside ^= rest.count(b'"', before, end) % 2
            end = before
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def csv_columns(block: bytes, width: int, places: list[int]) -> tuple[list[Any], dict[int, str]]:
    """These columns of a block of rows, as numbers where they are, else as texts; and the rows that are none."""
    with suppress(pa.ArrowInvalid):
        return parsed(block, width, places, pa.float64()), {}
    with suppress(pa.ArrowInvalid):  # there is a word among the numbers
        return parsed(block, width, places, pa.string()), {}
    rows: list[list[str | None]] = []
    errors: dict[int, str] = {}
    csv.field_size_limit(max(len(block), 2**17))
    for row in csv.reader(text_lines(block)):
        if len(row) == width and is_text("".join(row[place] for place in places)):
            rows.append([row[place] for place in places])
        elif row:
            words = "is not UTF-8" if len(row) == width else f"has {len(row)} values, the file has {width} columns"
            errors[len(rows)] = f"row {words}"
            rows.append([None] * len(places))
    return [pa.array([row[place] for row in rows], pa.string()) for place in range(len(places))], errors


def parsed(block: bytes, width: int, places: list[int], number: Any) -> list[Any]:
    """These columns of a block of rows. Raises ArrowInvalid if one of numbers holds a word, or a row has gaps."""
    types = {str(place): number for place in places}
    table = pa_csv.read_csv(
        pa.BufferReader(block),
        pa_csv.ReadOptions(use_threads=False, block_size=PARSED, column_names=[str(at) for at in range(width)]),
        pa_csv.ParseOptions(newlines_in_values=True),
        pa_csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=GAPS),
    )
    return [table.column(name).combine_chunks() for name in types]


def is_text(value: str) -> bool:
    """Whether a text was UTF-8."""
    return value.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in value)


def cell(text: str | float | None, place: int) -> Any:
    """What a field of a csv file says, as JSON has it."""
    if not isinstance(text, str):
        return text
    if text in GAPS:
        return None
    with suppress(ValueError):
        return text if "_" in text else float(text)
    return text


def read_parquet(source: BinaryIO) -> Iterator[Chunk]:
    """The rows of a parquet file."""
    file = pq.ParquetFile(source, buffer_size=2**20, pre_buffer=False)
    names = file.schema_arrow.names
    wanted = [names[place] for place in chosen(names)]
    for batch in file.iter_batches(READ, columns=wanted, use_threads=False):
        yield Chunk(batch.num_rows, columns=[decoded(batch.column(name)) for name in wanted], plain=plain)


def decoded(values: Any) -> Any:
    """A column without a dictionary, decimals as fractions."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.float64()) if pa.types.is_decimal(values.type) else values


def plain(value: Any, place: int) -> Any:
    """A value of a column as JSON has it: dates in ISO form."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def from_frame(frame: pd.DataFrame) -> Iterator[Chunk]:
    """The rows of a DataFrame, which is a mini-batch of a tabular job. Raises ValueError if it has other columns."""
    places = chosen([str(name) for name in frame.columns])
    for start in range(0, len(frame), READ):
        part = frame.iloc[start : start + READ, places]
        try:
            columns = [decoded(pa.array(part.iloc[:, place], from_pandas=True)) for place in range(part.shape[1])]
        except pa.ArrowException:  # values of several types in one column
            rows = part.astype(object).where(part.notna(), None).to_numpy().tolist()
            yield Chunk(len(part), rows=[[plain(value, 0) for value in row] for row in rows])
        else:
            yield Chunk(len(part), columns=columns, plain=plain)


def chosen(names: list[str]) -> list[int]:
    """Where the model's columns stand in a file that has these. Raises ValueError if they do not."""
    missing = tuple(name for name in score.FEATURES if name not in names)
    if missing:
        raise ValueError(f"it has no column {score.listed(missing)}; it has {score.listed(tuple(names))}")
    twice = tuple(name for name in score.FEATURES if names.count(name) > 1)
    if twice:
        raise ValueError(f"it has more than one column {score.listed(twice)}")
    return [names.index(name) for name in score.FEATURES]


def read_npy(source: BinaryIO) -> Iterator[Chunk]:
    """The rows of an array, whose columns stand in the model's order. Raises ValueError if it has another shape."""
    shape, parts = read_array(source)
    if (*shape, 1)[1] != WIDTH or len(shape) > 2:
        raise ValueError(f"it has the shape {shape}, the model takes rows of {WIDTH} ({score.listed(score.FEATURES)})")
    for part in parts:
        table = part.reshape(-1, WIDTH).astype(part.dtype.newbyteorder("="))
        yield Chunk(len(part), columns=[pa.array(table[:, place]) for place in range(WIDTH)])


def checked(chunk: Chunk, errors: dict[int, str]) -> list[tuple[Any, Any]]:
    """The rows that the model takes, after their places; why it does not take the others is put to the errors."""
    if chunk.rows is not None:
        return checked_rows(chunk.rows, errors)
    X, right = np.empty((chunk.count, WIDTH)), np.ones(chunk.count, dtype=bool)
    for place, values in enumerate(chunk.columns):
        X[:, place], numbers = as_numbers(values, chunk.plain, place)
        right &= numbers
    odd = score.odd(X)
    if odd.any():
        right &= ~odd.any(axis=1)
    for row in np.flatnonzero(~right).tolist():
        if row not in errors:
            values = [chunk.plain(values[row].as_py(), place) for place, values in enumerate(chunk.columns)]
            refused: dict[int, str] = {}
            checked_rows([values], refused)
            errors[row] = refused[0]
    places = np.delete(np.arange(chunk.count), list(errors))
    return [(places, X[places] if errors else X)]


def checked_rows(rows: list[Any], errors: dict[int, str]) -> list[tuple[Any, Any]]:
    """The same for values as JSON has them."""
    places = [place for place in range(len(rows)) if place not in errors]
    given = [rows[place][:] if isinstance(rows[place], list) else rows[place] for place in places]
    if all(isinstance(row, list | dict) for row in given):
        with suppress(score.BadRequest):  # mostly all are right
            return [(np.array(places), score.checked(given, "row", None))]
    right, taken = [], []
    for place in places:
        try:
            taken += list(score.checked([rows[place]], "row", None))
            right.append(place)
        except score.BadRequest as error:
            errors[place] = str(error).replace("row[0]", "row", 1)
    return [(np.array(right, dtype=np.intp), np.array(taken).reshape(-1, WIDTH))]


def as_numbers(values: Any, plain: Callable[[Any, int], Any], place: int) -> tuple[Any, Any]:
    """A column as float64, and for each value whether it is a number or missing."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), True
    known, places = distinct(values)
    plains = [plain(value, place) for value in known]
    right = np.array([type(value) in score.VALUES for value in plains], dtype=bool)
    numbers = [value if good and value is not None else np.nan for value, good in zip(plains, right, strict=True)]
    return np.array(numbers, dtype=np.float64)[places], right[places]


def distinct(values: Any) -> tuple[list[Any], Any]:
    """The different values of a column, and for each row which of them it has."""
    try:
        encoded = values.dictionary_encode("encode")
    except pa.ArrowNotImplementedError:  # lists and the like
        return values.to_pylist(), np.arange(len(values))
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


def outputs(values: Any, rows: range) -> list[Any]:
    """The model's answers to these of the rows, an array an output. Raises BadRequest if it refuses one."""
    at = slice(rows.start, rows.stop)
    X = score.table(values[at])
    result = score.results(method, X)
    return [np.asarray(output)[: len(rows)] for output in [result]]
