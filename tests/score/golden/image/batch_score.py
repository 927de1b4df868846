"""Batch entry script for Azure ML: scores files with image, a Keras Sequential model.

Made by scorewright VERSION. A batch runner calls init() once a worker and run() with the paths of a mini-batch.
The answers are those of score.py, which stands beside this script and is used here.

A file is an image (png, jpg, bmp or gif), which is one row, a .npy file of rows, or a .jsonl file with a row a line
as a request has it.
The result has one row for each input row: its file, its number in the file, what the model answers, and the error if
it could not be scored, in the words in which score.py would refuse it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))

import score

PARTS = (".jsonl", ".ndjson", ".json", ".npy")  # the files that run_part() takes a part of
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FILES = (*PARTS, *IMAGES)
ERROR = "error"  # the column that says why a row was not scored
# The columns of each method's answers: their name, their type, and how many there are, name_0, name_1, ….
ANSWERS: dict[str, tuple[tuple[str, str, int | None], ...]] = {"predict": (("predict", "float64", 10),)}
READ = 10922  # rows that are held at a time
CALL = 256  # rows a call of the model
TEXT: Any = "string[pyarrow]"

INPUT = next(iter(score.INPUTS))
SHAPE: tuple[int, int, int] = (8, 8, 3)  # of an image: height, width, channels
scale = 1.0  # what pixels are divided by
Values = dict[str, np.ndarray[Any, Any]]  # one array an input, the first dimension the row
method = score.DEFAULT_METHOD


@dataclass
class Chunk:
    """Rows of a file as they were read: arrays, or values as JSON has them.

    errors  why some of them are none, by the row's number in the chunk
    """

    count: int
    rows: Any = None
    errors: dict[int, str] = field(default_factory=dict)


def init() -> None:
    """Load the model. The script's own arguments: --scale what pixels are divided by."""
    global method
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=score.METHODS, default=score.DEFAULT_METHOD)
    parser.add_argument("--scale", type=float, default=1.0)
    global scale
    known = parser.parse_known_args()[0]  # a batch runner has arguments of its own
    method, scale = known.method, known.scale
    score.init()
    score.logger.setLevel(logging.ERROR)  # that the model refuses a row is told in the result


def run(mini_batch: list[str] | pd.DataFrame) -> pd.DataFrame | list[str]:
    """Score every row of these files.

    With SCOREWRIGHT_BATCH_OUTPUT set to parquet or csv, each file's answers are written to a file of their own in
    AZUREML_BI_OUTPUT_PATH as they are made, and the result is a line a file.
    Raises ValueError naming a file that cannot be read.
    """
    if isinstance(mini_batch, pd.DataFrame):
        raise ValueError("the model does not take tables: the mini-batch must be a list of paths")
    form = os.environ.get("SCOREWRIGHT_BATCH_OUTPUT")
    if form:
        return [written(Path(path), form) for path in mini_batch]
    groups = groupby(map(Path, mini_batch), key=is_image)
    return together(piece for image, paths in groups for piece in (of_images if image else of_files)(list(paths)))


def run_part(source: BinaryIO, suffix: str, file: str, first_row: int, header: bool | None = None) -> pd.DataFrame:
    """Score rows cut from a file, which are a file of the same format: the answers are those in run() of the whole.

    file, first_row  what the result calls the file, and its first row
    header           whether a csv file begins with a line of names; None: what it begins with tells
    """
    return together(scored(named(source, suffix, file, header), file, first_row))


def answers(path: Path) -> Iterator[pd.DataFrame]:
    """The answers to a file's rows, chunk by chunk. Raises ValueError naming the file if it cannot be read."""
    if is_image(path):
        yield from of_images([path])
        return
    with path.open("rb") as source:
        yield from scored(named(source, path.suffix, str(path), None), path.name, 0)


def of_files(paths: list[Path]) -> Iterator[pd.DataFrame]:
    """The same of several files."""
    return chain.from_iterable(map(answers, paths))


def is_image(path: Path) -> bool:
    """Whether a file is an image, by its suffix."""
    return path.suffix.lower() in IMAGES


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
    if suffix in (".jsonl", ".ndjson", ".json"):
        yield from read_lines(source, from_json)
    elif suffix == ".npy":
        yield from read_npy(source)
    else:
        raise ValueError(f"{suffix or 'a file without a suffix'} is not read; the files may be {', '.join(FILES)}")


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


def read_npy(source: BinaryIO) -> Iterator[Chunk]:
    """The rows of an array. Raises ValueError if the model takes others."""
    shape, parts = read_array(source)
    for part in parts:
        require_fit(INPUT, part)
        yield Chunk(len(part), rows={INPUT: part})
    if not shape[0]:
        require_fit(INPUT, np.empty(shape))


def require_fit(name: str, array: np.ndarray[Any, Any]) -> None:
    """Raise ValueError unless rows of this array have the input's shape and kind."""
    dtype, shape = score.INPUTS[name]
    fits = array.ndim == len(shape) + 1 and all(
        want == have or (want is None and have) for want, have in zip(shape, array.shape[1:], strict=True)
    )
    if not fits:
        words = " x ".join("any" if size is None else str(size) for size in shape) or "that of a single value"
        given = " x ".join(map(str, array.shape))
        raise ValueError(f"it has an array of the shape {given}; a row of {name} has the shape {words}")
    kinds, words = {"string": ("U", "texts"), "bool": ("b", "true and false")}.get(dtype, ("iuf", "numbers"))
    if array.size and array.dtype.kind not in kinds:
        raise ValueError(f"it holds {array.dtype}, {name} takes {words}")


def checked(chunk: Chunk, errors: dict[int, str]) -> list[tuple[Any, Any]]:
    """The rows that the model takes, after their places; why it does not take the others is put to the errors.

    They are in groups: the rows of one have the same shape.
    """
    if isinstance(chunk.rows, list):
        return checked_rows(chunk.rows, errors)
    rows, right = chunk.rows, np.ones(chunk.count, dtype=bool)
    for name, array in rows.items():
        right &= taken(array.reshape(len(array), -1), score.INPUTS[name][0])
    for row in np.flatnonzero(~right).tolist():
        if row not in errors:
            refused: dict[int, str] = {}
            checked_rows([rows[INPUT][row].tolist()], refused)
            errors[row] = refused[0]
    places = np.delete(np.arange(chunk.count), list(errors))
    return [(places, {name: array[places].astype(kind(name)) for name, array in rows.items()})]


def taken(array: np.ndarray[Any, Any], dtype: str) -> Any:
    """For each row whether an input of this type takes all of its values."""
    if array.dtype.kind not in "iuf":
        return True
    whole = dtype.startswith(("int", "uint"))
    limits = np.iinfo(dtype) if whole else np.finfo(dtype)
    right = np.isfinite(array) & (array >= limits.min) & (array <= limits.max)
    if whole and array.dtype.kind == "f":
        right &= array == np.floor(array)
    return right.all(axis=1)


def kind(name: str) -> Any:
    """The type of an input's array."""
    dtype = score.INPUTS[name][0]
    return object if dtype == "string" else dtype


def checked_rows(rows: list[Any], errors: dict[int, str]) -> list[tuple[Any, Any]]:
    """The same for values as JSON has them."""
    places = [place for place in range(len(rows)) if place not in errors]
    with suppress(score.BadRequest):  # mostly all are right
        values = request([rows[place] for place in places])
        if score.count(values) == len(places):
            return [(np.array(places), values)]
    groups: dict[Any, list[tuple[int, Values]]] = {}
    for place in places:
        try:
            values = request([rows[place]])
        except score.BadRequest as error:
            errors[place] = str(error).replace("row[0]", "row", 1)
        else:
            groups.setdefault(tuple(array.shape for array in values.values()), []).append((place, values))
    return [
        (
            np.array([place for place, _ in group]),
            {name: np.concatenate([values[name] for _, values in group]) for name in score.INPUTS},
        )
        for group in groups.values()
    ]


def request(rows: list[Any]) -> Values:
    """Rows as score.py understands them. Raises BadRequest."""
    score.refuse_booleans(rows, "row")
    return score.checked(rows, "row")


def of_images(paths: list[Path]) -> Iterator[pd.DataFrame]:
    """The answers to images, each of which is the one row of its file."""
    from PIL import Image  # only images need it

    for start in range(0, len(paths), READ):
        some = paths[start : start + READ]
        pixels = np.zeros((len(some), *SHAPE), dtype=np.float32)
        errors = {}
        for place, path in enumerate(some):
            data = path.read_bytes()
            try:
                with Image.open(io.BytesIO(data)) as image:
                    pixels[place] = pixels_of(image)
            except Exception as error:  # the decoders raise all kinds for what they cannot read
                errors[place] = f"row is no image that can be read: {' '.join(str(error).split())[:500]}"
        chunk = Chunk(len(some), rows={INPUT: pixels}, errors=errors)
        for frame in scored(iter([chunk]), "", 0):
            frame["file"] = pd.array([path.name for path in some], dtype=TEXT)
            frame["row"] = np.zeros(len(some), dtype=np.int64)
            yield frame


def pixels_of(image: Any) -> np.ndarray[Any, Any]:
    """An image's pixels, 0 to 255 unless scaled; one of another size is resized (bilinear), as Keras' load_img does."""
    from PIL import Image

    height, width, channels = SHAPE
    fitting = image.convert("RGB" if channels == 3 else "L")
    if fitting.size != (width, height):
        fitting = fitting.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(fitting, dtype=np.float32).reshape(SHAPE) / np.float32(scale)


def outputs(values: Values, rows: range) -> list[Any]:
    """The model's answers to these of the rows, an array an output. Raises BadRequest if it refuses one."""
    scored = score.call({name: array[rows.start : rows.stop] for name, array in values.items()})
    return [scored[name] for name in score.OUTPUTS]
